#pragma once
// BlobTable finds a blob by its digest and keeps its row: where the bytes are, how many references hold it.
//
// Threads  find(), pin() from any thread; the functions that change rows on the sequencer only. A shard's lock is held
//          for one look-up or one change.
// Memory   64 bytes a row, 5 bytes a slot of the index at a load of at most 3/4. sha512 has 32 bytes more beside it.
// I1       a row is in the index if and only if it is in use.
// I2       an extent with a pin is not given back: erase() moves it to the condemned list until its pins are gone.

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <unordered_map>
#include <vector>

#include "base/digest.h"
#include "cas/references.h"
#include "index/extent.h"

namespace orbitalreg::cas {

struct BlobView {  // a copy of a row
    BlobId id;
    Digest digest;
    Extent extent;
    std::uint32_t references = 0;
    bool damaged = false;
    std::uint32_t unreferenced_since_s = 0;  // store time; of commit, or of the last release
};

class BlobTable;

// Pin keeps the bytes of one extent in place. Move-only.
class Pin {
public:
    Pin() = default;
    Pin(Pin&& other) noexcept : table_{other.table_}, extent_{other.extent_} { other.table_ = nullptr; }
    Pin& operator=(Pin&& other) noexcept {
        std::swap(table_, other.table_);
        std::swap(extent_, other.extent_);
        return *this;
    }
    Pin(const Pin&) = delete;
    Pin& operator=(const Pin&) = delete;
    ~Pin();

private:
    friend class BlobTable;
    Pin(BlobTable& table, const Extent& extent) noexcept : table_{&table}, extent_{extent} {}
    BlobTable* table_ = nullptr;
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
    std::optional<BlobView> get(BlobId id) const;
    // Look-up and pin in one step; none for an unknown or a damaged blob.
    std::optional<PinnedBlob> pin(const Digest& digest);

    // Sequencer only. allocate_id() reserves an id for a frame that is being built; it is used by insert() or given back.
    BlobId allocate_id();
    void free_id(BlobId id);
    void insert(BlobId id, const Digest& digest, const Extent& extent, std::uint64_t store_time_s);
    // The damaged or relocated row gets a new extent; the old one is condemned.
    void replace_extent(BlobId id, const Extent& extent);
    void set_damaged(BlobId id, bool damaged);
    void erase(BlobId id);
    void hold(BlobId id);
    void release(BlobId id, std::uint64_t store_time_s);

    std::uint64_t size() const noexcept { return blobs_.load(std::memory_order_relaxed); }
    std::uint64_t bytes() const noexcept { return bytes_.load(std::memory_order_relaxed); }
    std::uint64_t damaged() const noexcept { return damaged_.load(std::memory_order_relaxed); }
    // In order of id. Not while the sequencer runs, unless an approximate picture is enough.
    void for_each(const std::function<void(const BlobView&)>& visit) const;

private:
    friend class Pin;
    struct Row;
    struct Shard;

    Shard& shard_of(const Digest& digest) const noexcept;
    void unpin(const Extent& extent) noexcept;
    Row& row(BlobId id) const noexcept;
    BlobView view(BlobId id, const Row& row) const;
    Digest digest_of(BlobId id, const Row& row) const;

    static constexpr std::uint32_t kShards = 64;
    static constexpr std::uint32_t kRowsPerChunk = 65536;
    static constexpr std::uint32_t kChunksMax = 65536;

    std::unique_ptr<std::atomic<Row*>[]> chunks_;  // never moved once set
    std::unique_ptr<Shard[]> shards_;
    std::uint32_t next_id_ = 1;
    std::vector<std::uint32_t> free_ids_;
    mutable std::shared_mutex sha512_mutex_;
    std::unordered_map<std::uint32_t, std::array<std::byte, 32>> sha512_rest_;  // by id: the second half of the hash

    std::atomic<std::uint64_t> blobs_{0};
    std::atomic<std::uint64_t> bytes_{0};
    std::atomic<std::uint64_t> damaged_{0};
};

}  // namespace orbitalreg::cas
