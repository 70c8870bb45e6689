#pragma once
// BlobTable finds a blob by its digest and keeps its row: where the bytes are, how many references hold it.
//
// Threads  find(), pin() from any thread; the functions that change rows on the sequencer only. A shard's lock is held
//          for one look-up or one change.
// Memory   64 bytes a row, 5 bytes a slot of the index at a load of at most 3/4. sha512 has 32 bytes more beside it.
// I1       a row is in the index if and only if it is in use.
// I2       a pin is taken in the same critical section as the look-up, and belongs to one extent.

#include "base/digest.h"
#include "cas/references.h"
#include "index/extent.h"
#include "index/row_table.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

namespace orbitalreg::cas {

struct BlobView {  // a copy of a row
    BlobId id;
    Digest digest;
    Extent extent;
    std::uint32_t references = 0;
    bool damaged = false;
    std::uint32_t unreferenced_since_s = 0;  // store time of the commit, or of the last release
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
    BlobTable();
    ~BlobTable();

    std::optional<BlobView> find(const Digest& digest) const;
    // The row of an id that something the caller holds keeps in use (a reference, a pin).
    std::optional<BlobView> get(BlobId id) const;
    // Look-up and pin in one step; none for an unknown or a damaged blob.
    std::optional<PinnedBlob> pin(const Digest& digest);
    // Extents with at least one pin.
    std::uint64_t pinned_extents() const;

    // Sequencer only. allocate_id() reserves an id for a frame that is being built; insert() uses it.
    BlobId allocate_id() noexcept;
    void insert(BlobId id, const Digest& digest, const Extent& extent, std::uint64_t store_time_s);
    // A damaged row gets new bytes and is sound again.
    void replace_extent(BlobId id, const Extent& extent);
    void set_damaged(BlobId id);
    void hold(BlobId id);
    void release(BlobId id, std::uint64_t store_time_s);

    std::uint64_t size() const noexcept { return blobs_.load(std::memory_order_relaxed); }
    std::uint64_t bytes() const noexcept { return bytes_.load(std::memory_order_relaxed); }
    std::uint64_t damaged() const noexcept { return damaged_.load(std::memory_order_relaxed); }
    // In order of id. Not while the sequencer runs.
    void for_each(const std::function<void(const BlobView&)>& visit) const;

private:
    friend class Pin;
    struct Row {
        std::array<std::byte, 32> digest;  // of sha512 the rest is in the shard's side table
        std::uint64_t uid;
        std::uint32_t file;
        std::uint32_t position;
        std::uint32_t size_low;
        std::uint16_t size_high;
        std::uint16_t flags;
        std::uint32_t references;
        std::uint32_t unreferenced_since_s;
    };
    static_assert(sizeof(Row) == 64);
    struct Shard;

    static constexpr std::uint32_t kShards = 64;
    static std::uint32_t shard_number(const Digest& digest) noexcept;
    std::uint32_t shard_number(const Row& row) const noexcept;

    BlobView view(BlobId id, const Row& row, const Shard& shard) const;
    void unpin(std::uint32_t shard, const Extent& extent) noexcept;
    static void set_extent(Row& row, const Extent& extent) noexcept;

    RowTable<Row> rows_;
    std::unique_ptr<Shard[]> shards_;
    std::uint32_t next_id_ = 1;
    std::atomic<std::uint32_t> end_id_{1};  // ids below it were inserted or reserved

    std::atomic<std::uint64_t> blobs_{0};
    std::atomic<std::uint64_t> bytes_{0};
    std::atomic<std::uint64_t> damaged_{0};
};

}  // namespace orbitalreg::cas
