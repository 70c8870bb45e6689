#include "check/segment_check.h"

#include "base/errors.h"
#include "check/findings.h"
#include "format/page_buffer.h"

#include <cerrno>
#include <string>
#include <utility>
#include <vector>

namespace orbitalreg::cas {
namespace {

std::string content_of(const LiveSpace& live) {
    return std::to_string(live.extents) + " blobs and " + std::to_string(live.marks) +
           " marks of uploads lie in it";
}

}  // namespace

void SegmentCheck::run(const BlobTable& blobs) {
    std::vector<std::pair<std::uint32_t, LiveSpace>> segments;
    blobs.space().for_each_segment([&segments](std::uint32_t segment, const LiveSpace& live) {
        segments.emplace_back(segment, live);
    });
    for (const auto& [segment, live] : segments) check(segment, live);
}

void SegmentCheck::check(std::uint32_t segment, const LiveSpace& live) {
    using Severity = FsckFinding::Severity;
    const std::string path = log_segment_path(segment);
    const auto file = io_.open(path, {.direct = true});
    if (!file && file.error() == errno_code(ENOENT)) {
        return add_finding(report_, Severity::loss, "segment_missing", path,
                           content_of(live) +
                               ", and the file is gone: restore it from a copy of "
                               "this very directory, or push again");
    }
    const PageBuffer page{kPageSize};
    const auto read = file ? file.value()->read(0, page.bytes()) : fail(file.error());
    if (!read) {
        return add_finding(
            report_, Severity::loss, "read_failed", path,
            content_of(live) + ", and the device refuses to read it: " + read.error().message());
    }
    const auto header = decode_log_segment_header(page.first(read.value()), segment, identity_.uuid,
                                                  identity_.seed);
    if (!header) {
        return add_finding(report_, Severity::loss, "segment_header_invalid", path,
                           content_of(live) +
                               ", and it does not say that it is this segment; the "
                               "deep level tells which blobs are whole");
    }
    const auto stat = file.value()->stat();
    if (stat && stat.value().size_bytes < header.value().size_bytes()) {
        add_finding(report_, Severity::loss, "segment_short", path,
                    content_of(live) + ", and a part of the file is missing");
    }
}

}  // namespace orbitalreg::cas
