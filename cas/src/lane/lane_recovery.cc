#include "lane/lane_recovery.h"

#include "base/errors.h"
#include "base/planted_bug.h"
#include "cas/errors.h"
#include "lane/lane_records.h"

#include <algorithm>
#include <cerrno>
#include <set>

namespace orbitalreg::cas {
namespace {

// A seal is some 100 bytes in its frame; the smallest group may have 16 KiB.
constexpr std::size_t kSealsPerGroup = 100;

void make_queues(LaneRooms& rooms) {
    for (const asio::any_io_executor& executor : rooms.environment.reactors) {
        rooms.queues.push_back(
            {&asio::query(executor, asio::execution::context),
             rooms.environment.io.make_queue(executor),
             std::make_unique<BulkGate>(rooms.log->scheduler(), rooms.environment.clock,
                                        rooms.environment.reactors.size())});
    }
}

// Lanes in the directory. A file that no frame names is a preparation, or held what no frame
// acknowledged.
Result<std::set<std::uint32_t>> take_stock(LaneRooms& rooms) {
    std::set<std::uint32_t> found;
    const auto& rows = rooms.table.rows();
    const bool read_only = !rooms.writable();
    if (!read_only) {
        ORB_TRY(rooms.environment.io.make_directory("lane"));
        ORB_TRY(rooms.environment.io.sync_directory(""));
    }
    const auto names = rooms.environment.io.list("lane");
    if (!names && read_only) return found;
    if (!names) return fail(names.error());
    for (const std::string& name : names.value()) {
        const std::uint32_t lane = lane_of_name(name);
        if (lane != 0 && rows.contains(lane)) {
            found.insert(lane);
        } else if (lane == 0 || lane >= rooms.ids.end(IdKind::lane)) {
            rooms.environment.log.warn("a file in lane/ is none of this store's; left alone",
                                       {{"name", name}});
        } else if (!read_only) {
            ORB_TRY(rooms.environment.io.remove("lane/" + name));
        }
    }
    return found;
}

FileStat stat_of_file(LaneRooms& rooms, std::uint32_t lane) {
    const auto stat = rooms.environment.io.stat(lane_path(lane));
    return stat ? stat.value() : FileStat{};
}

// Header and length of the lane that a mark needs.
bool bears_out_mark(LaneRooms& rooms, const UploadRow& row) {
    auto file = rooms.environment.io.open(lane_path(row.lane), {.direct = true});
    if (!file) return false;
    Page page;
    const auto read = file.value()->read(0, page.bytes);
    if (!read || read.value() != kPageSize) return false;
    if (!decode_lane_header(page, row.lane, rooms.identity)) return false;
    const auto stat = file.value()->stat();
    const std::uint64_t end = (std::uint64_t{row.base_page} + 1) * kPageSize + row.aligned_bytes;
    return stat && stat.value().size_bytes >= end;
}

void check_marks(LaneRooms& rooms) {
    std::vector<SessionId> unusable;
    rooms.uploads.for_each([&](const SessionId& session, const UploadRow& row) {
        if (row.lane == 0 || bears_out_mark(rooms, row)) return;
        rooms.environment.log.error("an open upload's lane does not bear out its mark",
                                    {{"session", to_hex(session)}, {"lane", row.lane}});
        unusable.push_back(session);
    });
    for (const SessionId& session : unusable) rooms.uploads.set_unusable(session);
}

Result<void> seal(CommitLog& log, const std::vector<LaneStateRecord>& seals) {
    for (std::size_t at = 0; at < seals.size(); at += kSealsPerGroup) {
        Group group;
        const std::size_t end = std::min(seals.size(), at + kSealsPerGroup);
        for (std::size_t i = at; i < end; ++i) group.records.push_back(encode_record(seals[i]));
        ORB_TRY(log.commit_now(std::move(group)));
    }
    return ok();
}

// Gives the pool its lanes; returns those to seal. How far an unclean run wrote is not known, but
// for the file's length.
std::vector<LaneStateRecord> adopt_lanes(LaneRooms& rooms, const std::set<std::uint32_t>& files,
                                         bool clean) {
    std::vector<LaneStateRecord> seals;
    for (const auto& [id, row] : rooms.table.rows()) {
        if (!files.contains(id)) {
            rooms.environment.log.error("a lane is missing", {{"lane", id}});
            rooms.pool->adopt(row, LanePool::State::poisoned, row.frontier_page);
            continue;
        }
        const FileStat stat = stat_of_file(rooms, id);
        const auto length = static_cast<std::uint32_t>(payload_pages(stat.size_bytes));
        const std::uint32_t pages = std::max(length, row.frontier_page);
        if (row.phase == LanePhase::sealed || row.phase == LanePhase::poisoned) {
            const bool sealed = row.phase == LanePhase::sealed;
            rooms.pool->adopt(row, sealed ? LanePool::State::sealed : LanePool::State::poisoned,
                              row.frontier_page);
        } else if (row.leased) {
            rooms.pool->adopt(row, LanePool::State::parked, pages);
        } else if (clean) {
            rooms.pool->adopt(row, LanePool::State::free, row.frontier_page);
        } else {
            LaneView sealed = row;
            sealed.phase = LanePhase::sealed;
            rooms.pool->adopt(sealed, LanePool::State::sealed, pages);
            seals.push_back({.lane = id,
                             .phase = LanePhase::sealed,
                             .frontier_page = pages,
                             .last_base_page = row.last_base_page});
        }
        rooms.pool->set_allocated(id, stat.allocated_bytes);
    }
    return seals;
}

}  // namespace

Result<void> recover_lanes(LaneRooms& rooms, CommitLog& log) {
    rooms.log = &log;
    rooms.identity = {log.uuid(), log.seed()};
    rooms.pool->configure(rooms.identity, log.incarnation(), log.lane_target_bytes(), rooms.sync);
    make_queues(rooms);
    ORB_TRY(const auto files, take_stock(rooms));
    check_marks(rooms);
    const bool clean = log.stats().clean_start || log.stats().created;
    const auto seals = adopt_lanes(rooms, files, clean);
    if (!rooms.writable()) return ok();
    ORB_TRY(seal(log, seals));
    return rooms.ids.take(log);
}

}  // namespace orbitalreg::cas
