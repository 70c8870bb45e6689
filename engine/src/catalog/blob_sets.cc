#include "catalog/blob_sets.h"

namespace orbitalreg::engine {

std::size_t BlobSets::total() const noexcept {
    std::size_t ids = 0;
    for (const auto& chunk : chunks_) {
        if (!chunk) continue;
        for (const auto& set : *chunk) ids += set.size();
    }
    return ids;
}

std::uint64_t BlobSets::memory_bytes() const noexcept {
    return chunks_.capacity() * sizeof(chunks_[0]) + chunk_count_ * sizeof(Chunk);
}

}  // namespace orbitalreg::engine
