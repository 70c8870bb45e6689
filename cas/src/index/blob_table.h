#pragma once
// BlobTable finds a blob by its digest and keeps its row: where the bytes are, how many references hold it.
//
// Threads  find(), pin() from any thread; the functions that change rows on the sequencer only. A shard's lock is held
//          for one look-up or one change.
// Memory   64 bytes a row, 5 bytes a slot of the index at a load of at most 3/4. sha512 has 32 bytes more beside it;
//          8 bytes a blob without references, 40 an extent that is condemned.
// Limits   kCondemnedMax extents; what is condemned beyond is forgotten here, and found again by whoever compares files
//          with rows.
// I1       a row is in the index if and only if it is in use.
// I2       a pin is taken in the same critical section as the look-up, and belongs to one extent.
// I3       a row that is in use and has no references is in the queue, under the time since which it has none.
// I4       an extent that left its row is on the condemned list until take_condemned() hands it out, unpinned.
// I5       the digest of a row changes only under the locks of the shards of the old and of the new one.
// Stored   all of a row but its count of references, which the catalog's rows say again. Whoever writes to a row has it
//          from RowTable::change(), which keeps the old image for a checkpoint that is on its way.

#include "base/digest.h"
#include "base/result.h"
#include "cas/checkpoint.h"
#include "cas/references.h"
#include "cas/walked_table.h"
#include "index/extent.h"
#include "index/row_table.h"
#include "index/unreferenced_queue.h"
#include "space/space_table.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace orbitalreg::cas {

struct BlobView {  // a copy of a row
    BlobId id;
    Digest digest;
    Extent extent;
    std::uint32_t references = 0;
    bool damaged = false;
    // Store time of the commit, of the last release or of the last lease, rounded up to seconds.
    std::uint32_t unreferenced_since_s = 0;
};

// CondemnedExtent has left its row: its bytes are dead once no pin is on them.
struct CondemnedExtent {
    Extent extent;
    std::uint32_t since_s = 0;  // store time
    bool damaged = false;       // kept for a while, so that somebody may look at it
    friend bool operator==(const CondemnedExtent&, const CondemnedExtent&) = default;
};

class BlobTable;

// Pin keeps the bytes of one extent in place. Move-only.
class Pin {
public:
    Pin() = default;
    Pin(Pin&& other) noexcept
        : table_{std::exchange(other.table_, nullptr)},
          shard_{other.shard_},
          extent_{other.extent_} {}
    Pin& operator=(Pin&& other) noexcept {
        std::swap(table_, other.table_);
        std::swap(shard_, other.shard_);
        std::swap(extent_, other.extent_);
        return *this;
    }
    Pin(const Pin&) = delete;
    Pin& operator=(const Pin&) = delete;
    ~Pin();

private:
    friend class BlobTable;
    Pin(BlobTable& table, std::uint32_t shard, const Extent& extent) noexcept
        : table_{&table}, shard_{shard}, extent_{extent} {}
    BlobTable* table_ = nullptr;
    std::uint32_t shard_ = 0;
    Extent extent_;
};

struct PinnedBlob {
    BlobView blob;
    Pin pin;
};

class BlobTable {
public:
    static constexpr std::uint64_t kCondemnedMax = 1'000'000;

    BlobTable();
    ~BlobTable();

    std::optional<BlobView> find(const Digest& digest) const;
    // The row of an id that something the caller holds keeps in use (a reference, a pin).
    std::optional<BlobView> get(BlobId id) const;
    // Look-up and pin in one step; none for an unknown or a damaged blob.
    std::optional<PinnedBlob> pin(const Digest& digest);
    // Extents with at least one pin.
    std::uint64_t pinned_extents() const;
    // Adds the log segments that they lie in, and those of damaged extents that are kept for a while.
    void add_held_segments(std::set<std::uint32_t>& segments) const;

    // Extents that are dead: condemned, not pinned; damaged ones only when condemned at `damaged_before_s` or earlier.
    // At most `count_max`; they are forgotten here. Any thread.
    std::vector<CondemnedExtent> take_condemned(std::size_t count_max,
                                                std::uint32_t damaged_before_s);
    std::uint64_t condemned() const noexcept { return condemned_.load(std::memory_order_relaxed); }

    // Sequencer only. allocate_id() reserves an id for a frame that is being built, a free one first; insert() uses it.
    BlobId allocate_id() noexcept;
    void insert(BlobId id, const Digest& digest, const Extent& extent, std::uint64_t store_time_s);
    // The row leaves; its id is free and its extent condemned.
    void remove(BlobId id, std::uint64_t store_time_s);
    // A damaged row gets new bytes and is sound again; its grace starts anew.
    void replace_extent(BlobId id, const Extent& extent, std::uint64_t store_time_s);
    // The same bytes elsewhere: nothing else of the row changes.
    void move_extent(BlobId id, const Extent& extent, std::uint64_t store_time_s);
    void set_damaged(BlobId id);
    // The row's extent verified: it is sound again.
    void clear_damaged(BlobId id);
    void hold(BlobId id);
    void release(BlobId id, std::uint64_t store_time_s);
    // The grace of a row without references starts anew.
    void renew_grace(BlobId id, std::uint64_t store_time_s);
    // What rows imply and nothing stores: the queue and the free ids. After rows were loaded and their references counted.
    void derive();

    // Blobs without references, in the order in which that began. Entries may be stale: see is_unreferenced_since().
    UnreferencedQueue& unreferenced_queue() noexcept { return queue_; }
    bool is_unreferenced_since(const UnreferencedQueue::Entry& entry) const;

    // The rows by id, table 1 of a checkpoint; and {id, references} of every row, which a recount walks beside it.
    CheckpointTable& checkpoint_table() noexcept { return stored_; }
    CheckpointTable& count_table() noexcept { return counts_; }
    // Rows of a checkpoint, one of which says an id that the store cannot have given out, or that is out of order, are
    // refused before memory is taken for it. Set before they are loaded; without it every id is as good as another.
    std::function<bool(BlobId)> id_plausible;
    // Called once they are: ids of blobs are below `end`.
    std::function<void(BlobId end)> on_loaded;
    // While a checkpoint is loaded, all rows being there: one reference more. False for an id that names no blob.
    bool load_reference(BlobId id) noexcept;

    std::uint64_t size() const noexcept { return blobs_.load(std::memory_order_relaxed); }
    std::uint64_t bytes() const noexcept { return bytes_.load(std::memory_order_relaxed); }
    std::uint64_t damaged() const noexcept { return damaged_.load(std::memory_order_relaxed); }
    std::uint64_t unreferenced() const noexcept {
        return unreferenced_.load(std::memory_order_relaxed);
    }
    // What is live in each file: the rows' share of it changes with them.
    SpaceTable& space() noexcept { return space_; }
    const SpaceTable& space() const noexcept { return space_; }

    // Rows of ids in [first, first + count), in order of id; the first id behind them, 0 at the end. Sequencer only:
    // the lanes' live extents, without a look at digests.
    std::uint32_t visit_extents(std::uint32_t first, std::uint32_t count,
                                const std::function<void(BlobId, const Extent&)>& visit) const;
    // Every extent with a pin, whether a row still names it or not.
    void for_each_pinned(const std::function<void(const Extent&)>& visit) const;
    // Every extent that was not taken from the condemned list yet.
    void for_each_condemned(const std::function<void(const Extent&)>& visit) const;
    // In order of id. Not while the sequencer runs.
    void for_each(const std::function<void(const BlobView&)>& visit) const;
    // Equal for equal rows, references included.
    std::uint64_t fingerprint() const;
    // The rows in use among `count` ids from `first` on; false when there are no ids behind them. Sequencer only.
    bool for_each_from(BlobId first, std::uint32_t count,
                       const std::function<void(const BlobView&)>& visit) const;
    // A pin on a row's extent, damaged or not; none when the row names another extent by now. Sequencer only.
    std::optional<PinnedBlob> pin_extent(BlobId id, std::uint64_t uid);

private:
    friend class Pin;
    struct Row {
        alignas(
            8) std::array<std::byte, 32> digest;  // of sha512 the rest is in the shard's side table
        std::uint64_t uid;
        std::uint32_t file;
        std::uint32_t position;
        std::uint32_t size_low;
        std::uint16_t size_high;
        std::uint16_t flags;  // kInUse, ...
        std::uint32_t references;
        std::uint32_t unreferenced_since_s;
    };
    static_assert(sizeof(Row) == 64);
    static constexpr std::uint16_t kInUse = 1;
    static constexpr std::uint16_t kInLane = 2;
    static constexpr std::uint16_t kDamaged = 4;
    static constexpr std::uint16_t kSha512 = 8;
    struct Shard;

    struct StoredRows {
        using Key = std::uint32_t;
        BlobTable* table;

        std::optional<Key> next(const std::optional<Key>& after) const noexcept;
        void encode(Key id, std::vector<std::byte>& row) const;
        Result<void> load(ByteView row) const;
        Result<void> loaded() const;
    };
    struct CountRows {
        using Key = std::uint32_t;
        BlobTable* table;

        std::optional<Key> next(const std::optional<Key>& after) const noexcept;
        void encode(Key id, std::vector<std::byte>& row) const;
        Result<void> load(ByteView row) const noexcept;
        Result<void> loaded() const noexcept { return ok(); }
    };

    static constexpr std::uint32_t kShards = 64;
    static std::uint32_t shard_number(const Digest& digest) noexcept;
    std::uint32_t shard_number(const Row& row) const noexcept;

    BlobView view(BlobId id, const Row& row, const Shard& shard) const;
    void unpin(std::uint32_t shard, const Extent& extent) noexcept;
    static void set_extent(Row& row, const Extent& extent) noexcept;
    static Extent extent_of(const Row& row) noexcept;
    void insert_row(BlobId id, const Digest& digest, const Extent& extent, std::uint32_t since_s);
    void condemn(Shard& shard, const Row& row, std::uint64_t store_time_s);
    void enqueue(BlobId id, std::uint64_t store_time_s);
    void free_id(std::uint32_t id);
    const std::array<std::byte, 32>& rest_of_sha512(std::uint32_t id, const Row& row) const;
    void load_row(std::uint32_t id, const Row& row, ByteView rest);
    bool index_loaded_rows();
    const Row* row_in_use(std::uint32_t id) const noexcept;
    std::optional<std::uint32_t> id_after(const std::optional<std::uint32_t>& id) const noexcept;

    RowTable<Row> rows_;
    SpaceTable space_;
    std::unique_ptr<Shard[]> shards_;
    std::uint32_t next_id_ = 1;
    std::atomic<std::uint32_t> end_id_{1};  // ids below it were inserted or reserved
    // Last freed, first used. Replay inserts under ids of its own choice: an id here counts only while it is marked.
    std::vector<std::uint32_t> free_ids_;
    std::vector<bool> free_marks_;
    UnreferencedQueue queue_;

    std::atomic<std::uint64_t> blobs_{0};
    std::atomic<std::uint64_t> bytes_{0};
    std::atomic<std::uint64_t> damaged_{0};
    std::atomic<std::uint64_t> unreferenced_{0};
    std::atomic<std::uint64_t> condemned_{0};

    WalkedTable<StoredRows> stored_{kBlobTable, StoredRows{this}};
    WalkedTable<CountRows> counts_{0, CountRows{this}};
};

}  // namespace orbitalreg::cas
