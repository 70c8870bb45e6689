#include "rebuild/log_remains.h"

#include "cas/errors.h"

#include <algorithm>

namespace orbitalreg::cas {

Result<void> LogRemains::visit(const std::function<void(const ScannedFrame&)>& visit) {
    end_ = {};
    frames_ = 0;
    runs_.clear();
    ORB_TRY(const auto names, io_.list("log"));
    std::vector<std::uint32_t> segments;
    for (const std::string& name : names) {
        if (const std::uint32_t segment = parse_log_segment_name(name); segment != 0)
            segments.push_back(segment);
    }
    std::ranges::sort(segments);
    for (const std::uint32_t segment : segments) visit_segment(segment, visit);
    last_segment_ = segments.empty() ? 0 : segments.back();
    return ok();
}

// As in recovery, the frames of a backup's original do not count.
bool LogRemains::counts(const FrameHeader& header) const noexcept {
    if (header.lsn <= end_.lsn) return false;
    return limits_.log_end_lsn == 0 || header.lsn <= limits_.log_end_lsn ||
           header.incarnation == limits_.incarnation;
}

void LogRemains::note(const ScannedFrame& frame) {
    const std::uint64_t lsn = frame.header.lsn;
    if (!runs_.empty() && runs_.back().last + 1 == lsn) {
        runs_.back().last = lsn;
    } else {
        runs_.push_back({lsn, lsn});
    }
    end_.advance(frame);
    ++frames_;
}

void LogRemains::visit_segment(std::uint32_t segment,
                               const std::function<void(const ScannedFrame&)>& visit) {
    LogSegmentReader reader{io_};
    if (!reader.open(segment)) return;
    for (std::uint64_t offset = kFirstFrameOffset; offset < reader.size_bytes();) {
        std::uint64_t step = kPageSize;
        const auto page = reader.read(offset, kPageSize);
        const auto header = page ? decode_frame_header(page.value(), segment, offset,
                                                       identity_.uuid, identity_.seed)
                                 : fail(page.error());
        if (header && header.value().size_bytes() <= kFrameSizeMax) {
            const auto size = static_cast<std::size_t>(header.value().size_bytes());
            const auto bytes = reader.read(offset, size);
            const bool intact = bytes && bytes.value().size() == size &&
                                frame_payload_intact(header.value(), bytes.value());
            if (intact && counts(header.value())) {
                const ScannedFrame frame{header.value(), {segment, offset}, bytes.value()};
                note(frame);
                visit(frame);
            }
            if (intact) step = size;
        }
        offset += step;
    }
}

std::vector<LogRemains::Gap> LogRemains::gaps_behind(std::uint64_t lsn) const {
    std::vector<Gap> gaps;
    for (const Gap& run : runs_) {
        if (run.last <= lsn) continue;
        if (run.first > lsn + 1) gaps.push_back({lsn + 1, run.first - 1});
        lsn = run.last;
    }
    return gaps;
}

}  // namespace orbitalreg::cas
