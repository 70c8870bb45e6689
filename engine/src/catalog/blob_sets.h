#pragma once
// BlobSets gives each blob an IdSet, by its id. Blob ids are row numbers, dense from zero up, so
// that a row of 8 bytes each, in chunks that never move, is smaller and quicker than any map.
//
// Threads  as a plain value.

#include "cas/references.h"
#include "catalog/id_set.h"

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

namespace orbitalreg::engine {

class BlobSets {
public:
    // The set of a blob nobody has asked to change is empty.
    const IdSet& of(cas::BlobId blob) const noexcept {
        static const IdSet kEmpty;
        const auto* chunk = chunk_of(blob);
        return chunk == nullptr ? kEmpty : (*chunk)[blob.value % kChunkRows];
    }
    IdSet& change(cas::BlobId blob) {
        const auto number = blob.value / kChunkRows;
        if (number >= chunks_.size()) chunks_.resize(number + 1);
        if (!chunks_[number]) {
            chunks_[number] = std::make_unique<Chunk>();
            ++chunk_count_;
        }
        return (*chunks_[number])[blob.value % kChunkRows];
    }

    // Above the id of every set that is not empty.
    std::uint32_t end_id() const noexcept {
        return static_cast<std::uint32_t>(chunks_.size()) * kChunkRows;
    }
    // Ids in all sets.
    std::size_t total() const noexcept;
    // Of the rows; without what large sets keep on the heap.
    std::uint64_t memory_bytes() const noexcept;

private:
    static constexpr std::uint32_t kChunkRows = 4096;
    using Chunk = std::array<IdSet, kChunkRows>;

    const Chunk* chunk_of(cas::BlobId blob) const noexcept {
        const auto number = blob.value / kChunkRows;
        return number < chunks_.size() ? chunks_[number].get() : nullptr;
    }

    std::vector<std::unique_ptr<Chunk>> chunks_;
    std::uint64_t chunk_count_ = 0;
};

}  // namespace orbitalreg::engine
