#include "space/lane_puncher.h"

#include "base/errors.h"
#include "base/planted_bug.h"
#include "cas/errors.h"
#include "space/record_walk.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace orbitalreg::cas {
namespace {

// `ranges` without what is in `gone`; both in order, without overlaps.
std::vector<PageRange> without(const std::vector<PageRange>& ranges,
                               const std::vector<PageRange>& gone) {
    std::vector<PageRange> left;
    for (PageRange range : ranges) {
        for (const PageRange& hole : gone) {
            if (hole.end <= range.begin || hole.begin >= range.end) continue;
            if (hole.begin > range.begin) left.push_back({range.begin, hole.begin});
            range.begin = std::min(hole.end, range.end);
        }
        if (range.pages() > 0) left.push_back(range);
    }
    return left;
}

}  // namespace

LanePuncher::LanePuncher(LaneRooms& rooms, Pacer& pacer, const LaneUse& use,
                         std::vector<PageRange> given_back)
    : rooms_{rooms}, pacer_{pacer}, use_{use}, given_back_{std::move(given_back)} {}

bool LanePuncher::stopped() const noexcept { return !rooms_.writable(); }

void LanePuncher::refuse(std::string reason, std::uint32_t page) {
    outcome_.kind = PunchOutcome::Kind::refused;
    rooms_.environment.log.error("compaction refused to punch a lane: " + reason,
                                 {{"lane", use_.lane}, {"page", page}});
    rooms_.poison_lane(use_.lane);
}

// The rows as they were read one after the other, against their sum. Of a sealed lane nothing can have come since.
bool LanePuncher::map_is_sound(LiveMap& map) {
    auto dead = map.dead(use_.lane, use_.settled_page);
    if (!dead) {
        refuse("two blobs lie in the same place", 0);
        return false;
    }
    if (use_.sealed && map.live_bytes(use_.lane) < rooms_.blobs.space().of_lane(use_.lane).bytes) {
        refuse("fewer bytes are live by the rows than by their sum", 0);
        return false;
    }
    outcome_.dead = std::move(*dead);
    return true;
}

// False: not now.
Result<bool> LanePuncher::open() {
    ORB_TRY(file_,
            rooms_.environment.io.open(lane_path(use_.lane), {.write = true, .direct = true}));
    Page page;
    ORB_TRY(const std::size_t size, file_->read(0, page.bytes));
    if (size != kPageSize) return fail(Errc::bad_format);
    ORB_TRY(decode_lane_header(page, use_.lane, rooms_.identity));
    ORB_TRY(const FileStat stat, file_->stat());
    if (stat.link_count != 1) {
        rooms_.environment.log.warn(
            "a lane has another name: its dead bytes stay until that is gone",
            {{"lane", use_.lane}, {"links", stat.link_count}});
        return false;
    }
    // Behind the frontier of a sealed lane is only what was allocated ahead.
    const auto end = static_cast<std::uint32_t>(payload_pages(stat.size_bytes));
    if (use_.sealed && end > use_.settled_page) {
        if (!outcome_.dead.empty() && outcome_.dead.back().end == use_.settled_page) {
            outcome_.dead.back().end = end;
        } else {
            outcome_.dead.push_back({use_.settled_page, end});
        }
    }
    return true;
}

Awaitable<Result<bool>> LanePuncher::nobody_lives_in(PageRange range) {
    if (ORB_PLANTED(punch_without_identity_check)) co_return true;
    RecordWalk walk{*file_, use_.lane, rooms_.identity, rooms_.blobs, pacer_};
    std::optional<std::uint32_t> last = use_.last_base_page;
    if (range.end < use_.settled_page || *last >= use_.settled_page) {
        const std::uint32_t next = range.end < use_.settled_page ? range.end : *last;
        ORB_CO_TRY(last, walk.previous_base(next));
    }
    ORB_CO_TRY(const auto live, co_await walk.find_live(range, last));
    if (!live) co_return true;
    refuse("a record in a dead range belongs to a live blob", *live);
    co_return false;
}

Awaitable<Result<void>> LanePuncher::punch_range(PageRange range) {
    const std::uint64_t end = std::uint64_t{range.end} * kPageSize;
    std::uint64_t offset = std::uint64_t{range.begin} * kPageSize;
    while (offset < end) {
        const std::uint64_t length = std::min(end - offset, rooms_.options.punch_slice_bytes);
        co_await pacer_.take(length);
        if (stopped()) co_return fail(Errc::stopped);
        ORB_CO_TRY(file_->punch(offset, length));
        offset += length;
        outcome_.bytes += length;
        outcome_.kind = PunchOutcome::Kind::punched;
        co_await asio::post(rooms_.environment.background, asio::use_awaitable);
    }
    co_return ok();
}

void LanePuncher::finish() {
    if (const auto stat = file_->stat()) {
        rooms_.pool->set_allocated(use_.lane, stat.value().allocated_bytes);
    }
}

Awaitable<PunchOutcome> LanePuncher::punch(std::shared_ptr<LiveMap> map) {
    if (!map_is_sound(*map)) co_return outcome_;
    const auto opened = open();
    if (!opened || !opened.value()) {
        outcome_.kind = PunchOutcome::Kind::deferred;
        if (!opened) {
            rooms_.environment.log.warn("compaction cannot open a lane",
                                        {{"lane", use_.lane}, {"error", opened.error().message()}});
        }
        co_return outcome_;
    }
    Result<void> done = ok();
    for (const PageRange& range : without(outcome_.dead, given_back_)) {
        const auto free = co_await nobody_lives_in(range);
        if (free && !free.value()) co_return outcome_;
        if (!free) {
            done = fail(free.error());
            break;
        }
        done = co_await punch_range(range);
        if (!done) break;
    }
    finish();
    outcome_.complete = done.has_value() && !map->pinned_dead(use_.lane);
    if (!outcome_.complete) outcome_.kind = PunchOutcome::Kind::deferred;
    if (!done && done.error() != ErrorCode{Errc::stopped}) {
        rooms_.environment.log.warn("a dead range of a lane could not be given back",
                                    {{"lane", use_.lane}, {"error", done.error().message()}});
    }
    co_return outcome_;
}

}  // namespace orbitalreg::cas
