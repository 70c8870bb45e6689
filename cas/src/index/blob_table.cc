#include "index/blob_table.h"

#include "base/assert.h"
#include "base/checksum.h"

#include <algorithm>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>
#include <vector>

namespace orbitalreg::cas {
namespace {

constexpr std::uint16_t kInUse = 1;
constexpr std::uint16_t kInLane = 2;
constexpr std::uint16_t kDamaged = 4;
constexpr std::uint16_t kSha512 = 8;

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

    static std::uint64_t prefix(const Row& row) noexcept {
        return load_le<std::uint64_t>(row.digest.data());
    }

    bool matches(const Row& row, std::uint32_t id, const Digest& digest) const noexcept {
        const ByteView hash = digest.hash();
        const bool sha512 = digest.algorithm() == DigestAlgorithm::sha512;
        if (((row.flags & kSha512) != 0) != sha512) return false;
        if (!std::equal(row.digest.begin(), row.digest.end(), hash.begin())) return false;
        return !sha512 || std::ranges::equal(sha512_rest.at(id), hash.subspan(32));
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
};

Pin::~Pin() {
    if (table_ != nullptr) table_->unpin(shard_, extent_);
}

BlobTable::BlobTable() : shards_{std::make_unique<Shard[]>(kShards)} {}
BlobTable::~BlobTable() = default;

std::uint32_t BlobTable::shard_number(const Digest& digest) noexcept {
    return static_cast<std::uint32_t>(digest.prefix() % kShards);
}

std::uint32_t BlobTable::shard_number(const Row& row) const noexcept {
    return static_cast<std::uint32_t>(Shard::prefix(row) % kShards);
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
    view.extent.in_lane = (row.flags & kInLane) != 0;
    view.extent.file = row.file;
    view.extent.position = row.position;
    view.extent.size_bytes = row.size_low | std::uint64_t{row.size_high} << 32;
    view.extent.uid = row.uid;
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
    const Shard& shard = shards_[shard_number(row)];
    const std::shared_lock lock{shard.mutex};
    if ((row.flags & kInUse) == 0) return std::nullopt;
    return view(id, row, shard);
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

BlobId BlobTable::allocate_id() noexcept { return BlobId{next_id_++}; }

void BlobTable::set_extent(Row& row, const Extent& extent) noexcept {
    row.uid = extent.uid;
    row.file = extent.file;
    row.position = extent.position;
    row.size_low = static_cast<std::uint32_t>(extent.size_bytes);
    row.size_high = static_cast<std::uint16_t>(extent.size_bytes >> 32);
    row.flags = static_cast<std::uint16_t>((row.flags & ~kInLane) | (extent.in_lane ? kInLane : 0));
}

void BlobTable::insert(BlobId id, const Digest& digest, const Extent& extent,
                       std::uint64_t store_time_s) {
    ORB_ASSERT(id.value != 0 && id.value != UINT32_MAX);
    rows_.grow(id.value + 1);
    next_id_ = std::max(next_id_, id.value + 1);
    Shard& shard = shards_[shard_number(digest)];
    const std::unique_lock lock{shard.mutex};
    ORB_ASSERT(shard.find(rows_, digest) == 0);
    Row& row = rows_.change(id.value);
    ORB_ASSERT((row.flags & kInUse) == 0);
    const ByteView hash = digest.hash();
    std::copy_n(hash.begin(), 32, row.digest.begin());
    row.flags = kInUse;
    if (digest.algorithm() == DigestAlgorithm::sha512) {
        row.flags = kInUse | kSha512;
        auto& rest = shard.sha512_rest[id.value];
        std::copy_n(hash.begin() + 32, 32, rest.begin());
    }
    set_extent(row, extent);
    row.references = 0;
    row.unreferenced_since_s = static_cast<std::uint32_t>(store_time_s);
    shard.add(rows_, digest.prefix(), id.value);
    end_id_.store(std::max(end_id_.load(std::memory_order_relaxed), id.value + 1),
                  std::memory_order_release);
    blobs_.fetch_add(1, std::memory_order_relaxed);
    bytes_.fetch_add(extent.size_bytes, std::memory_order_relaxed);
}

void BlobTable::replace_extent(BlobId id, const Extent& extent) {
    Row& row = rows_.change(id.value);
    const std::unique_lock lock{shards_[shard_number(row)].mutex};
    ORB_ASSERT((row.flags & kInUse) != 0);
    set_extent(row, extent);
    if ((row.flags & kDamaged) != 0) damaged_.fetch_sub(1, std::memory_order_relaxed);
    row.flags = static_cast<std::uint16_t>(row.flags & ~kDamaged);
}

void BlobTable::set_damaged(BlobId id) {
    Row& row = rows_.change(id.value);
    const std::unique_lock lock{shards_[shard_number(row)].mutex};
    ORB_ASSERT((row.flags & kInUse) != 0);
    if ((row.flags & kDamaged) == 0) damaged_.fetch_add(1, std::memory_order_relaxed);
    row.flags = static_cast<std::uint16_t>(row.flags | kDamaged);
}

void BlobTable::hold(BlobId id) {
    Row& row = rows_.change(id.value);
    const std::unique_lock lock{shards_[shard_number(row)].mutex};
    ORB_ASSERT((row.flags & kInUse) != 0 && row.references != UINT32_MAX);
    ++row.references;
}

void BlobTable::release(BlobId id, std::uint64_t store_time_s) {
    Row& row = rows_.change(id.value);
    const std::unique_lock lock{shards_[shard_number(row)].mutex};
    ORB_ASSERT((row.flags & kInUse) != 0 && row.references > 0);
    if (--row.references == 0) row.unreferenced_since_s = static_cast<std::uint32_t>(store_time_s);
}

void BlobTable::for_each(const std::function<void(const BlobView&)>& visit) const {
    for (std::uint32_t id = 1; id < end_id_.load(std::memory_order_acquire); ++id) {
        const Row& row = rows_.at(id);
        if ((row.flags & kInUse) != 0) visit(view(BlobId{id}, row, shards_[shard_number(row)]));
    }
}

}  // namespace orbitalreg::cas
