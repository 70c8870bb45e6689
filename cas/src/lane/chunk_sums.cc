#include "lane/chunk_sums.h"

#include "base/planted_bug.h"
#include "format/address.h"
#include "format/lane_record.h"

#include <algorithm>

namespace orbitalreg::cas {

ChunkSums::ChunkSums(std::uint64_t uid) : uid_{uid}, open_{chunk_seed(uid, 0)} {}

std::uint64_t ChunkSums::chunk_seed_of(std::uint64_t chunk) const noexcept {
    return chunk_seed(uid_, chunk);
}

void ChunkSums::update(ByteView bytes) noexcept {
    while (!bytes.empty()) {
        const std::size_t left = static_cast<std::size_t>(kChunkSize - offset_ % kChunkSize);
        const ByteView piece = bytes.first(std::min(left, bytes.size()));
        open_.update(piece);
        offset_ += piece.size();
        bytes = bytes.subspan(piece.size());
        if (offset_ % kChunkSize == 0) {
            filled_.push_back(open_.value());
            open_.reset(chunk_seed_of(offset_ / kChunkSize));
        }
    }
}

void ChunkSums::resume(std::uint64_t offset, ByteView open) noexcept {
    offset_ = offset;
    first_ = offset / kChunkSize;
    filled_.clear();
    open_.reset(chunk_seed_of(first_));
    open_.update(open);
}

void ChunkSums::forget_filled() noexcept {
    first_ += filled_.size();
    filled_.clear();
}

}  // namespace orbitalreg::cas
