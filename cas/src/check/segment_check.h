#pragma once
// SegmentCheck holds the files of the log that rows and marks point into against these: each must be there, be the segment
// that its name says, and be long enough. Replay reads only what no checkpoint covers.
//
// Threads  one; blocking.

#include "cas/inspect.h"
#include "index/blob_table.h"
#include "log/log_segment.h"

#include <cstdint>

namespace orbitalreg::cas {

class SegmentCheck {
public:
    SegmentCheck(Io& io, const LogIdentity& identity, FsckReport& report) noexcept
        : io_{io}, identity_{identity}, report_{report} {}

    void run(const BlobTable& blobs);

private:
    void check(std::uint32_t segment, const LiveSpace& live);

    Io& io_;
    const LogIdentity& identity_;
    FsckReport& report_;
};

}  // namespace orbitalreg::cas
