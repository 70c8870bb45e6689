#include "index/blob_table.h"

#include "base/assert.h"
#include "base/checksum.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>
#include <vector>

namespace orbitalreg::cas {
namespace {

constexpr std::size_t kSlotsMin = 64;

struct ExtentHash {
    std::size_t operator()(const Extent& extent) const noexcept {
        return mix64(extent.uid, extent.position);
    }
};

// The tag of a slot: 0 is an empty slot.
std::uint8_t slot_tag(std::uint64_t prefix) noexcept {
    const auto tag = static_cast<std::uint8_t>(prefix >> 6);
    return tag == 0 ? std::uint8_t{1} : tag;
}

std::size_t slot_start(std::uint64_t prefix, std::size_t slots) noexcept {
    return static_cast<std::size_t>(prefix >> 14) & (slots - 1);
}

}  // namespace

struct BlobTable::Shard {
    mutable std::shared_mutex mutex;
    std::vector<std::uint8_t> tags = std::vector<std::uint8_t>(kSlotsMin);
    std::vector<std::uint32_t> ids = std::vector<std::uint32_t>(kSlotsMin);
    std::size_t used = 0;
    std::unordered_map<Extent, std::uint32_t, ExtentHash> pins;
    std::unordered_map<std::uint32_t, std::array<std::byte, 32>> sha512_rest;  // by id
    std::vector<CondemnedExtent> condemned;

    static std::uint64_t prefix(const Row& row) noexcept {
        return load_le<std::uint64_t>(row.digest.data());
    }

    bool matches(const Row& row, std::uint32_t id, const Digest& digest) const noexcept {
        const ByteView hash = digest.hash();
        const bool sha512 = digest.algorithm() == DigestAlgorithm::sha512;
        if (((row.flags & kSha512) != 0) != sha512) return false;
        if (std::memcmp(row.digest.data(), hash.data(), row.digest.size()) != 0) return false;
        return !sha512 || std::memcmp(sha512_rest.at(id).data(), hash.data() + 32, 32) == 0;
    }

    // 0 when there is none.
    std::uint32_t find(const RowTable<Row>& rows, const Digest& digest) const noexcept {
        const std::uint64_t key = digest.prefix();
        const std::uint8_t tag = slot_tag(key);
        for (std::size_t slot = slot_start(key, tags.size()); tags[slot] != 0;
             slot = (slot + 1) & (tags.size() - 1)) {
            if (tags[slot] == tag && matches(rows.at(ids[slot]), ids[slot], digest))
                return ids[slot];
        }
        return 0;
    }

    void place(std::uint64_t key, std::uint32_t id) noexcept {
        std::size_t slot = slot_start(key, tags.size());
        while (tags[slot] != 0) slot = (slot + 1) & (tags.size() - 1);
        tags[slot] = slot_tag(key);
        ids[slot] = id;
    }

    // Closes the gap: what lies behind it and may not stay there moves up.
    void erase(const RowTable<Row>& rows, std::uint64_t key, std::uint32_t id) noexcept {
        const std::size_t mask = tags.size() - 1;
        std::size_t hole = slot_start(key, tags.size());
        while (ids[hole] != id || tags[hole] == 0) hole = (hole + 1) & mask;
        for (std::size_t next = (hole + 1) & mask; tags[next] != 0; next = (next + 1) & mask) {
            const std::size_t home = slot_start(prefix(rows.at(ids[next])), tags.size());
            if (((next - home) & mask) < ((next - hole) & mask)) continue;
            tags[hole] = tags[next];
            ids[hole] = ids[next];
            hole = next;
        }
        tags[hole] = 0;
        ids[hole] = 0;
        --used;
    }

    void add(const RowTable<Row>& rows, std::uint64_t key, std::uint32_t id) {
        if (4 * (used + 1) > 3 * tags.size()) {
            std::vector<std::uint8_t> old_tags(2 * tags.size());
            std::vector<std::uint32_t> old_ids(2 * ids.size());
            old_tags.swap(tags);
            old_ids.swap(ids);
            for (std::size_t i = 0; i < old_tags.size(); ++i) {
                if (old_tags[i] != 0) place(prefix(rows.at(old_ids[i])), old_ids[i]);
            }
        }
        place(key, id);
        ++used;
    }

    // An empty index for so many rows.
    void make_room(std::size_t rows) {
        std::size_t slots = kSlotsMin;
        while (4 * rows > 3 * slots) slots *= 2;
        tags.assign(slots, 0);
        ids.assign(slots, 0);
        used = 0;
    }

    bool same_digest(const Row& a, std::uint32_t a_id, const Row& b,
                     std::uint32_t b_id) const noexcept {
        if (((a.flags ^ b.flags) & kSha512) != 0 || a.digest != b.digest) return false;
        return (a.flags & kSha512) == 0 || sha512_rest.at(a_id) == sha512_rest.at(b_id);
    }

    // Asks for the memory that place_new() will look at.
    void prefetch(const Row& row) const noexcept {
        const std::size_t slot = slot_start(prefix(row), tags.size());
        __builtin_prefetch(tags.data() + slot, 1);
        __builtin_prefetch(ids.data() + slot, 1);
    }

    // Into room that was made. False when another row has the digest.
    bool place_new(const RowTable<Row>& rows, const Row& row, std::uint32_t id) noexcept {
        const std::uint64_t key = prefix(row);
        const std::uint8_t tag = slot_tag(key);
        std::size_t slot = slot_start(key, tags.size());
        for (; tags[slot] != 0; slot = (slot + 1) & (tags.size() - 1)) {
            if (tags[slot] == tag && same_digest(rows.at(ids[slot]), ids[slot], row, id))
                return false;
        }
        tags[slot] = tag;
        ids[slot] = id;
        ++used;
        return true;
    }
};

Pin::~Pin() {
    if (table_ != nullptr) table_->unpin(shard_, extent_);
}

BlobTable::BlobTable() : shards_{std::make_unique<Shard[]>(kShards)} {
    rows_.before_change = [this](std::uint32_t id) {
        stored_.before_change(id);
        counts_.before_change(id);
    };
}
BlobTable::~BlobTable() = default;

std::uint32_t BlobTable::shard_number(const Digest& digest) noexcept {
    return static_cast<std::uint32_t>(digest.prefix() % kShards);
}

// Readable without a lock: only what is done under the lock of the shard it names is certain.
std::uint32_t BlobTable::shard_number(const Row& row) const noexcept {
    const auto* prefix = reinterpret_cast<const std::uint64_t*>(row.digest.data());
    return static_cast<std::uint32_t>(__atomic_load_n(prefix, __ATOMIC_RELAXED) % kShards);
}

Extent BlobTable::extent_of(const Row& row) noexcept {
    return {(row.flags & kInLane) != 0, row.file, row.position,
            row.size_low | std::uint64_t{row.size_high} << 32, row.uid};
}

BlobView BlobTable::view(BlobId id, const Row& row, const Shard& shard) const {
    BlobView view;
    view.id = id;
    std::array<std::byte, 64> hash;
    std::copy(row.digest.begin(), row.digest.end(), hash.begin());
    if ((row.flags & kSha512) != 0) {
        const auto& rest = shard.sha512_rest.at(id.value);
        std::copy(rest.begin(), rest.end(), hash.begin() + 32);
        view.digest = Digest{DigestAlgorithm::sha512, hash};
    } else {
        view.digest = Digest{DigestAlgorithm::sha256, ByteView{hash}.first(32)};
    }
    view.extent = extent_of(row);
    view.references = row.references;
    view.damaged = (row.flags & kDamaged) != 0;
    view.unreferenced_since_s = row.unreferenced_since_s;
    return view;
}

std::optional<BlobView> BlobTable::find(const Digest& digest) const {
    const Shard& shard = shards_[shard_number(digest)];
    const std::shared_lock lock{shard.mutex};
    const std::uint32_t id = shard.find(rows_, digest);
    if (id == 0) return std::nullopt;
    return view(BlobId{id}, rows_.at(id), shard);
}

std::optional<BlobView> BlobTable::get(BlobId id) const {
    if (id.value == 0 || id.value >= end_id_.load(std::memory_order_acquire)) return std::nullopt;
    const Row& row = rows_.at(id.value);
    for (;;) {
        const std::uint32_t number = shard_number(row);
        const Shard& shard = shards_[number];
        const std::shared_lock lock{shard.mutex};
        if (shard_number(row) != number) continue;  // the id went to another blob (I5)
        if ((row.flags & kInUse) == 0) return std::nullopt;
        return view(id, row, shard);
    }
}

std::optional<PinnedBlob> BlobTable::pin(const Digest& digest) {
    const std::uint32_t number = shard_number(digest);
    Shard& shard = shards_[number];
    const std::unique_lock lock{shard.mutex};
    const std::uint32_t id = shard.find(rows_, digest);
    if (id == 0 || (rows_.at(id).flags & kDamaged) != 0) return std::nullopt;
    BlobView blob = view(BlobId{id}, rows_.at(id), shard);
    ++shard.pins[blob.extent];
    Pin pin{*this, number, blob.extent};
    return PinnedBlob{std::move(blob), std::move(pin)};
}

void BlobTable::unpin(std::uint32_t number, const Extent& extent) noexcept {
    Shard& shard = shards_[number];
    const std::unique_lock lock{shard.mutex};
    const auto it = shard.pins.find(extent);
    ORB_ASSERT(it != shard.pins.end());
    if (--it->second == 0) shard.pins.erase(it);
}

std::uint64_t BlobTable::pinned_extents() const {
    std::uint64_t count = 0;
    for (std::uint32_t i = 0; i < kShards; ++i) {
        const std::shared_lock lock{shards_[i].mutex};
        count += shards_[i].pins.size();
    }
    return count;
}

std::vector<CondemnedExtent> BlobTable::take_condemned(std::size_t count_max,
                                                       std::uint32_t damaged_before_s) {
    std::vector<CondemnedExtent> taken;
    for (std::uint32_t i = 0; i < kShards && taken.size() < count_max; ++i) {
        Shard& shard = shards_[i];
        const std::unique_lock lock{shard.mutex};
        std::erase_if(shard.condemned, [&](const CondemnedExtent& each) {
            if (taken.size() == count_max || shard.pins.contains(each.extent)) return false;
            if (each.damaged && each.since_s > damaged_before_s) return false;
            taken.push_back(each);
            return true;
        });
    }
    condemned_.fetch_sub(taken.size(), std::memory_order_relaxed);
    return taken;
}

void BlobTable::condemn(Shard& shard, const Row& row, std::uint64_t store_time_s) {
    if (condemned_.load(std::memory_order_relaxed) >= kCondemnedMax) return;
    shard.condemned.push_back(
        {extent_of(row), static_cast<std::uint32_t>(store_time_s), (row.flags & kDamaged) != 0});
    condemned_.fetch_add(1, std::memory_order_relaxed);
}

void BlobTable::add_held_segments(std::set<std::uint32_t>& segments) const {
    for (std::uint32_t i = 0; i < kShards; ++i) {
        const std::shared_lock lock{shards_[i].mutex};
        for (const auto& [extent, count] : shards_[i].pins) {
            if (!extent.in_lane) segments.insert(extent.file);
        }
        for (const CondemnedExtent& each : shards_[i].condemned) {
            if (each.damaged && !each.extent.in_lane) segments.insert(each.extent.file);
        }
    }
}

BlobId BlobTable::allocate_id() noexcept {
    while (!free_ids_.empty()) {
        const std::uint32_t id = free_ids_.back();
        free_ids_.pop_back();
        if (!free_marks_[id]) continue;  // used again by a replayed frame
        free_marks_[id] = false;
        return BlobId{id};
    }
    return BlobId{next_id_++};
}

void BlobTable::free_id(std::uint32_t id) {
    if (free_marks_.size() <= id)
        free_marks_.resize(std::max<std::size_t>(64, 2 * std::size_t{id}));
    free_marks_[id] = true;
    free_ids_.push_back(id);
}

void BlobTable::set_extent(Row& row, const Extent& extent) noexcept {
    row.uid = extent.uid;
    row.file = extent.file;
    row.position = extent.position;
    row.size_low = static_cast<std::uint32_t>(extent.size_bytes);
    row.size_high = static_cast<std::uint16_t>(extent.size_bytes >> 32);
    row.flags = static_cast<std::uint16_t>((row.flags & ~kInLane) | (extent.in_lane ? kInLane : 0));
}

std::uint32_t BlobTable::visit_extents(
    std::uint32_t first, std::uint32_t count,
    const std::function<void(BlobId, const Extent&)>& visit) const {
    const std::uint32_t end = end_id_.load(std::memory_order_acquire);
    std::uint32_t id = std::max(first, 1U);
    for (; id < end && count > 0; ++id, --count) {
        const Row& row = rows_.at(id);
        if ((row.flags & kInUse) != 0) visit(BlobId{id}, extent_of(row));
    }
    return id < end ? id : 0;
}

void BlobTable::for_each_pinned(const std::function<void(const Extent&)>& visit) const {
    for (std::uint32_t i = 0; i < kShards; ++i) {
        const std::shared_lock lock{shards_[i].mutex};
        for (const auto& [extent, count] : shards_[i].pins) visit(extent);
    }
}

void BlobTable::for_each_condemned(const std::function<void(const Extent&)>& visit) const {
    for (std::uint32_t i = 0; i < kShards; ++i) {
        const std::shared_lock lock{shards_[i].mutex};
        for (const CondemnedExtent& each : shards_[i].condemned) visit(each.extent);
    }
}

void BlobTable::insert(BlobId id, const Digest& digest, const Extent& extent,
                       std::uint64_t store_time_s) {
    insert_row(id, digest, extent, static_cast<std::uint32_t>(store_time_s));
    enqueue(id, store_time_s);
}

void BlobTable::insert_row(BlobId id, const Digest& digest, const Extent& extent,
                           std::uint32_t since_s) {
    ORB_ASSERT(id.value != 0 && id.value != UINT32_MAX);
    rows_.grow(id.value + 1);
    next_id_ = std::max(next_id_, id.value + 1);
    if (id.value < free_marks_.size()) free_marks_[id.value] = false;
    Row& row = rows_.change(id.value);
    const std::uint32_t number = shard_number(digest);
    const std::uint32_t was = shard_number(row);
    Shard& shard = shards_[number];
    std::unique_lock lock{shard.mutex, std::defer_lock};
    std::unique_lock lock_of_old{shards_[was].mutex, std::defer_lock};
    if (was == number) {
        lock.lock();
    } else {
        std::lock(lock, lock_of_old);
    }
    ORB_ASSERT(shard.find(rows_, digest) == 0);
    ORB_ASSERT((row.flags & kInUse) == 0);
    const ByteView hash = digest.hash();
    __atomic_store_n(reinterpret_cast<std::uint64_t*>(row.digest.data()),
                     load_le<std::uint64_t>(hash.data()), __ATOMIC_RELAXED);
    std::copy_n(hash.begin() + 8, 24, row.digest.begin() + 8);
    row.flags = kInUse;
    if (digest.algorithm() == DigestAlgorithm::sha512) {
        row.flags = kInUse | kSha512;
        auto& rest = shard.sha512_rest[id.value];
        std::copy_n(hash.begin() + 32, 32, rest.begin());
    }
    set_extent(row, extent);
    row.references = 0;
    row.unreferenced_since_s = since_s;
    shard.add(rows_, digest.prefix(), id.value);
    end_id_.store(std::max(end_id_.load(std::memory_order_relaxed), id.value + 1),
                  std::memory_order_release);
    blobs_.fetch_add(1, std::memory_order_relaxed);
    bytes_.fetch_add(extent.size_bytes, std::memory_order_relaxed);
    unreferenced_.fetch_add(1, std::memory_order_relaxed);
    space_.add(extent);
}

void BlobTable::remove(BlobId id, std::uint64_t store_time_s) {
    Row& row = rows_.change(id.value);
    Shard& shard = shards_[shard_number(row)];
    const std::unique_lock lock{shard.mutex};
    ORB_ASSERT((row.flags & kInUse) != 0);
    condemn(shard, row, store_time_s);
    space_.remove(extent_of(row));
    shard.erase(rows_, Shard::prefix(row), id.value);
    shard.sha512_rest.erase(id.value);
    blobs_.fetch_sub(1, std::memory_order_relaxed);
    bytes_.fetch_sub(extent_of(row).size_bytes, std::memory_order_relaxed);
    if ((row.flags & kDamaged) != 0) damaged_.fetch_sub(1, std::memory_order_relaxed);
    if (row.references == 0) unreferenced_.fetch_sub(1, std::memory_order_relaxed);
    row.flags = 0;
    row.references = 0;
    free_id(id.value);
}

void BlobTable::replace_extent(BlobId id, const Extent& extent, std::uint64_t store_time_s) {
    {
        Row& row = rows_.change(id.value);
        Shard& shard = shards_[shard_number(row)];
        const std::unique_lock lock{shard.mutex};
        ORB_ASSERT((row.flags & kInUse) != 0);
        condemn(shard, row, store_time_s);
        space_.remove(extent_of(row));
        set_extent(row, extent);
        space_.add(extent);
        if ((row.flags & kDamaged) != 0) damaged_.fetch_sub(1, std::memory_order_relaxed);
        row.flags = static_cast<std::uint16_t>(row.flags & ~kDamaged);
    }
    renew_grace(id, store_time_s);
}

void BlobTable::move_extent(BlobId id, const Extent& extent, std::uint64_t store_time_s) {
    Row& row = rows_.change(id.value);
    Shard& shard = shards_[shard_number(row)];
    const std::unique_lock lock{shard.mutex};
    ORB_ASSERT((row.flags & kInUse) != 0);
    ORB_ASSERT((row.flags & kDamaged) == 0);
    condemn(shard, row, store_time_s);
    space_.remove(extent_of(row));
    set_extent(row, extent);
    space_.add(extent);
}

void BlobTable::renew_grace(BlobId id, std::uint64_t store_time_s) {
    {
        Row& row = rows_.change(id.value);
        const std::unique_lock lock{shards_[shard_number(row)].mutex};
        ORB_ASSERT((row.flags & kInUse) != 0);
        const auto since_s = static_cast<std::uint32_t>(store_time_s);
        if (row.references != 0 || row.unreferenced_since_s == since_s) return;
        row.unreferenced_since_s = since_s;
    }
    enqueue(id, store_time_s);
}

void BlobTable::set_damaged(BlobId id) {
    Row& row = rows_.change(id.value);
    const std::unique_lock lock{shards_[shard_number(row)].mutex};
    ORB_ASSERT((row.flags & kInUse) != 0);
    if ((row.flags & kDamaged) == 0) damaged_.fetch_add(1, std::memory_order_relaxed);
    row.flags = static_cast<std::uint16_t>(row.flags | kDamaged);
}

void BlobTable::clear_damaged(BlobId id) {
    Row& row = rows_.change(id.value);
    const std::unique_lock lock{shards_[shard_number(row)].mutex};
    ORB_ASSERT((row.flags & kInUse) != 0);
    if ((row.flags & kDamaged) != 0) damaged_.fetch_sub(1, std::memory_order_relaxed);
    row.flags = static_cast<std::uint16_t>(row.flags & ~kDamaged);
}

void BlobTable::hold(BlobId id) {
    Row& row = rows_.change(id.value);
    const std::unique_lock lock{shards_[shard_number(row)].mutex};
    ORB_ASSERT((row.flags & kInUse) != 0 && row.references != UINT32_MAX);
    if (row.references++ == 0) unreferenced_.fetch_sub(1, std::memory_order_relaxed);
}

void BlobTable::release(BlobId id, std::uint64_t store_time_s) {
    {
        Row& row = rows_.change(id.value);
        const std::unique_lock lock{shards_[shard_number(row)].mutex};
        ORB_ASSERT((row.flags & kInUse) != 0 && row.references > 0);
        if (--row.references != 0) return;
        row.unreferenced_since_s = static_cast<std::uint32_t>(store_time_s);
        unreferenced_.fetch_add(1, std::memory_order_relaxed);
    }
    enqueue(id, store_time_s);
}

// Outside of the shard's lock: cleaning the queue asks rows, of any shard.
void BlobTable::enqueue(BlobId id, std::uint64_t store_time_s) {
    constexpr std::uint64_t kSlack = 4 * UnreferencedQueue::kBlockEntries;
    constexpr std::size_t kCleanedPerBlock = 4;
    const bool fresh_block = queue_.push({static_cast<std::uint32_t>(store_time_s), id.value});
    if (!fresh_block || queue_.size() <= 2 * unreferenced() + kSlack) return;
    queue_.clean_some(kCleanedPerBlock, [this](const UnreferencedQueue::Entry& entry) {
        return is_unreferenced_since(entry);
    });
}

bool BlobTable::is_unreferenced_since(const UnreferencedQueue::Entry& entry) const {
    const auto blob = get(BlobId{entry.blob});
    return blob && blob->references == 0 && blob->unreferenced_since_s == entry.since_s;
}

void BlobTable::derive() {
    std::vector<UnreferencedQueue::Entry> entries;
    free_ids_.clear();
    free_marks_.assign(free_marks_.size(), false);
    for (std::uint32_t id = end_id_.load(std::memory_order_relaxed) - 1; id > 0; --id) {
        const Row& row = rows_.at(id);
        if ((row.flags & kInUse) == 0) {
            free_id(id);
        } else if (row.references == 0) {
            entries.push_back({row.unreferenced_since_s, id});
        }
    }
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
        return std::pair{a.since_s, a.blob} < std::pair{b.since_s, b.blob};
    });
    queue_.clear();
    for (const auto& entry : entries) queue_.push(entry);
    unreferenced_.store(entries.size(), std::memory_order_relaxed);
}

const std::array<std::byte, 32>& BlobTable::rest_of_sha512(std::uint32_t id, const Row& row) const {
    return shards_[shard_number(row)].sha512_rest.at(id);
}

void BlobTable::load_row(std::uint32_t id, const Row& row, ByteView rest) {
    rows_.grow(id + 1);
    rows_.change(id) = row;
    if (!rest.empty()) {
        auto& kept = shards_[shard_number(row)].sha512_rest[id];
        std::copy(rest.begin(), rest.end(), kept.begin());
    }
    end_id_.store(id + 1, std::memory_order_release);
    next_id_ = id + 1;
    blobs_.fetch_add(1, std::memory_order_relaxed);
    bytes_.fetch_add(row.size_low | std::uint64_t{row.size_high} << 32, std::memory_order_relaxed);
    if ((row.flags & kDamaged) != 0) damaged_.fetch_add(1, std::memory_order_relaxed);
    space_.add(extent_of(row));
}

bool BlobTable::index_loaded_rows() {
    const std::uint32_t end = end_id_.load(std::memory_order_relaxed);
    std::array<std::size_t, kShards> counts{};
    for (std::uint32_t id = 1; id < end; ++id) {
        if (const Row* row = row_in_use(id)) ++counts[shard_number(*row)];
    }
    for (std::uint32_t i = 0; i < kShards; ++i) shards_[i].make_room(counts[i]);
    // The index is far larger than a cache, and each row goes to a place of its own: without a look ahead most of the
    // time is spent waiting for memory.
    constexpr std::uint32_t kAhead = 16;
    for (std::uint32_t id = 1; id < end; ++id) {
        if (end - id > kAhead) {
            const Row& ahead = rows_.at(id + kAhead);
            shards_[shard_number(ahead)].prefetch(ahead);
        }
        const Row* row = row_in_use(id);
        if (row != nullptr && !shards_[shard_number(*row)].place_new(rows_, *row, id)) return false;
    }
    return true;
}

const BlobTable::Row* BlobTable::row_in_use(std::uint32_t id) const noexcept {
    if (id >= end_id_.load(std::memory_order_relaxed)) return nullptr;
    const Row& row = rows_.at(id);
    return (row.flags & kInUse) != 0 ? &row : nullptr;
}

bool BlobTable::for_each_from(BlobId first, std::uint32_t count,
                              const std::function<void(const BlobView&)>& visit) const {
    const std::uint32_t end = end_id_.load(std::memory_order_acquire);
    const std::uint64_t last = std::min<std::uint64_t>(end, std::uint64_t{first.value} + count);
    for (std::uint64_t id = std::max<std::uint32_t>(first.value, 1); id < last; ++id) {
        const Row& row = rows_.at(static_cast<std::uint32_t>(id));
        if ((row.flags & kInUse) == 0) continue;
        visit(view(BlobId{static_cast<std::uint32_t>(id)}, row, shards_[shard_number(row)]));
    }
    return last < end;
}

std::optional<PinnedBlob> BlobTable::pin_extent(BlobId id, std::uint64_t uid) {
    if (id.value == 0 || id.value >= end_id_.load(std::memory_order_acquire)) return std::nullopt;
    const Row& row = rows_.at(id.value);
    if ((row.flags & kInUse) == 0 || row.uid != uid) return std::nullopt;
    const std::uint32_t number = shard_number(row);
    Shard& shard = shards_[number];
    const std::unique_lock lock{shard.mutex};
    BlobView blob = view(id, row, shard);
    ++shard.pins[blob.extent];
    Pin pin{*this, number, blob.extent};
    return PinnedBlob{std::move(blob), std::move(pin)};
}

void BlobTable::for_each(const std::function<void(const BlobView&)>& visit) const {
    for (std::uint32_t id = 1; id < end_id_.load(std::memory_order_acquire); ++id) {
        const Row& row = rows_.at(id);
        if ((row.flags & kInUse) != 0) visit(view(BlobId{id}, row, shards_[shard_number(row)]));
    }
}

}  // namespace orbitalreg::cas
