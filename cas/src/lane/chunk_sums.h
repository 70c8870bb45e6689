#pragma once
// ChunkSums makes the checksums of an upload's 64 KiB chunks while its bytes stream by from the
// socket. It never sees bytes read back from the disk, but for those of an open chunk that were
// compared with its sum before.
//
// Threads  one at a time.

#include "base/bytes.h"
#include "base/checksum.h"

#include <cstdint>
#include <span>
#include <vector>

namespace orbitalreg::cas {

class ChunkSums {
public:
    explicit ChunkSums(std::uint64_t uid);

    void update(ByteView bytes) noexcept;
    // Goes on behind a mark: `open` are the bytes of the chunk that `offset` lies in.
    void resume(std::uint64_t offset, ByteView open) noexcept;
    // What was filled so far is in the log now.
    void forget_filled() noexcept;

    // Sum of the chunk that is being filled; of an empty one the sum of no bytes.
    std::uint64_t open_sum() const noexcept { return open_.value(); }
    // Sums of filled chunks, from chunk number first() on.
    std::span<const std::uint64_t> filled() const noexcept { return filled_; }
    std::uint64_t first() const noexcept { return first_; }
    std::uint64_t offset() const noexcept { return offset_; }

private:
    std::uint64_t chunk_seed_of(std::uint64_t chunk) const noexcept;

    const std::uint64_t uid_;
    std::uint64_t offset_ = 0;
    std::uint64_t first_ = 0;
    std::vector<std::uint64_t> filled_;
    StreamingChecksum64 open_;
};

}  // namespace orbitalreg::cas
