#pragma once
// Recovery replays the log into the state and decides where it ends: at a torn tail, or in
// corruption.
//
// replay_log()      every frame behind `start` (of the checkpoint, else the first one) by the successor
//                   rule; each group applied once, after it was verified.
// check_log_end()   torn or corrupt: acknowledged frames behind the tail, or a clean stop above it,
//                   refuse the opening.
//
// Threads  the caller's; nothing else runs yet.

#include "base/log.h"
#include "base/result.h"
#include "cas/io.h"
#include "format/record.h"
#include "format/superblock.h"
#include "log/frame_scanner.h"

#include <cstdint>
#include <functional>

namespace orbitalreg::cas {

struct ReplayedLog {
    ChainEnd end;
    TailReason tail_reason = TailReason::empty;
    std::uint64_t frames = 0;
    std::uint64_t records = 0;
    std::uint64_t bytes = 0;  // of the frames
};

// Applies the records of one durable frame, group by group. `scratch` is reused between frames.
void apply_frame(FrameTarget& target, const FrameContext& frame,
                 std::span<const FrameRecord> records,
                 std::vector<AppliedRecord>& scratch) noexcept;

// `visit` sees each frame before it is applied; may be null.
Result<ReplayedLog> replay_log(Io& io, const Superblock& superblock, const ChainEnd& start,
                               FrameTarget& target, Log& log,
                               const std::function<void(const ScannedFrame&)>& visit = nullptr);

// Errc::log_corrupt, said once in the log with the LSNs that are damaged.
Result<void> check_log_end(Io& io, const Superblock& superblock, const ReplayedLog& replayed,
                           Log& log);

LogIdentity log_identity(const Superblock& superblock) noexcept;

}  // namespace orbitalreg::cas
