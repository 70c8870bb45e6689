#pragma once
// How large the log may become, without its spares: twice what is live in it, since segments that are less than half live
// are relocated; twice the interval of checkpoints, of which one is behind the last checkpoint while the next is made; and
// the ends of it.

#include "log/commit_log.h"
#include "space/space_table.h"

#include <cstdint>

namespace orbitalreg::cas {

inline constexpr std::uint64_t kLogEndSegments = 4;

inline std::uint64_t log_limit_bytes(const LogStats& log, std::uint64_t segment_size_bytes,
                                     const LiveSpace& live) noexcept {
    return 2 * live.log_bytes() + 2 * log.checkpoint_interval_bytes +
           kLogEndSegments * segment_size_bytes;
}

// From here on the log stays within its limit until a checkpoint has been made: with an interval of growth, half of one
// while the checkpoint is made, and two segments.
inline std::uint64_t log_calm_bytes(const LogStats& log, std::uint64_t segment_size_bytes,
                                    const LiveSpace& live) noexcept {
    return 2 * live.log_bytes() + log.checkpoint_interval_bytes / 2 + 2 * segment_size_bytes;
}

// Where compaction is woken: what is pushed until it has given something back fits between this and the limit.
inline std::uint64_t log_wake_bytes(std::uint64_t limit_bytes,
                                    std::uint64_t segment_size_bytes) noexcept {
    return limit_bytes - kLogEndSegments / 2 * segment_size_bytes;
}

// New uploads wait above this: relocation does not keep up.
inline std::uint64_t log_refusal_bytes(std::uint64_t limit_bytes) noexcept {
    return limit_bytes + limit_bytes / 2;
}

}  // namespace orbitalreg::cas
