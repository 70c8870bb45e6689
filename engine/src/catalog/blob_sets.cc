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
    std::uint64_t bytes = chunks_.capacity() * sizeof(chunks_[0]);
    for (const auto& chunk : chunks_) {
        if (!chunk) continue;
        bytes += sizeof *chunk;
        for (const auto& set : *chunk) bytes += set.heap_bytes();
    }
    return bytes;
}

}  // namespace orbitalreg::engine
