#pragma once
// LogRemains visits every genuine frame that is left of the log, in the order of the log, whether the chain between them holds
// or not: a frame's checksums are seeded by its segment and offset, so that it vouches for itself.
//
// Threads  one; blocking.
// Memory   one window of LogSegmentReader.
// Errors   Errc::version_unsupported never: a frame of a newer version counts as unreadable. What the device does not
//          read is passed.

#include "base/result.h"
#include "cas/io.h"
#include "log/frame_scanner.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace orbitalreg::cas {

class LogRemains {
public:
    struct Gap {  // LSNs that no frame has
        std::uint64_t first = 0;
        std::uint64_t last = 0;
    };

    LogRemains(Io& io, const LogIdentity& identity, FrameScanner::Limits limits) noexcept
        : io_{io}, identity_{identity}, limits_{limits} {}

    // `visit` sees each frame, in the order of LSNs.
    Result<void> visit(const std::function<void(const ScannedFrame&)>& visit);

    // Of the last visit.
    const ChainEnd& end() const noexcept { return end_; }  // lsn 0: there was no frame
    std::uint64_t frames() const noexcept { return frames_; }
    // The highest id of a file, 0: none.
    std::uint32_t last_segment() const noexcept { return last_segment_; }
    // Behind `lsn`.
    std::vector<Gap> gaps_behind(std::uint64_t lsn) const;

private:
    void visit_segment(std::uint32_t segment,
                       const std::function<void(const ScannedFrame&)>& visit);
    bool counts(const FrameHeader& header) const noexcept;
    void note(const ScannedFrame& frame);

    Io& io_;
    const LogIdentity identity_;
    const FrameScanner::Limits limits_;
    ChainEnd end_;
    std::uint64_t frames_ = 0;
    std::uint32_t last_segment_ = 0;
    std::vector<Gap> runs_;  // LSNs that frames have, contiguous ones together
};

}  // namespace orbitalreg::cas
