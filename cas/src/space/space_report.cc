#include "space/space_report.h"

#include "format/log_segment_header.h"

#include <algorithm>
#include <string>

namespace orbitalreg::cas {
namespace {

std::uint64_t difference(std::uint64_t a, std::uint64_t b) noexcept { return a > b ? a - b : 0; }

void add(SpaceFigures& sum, const SpaceFigures& one) noexcept {
    sum.files += one.files;
    sum.size_bytes += one.size_bytes;
    sum.used_bytes += one.used_bytes;
    sum.live_bytes += one.live_bytes;
    sum.dead_bytes += one.dead_bytes;
    sum.held_bytes += one.held_bytes;
    sum.allocated_bytes += one.allocated_bytes;
    sum.punched_bytes += one.punched_bytes;
}

FileStat stat_of(Io& io, const std::string& path) {
    const auto stat = io.stat(path);
    return stat ? stat.value() : FileStat{};
}

SpaceFigures figures_of(const FileStat& stat) noexcept {
    SpaceFigures figures;
    figures.files = 1;
    figures.size_bytes = stat.size_bytes;
    figures.allocated_bytes = stat.allocated_bytes;
    figures.punched_bytes = difference(stat.size_bytes, stat.allocated_bytes);
    return figures;
}

SpaceFigures figures_of_lane(const LaneUse& use, const LiveSpace& live, const FileStat& stat) {
    SpaceFigures figures = figures_of(stat);
    const std::uint64_t settled = std::uint64_t{use.settled_page} * kPageSize;
    // Its upload may have written as far as the file goes.
    figures.used_bytes = std::uint64_t{use.next_page} * kPageSize;
    if (use.held) figures.used_bytes = std::max(figures.used_bytes, stat.size_bytes);
    figures.live_bytes = live.bytes;
    figures.used_bytes = std::max(figures.used_bytes, live.bytes + kPageSize);
    figures.held_bytes = use.held ? difference(figures.used_bytes, settled) : 0;
    figures.held_bytes =
        std::min(figures.held_bytes, figures.used_bytes - kPageSize - figures.live_bytes);
    figures.dead_bytes = figures.used_bytes - kPageSize - figures.live_bytes - figures.held_bytes;
    return figures;
}

void report_lanes(const LaneRooms& rooms, bool files, SpaceReport& report) {
    for (const LaneFile& lane : rooms.pool->files()) {
        const SpaceFigures figures =
            figures_of_lane(lane.use, rooms.blobs.space().of_lane(lane.use.lane),
                            stat_of(rooms.environment.io, lane_path(lane.use.lane)));
        add(report.lanes, figures);
        if (files) report.lane_files.push_back({lane.use.lane, std::string{lane.state}, figures});
    }
}

// Of a segment that a start would replay all is needed.
const char* state_of(std::uint32_t segment, const LogStats& log) noexcept {
    if (segment > log.segment) return "spare";
    return segment < log.replay_segment ? "old" : "in_use";
}

void report_log(const LaneRooms& rooms, bool files, SpaceReport& report) {
    const LogStats log = rooms.log->stats();
    const auto names = rooms.environment.io.list("log");
    if (!names) return;
    for (const std::string& name : names.value()) {
        const std::uint32_t segment = parse_log_segment_name(name);
        if (segment == 0) continue;
        SpaceFigures figures = figures_of(stat_of(rooms.environment.io, "log/" + name));
        const LiveSpace live = rooms.blobs.space().of_segment(segment);
        figures.used_bytes = segment > log.segment ? 0 : figures.size_bytes;
        figures.live_bytes = std::min(live.bytes, figures.used_bytes);
        const std::uint64_t rest = figures.used_bytes - figures.live_bytes;
        figures.held_bytes = segment < log.replay_segment ? std::min(live.mark_bytes, rest) : rest;
        figures.dead_bytes = rest - figures.held_bytes;
        add(report.log, figures);
        if (files) report.log_files.push_back({segment, state_of(segment, log), figures});
    }
}

void add_plain(Io& io, const std::string& path, PlainFiles& files) {
    const auto stat = io.stat(path);
    if (!stat || stat.value().directory) return;
    ++files.files;
    files.size_bytes += stat.value().size_bytes;
    files.allocated_bytes += stat.value().allocated_bytes;
}

void add_folder(Io& io, const std::string& folder, PlainFiles& files) {
    const auto names = io.list(folder);
    if (!names) return;
    for (const std::string& name : names.value()) add_plain(io, folder + '/' + name, files);
}

}  // namespace

SpaceReport report_space(const LaneRooms& rooms, bool files) {
    SpaceReport report;
    Io& io = rooms.environment.io;
    report_lanes(rooms, files, report);
    report_log(rooms, files, report);
    for (const char* folder : {"ckpt/a", "ckpt/b"}) add_folder(io, folder, report.checkpoints);
    for (const char* name : {"SUPER", "LOCK", "reserve.bin"}) add_plain(io, name, report.other);
    add_folder(io, "lost+found", report.other);
    if (const auto space = io.space()) {
        report.file_system_bytes = space.value().total_bytes;
        report.file_system_free_bytes = space.value().available_bytes;
    }
    return report;
}

}  // namespace orbitalreg::cas
