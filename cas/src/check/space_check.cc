#include "check/space_check.h"

#include "check/findings.h"
#include "format/lane_record.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace orbitalreg::cas {
namespace {

using Severity = FsckFinding::Severity;

constexpr std::array<std::string_view, 7> kNames{"SUPER", "LOCK", "reserve.bin", "log",
                                                 "lane",  "ckpt", "lost+found"};
// Blocks of the file system's own, and what is not worth a round of compaction.
constexpr std::uint64_t kSlackBytes = 1_MiB;

std::uint64_t allocated_in(Io& io, const std::string& folder) {
    std::uint64_t bytes = 0;
    const auto names = io.list(folder);
    if (!names) return bytes;
    for (const std::string& name : names.value()) {
        const auto stat = io.stat(folder.empty() ? name : folder + '/' + name);
        if (stat && !stat.value().directory) bytes += stat.value().allocated_bytes;
    }
    return bytes;
}

// Of the lanes that no upload holds: what is allocated beyond their live records and their header.
std::uint64_t reclaimable_in_lanes(Io& io, const BlobTable& blobs, const Lanes& lanes) {
    std::uint64_t bytes = 0;
    lanes.for_each_lane([&](const LaneView& lane) {
        const auto stat = io.stat(lane_path(lane.lane));
        if (!stat || lane.leased) return;
        const std::uint64_t kept = blobs.space().of_lane(lane.lane).bytes + kPageSize;
        bytes += stat.value().allocated_bytes - std::min(stat.value().allocated_bytes, kept);
    });
    return bytes;
}

}  // namespace

void check_space(Io& io, const BlobTable& blobs, const Lanes& lanes, FsckReport& report) {
    for (const char* folder : {"", "log", "lane", "ckpt/a", "ckpt/b", "lost+found"}) {
        report.allocated_bytes += allocated_in(io, folder);
    }
    report.reclaimable_bytes = reclaimable_in_lanes(io, blobs, lanes);
    if (report.reclaimable_bytes > kSlackBytes) {
        add_finding(report, Severity::note, "space_not_given_back", "lane/",
                    std::to_string(report.reclaimable_bytes >> 20) +
                        " MiB are dead and still allocated; a running server gives them back "
                        "within a minute, `orbitalreg compact` at once");
    }
    const auto names = io.list("");
    if (!names) return;
    for (const std::string& name : names.value()) {
        if (std::ranges::find(kNames, name) != kNames.end()) continue;
        add_finding(report, Severity::note, "unknown_file", name,
                    "it is none of the store's; the store leaves it alone");
    }
}

}  // namespace orbitalreg::cas
