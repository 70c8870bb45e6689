#include "space/compactor.h"

#include "base/planted_bug.h"
#include "cas/errors.h"
#include "io/woken_by.h"
#include "lane/lane_records.h"

#include <algorithm>
#include <utility>

namespace orbitalreg::cas {
namespace {

constexpr std::uint32_t kRowsPerSlice = 2048;  // some 50 us of the sequencer

std::function<void()> slice_of_rows(std::shared_ptr<LaneRooms> rooms, std::shared_ptr<LiveMap> map,
                                    std::shared_ptr<std::uint32_t> next) {
    return [rooms = std::move(rooms), map = std::move(map), next = std::move(next)] {
        *next =
            rooms->blobs.visit_extents(*next, kRowsPerSlice, [&map](BlobId, const Extent& extent) {
                // This bug needs another one, which the check would have caught: a row that is missed.
                if (ORB_PLANTED(punch_without_identity_check) && extent.uid % 4 == 0) return;
                map->add_live(extent);
            });
    };
}

std::uint64_t sum_of(const std::vector<PageRange>& ranges) noexcept {
    std::uint64_t pages = 0;
    for (const PageRange& range : ranges) pages += range.pages();
    return pages * kPageSize;
}

void add(CompactionReport& total, const CompactionReport& one) noexcept {
    total.lanes_examined += one.lanes_examined;
    total.lanes_punched += one.lanes_punched;
    total.lanes_unlinked += one.lanes_unlinked;
    total.bytes_punched += one.bytes_punched;
    total.bytes_unlinked += one.bytes_unlinked;
    total.lanes_deferred += one.lanes_deferred;
    total.lanes_refused += one.lanes_refused;
    total.segments_examined += one.segments_examined;
    total.segments_recycled += one.segments_recycled;
    total.segments_removed += one.segments_removed;
    total.segments_left += one.segments_left;
    total.blobs_relocated += one.blobs_relocated;
    total.marks_relocated += one.marks_relocated;
    total.bytes_relocated += one.bytes_relocated;
}

}  // namespace

Compactor::Compactor(std::shared_ptr<LaneRooms> rooms, const IoScheduler* scheduler)
    : rooms_{std::move(rooms)},
      pacer_{rooms_->environment.clock, rooms_->options.compaction_rate_bytes_per_s, scheduler},
      relocator_{rooms_, pacer_},
      waker_{std::make_shared<Waker>()},
      rounds_{rooms_->environment.metrics.counter("compaction_rounds_total",
                                                  "Rounds of compaction that were finished.")},
      bytes_punched_{rooms_->environment.metrics.counter(
          "compaction_punched_bytes_total", "Dead bytes of lanes given back as holes.")},
      lanes_unlinked_{rooms_->environment.metrics.counter(
          "compaction_lanes_unlinked_total", "Lanes without a live blob that were removed.")},
      deferred_{rooms_->environment.metrics.counter(
          "compaction_lanes_deferred_total",
          "Lanes whose dead bytes had to stay for a later round.")},
      refused_{rooms_->environment.metrics.counter(
          "compaction_lanes_refused_total",
          "Lanes that were not punched because a witness found something live. Must be 0.")},
      bytes_relocated_{rooms_->environment.metrics.counter(
          "compaction_relocated_bytes_total",
          "Live bytes moved to the end of the log, out of segments given back.")} {
    idle_.set();
}

void Compactor::start() {
    if (!rooms_->writable() || rooms_->options.compaction_interval_ms == 0) return;
    rooms_->begin_work();
    asio::co_spawn(rooms_->environment.background,
                   keep_on(weak_from_this(), waker_, rooms_->environment.clock,
                           rooms_->options.compaction_interval_ms),
                   WokenBy{waker_->signal.slot()});
}

// rooms->stopped ends the round; this ends the sleep before it, and is called before that is set.
void Compactor::stop() noexcept {
    stopping_ = true;
    asio::post(rooms_->environment.background, [waker = waker_] {
        if (waker->started) waker->signal.emit(asio::cancellation_type::terminal);
    });
}

// Between its rounds it holds nothing: a store may be dropped meanwhile.
Awaitable<void> Compactor::keep_on(std::weak_ptr<Compactor> owner, std::shared_ptr<Waker> waker,
                                   Clock& clock, std::int64_t interval_ms) {
    co_await asio::this_coro::throw_if_cancelled(false);
    waker->started = true;
    for (bool first = true;; first = false) {
        auto self = owner.lock();
        if (self == nullptr) co_return;
        if (!first && !self->stopping_) co_await one_round(self);
        if (self->stopping_ || self->rooms_->stopped) {
            self->rooms_->end_work();
            co_return;
        }
        self.reset();
        co_await clock.sleep_until(clock.steady_ns() + interval_ms * 1'000'000);
    }
}

Awaitable<CompactionReport> Compactor::run() {
    co_return co_await asio::co_spawn(rooms_->environment.background, one_round(shared_from_this()),
                                      asio::use_awaitable);
}

void Compactor::nudge() {
    if (stopping_ || !rooms_->writable() || nudged_.exchange(true)) return;
    asio::co_spawn(rooms_->environment.background, nudged_round(shared_from_this()),
                   asio::detached);
}

Awaitable<void> Compactor::nudged_round(std::shared_ptr<Compactor> self) {
    while (self->running_) co_await self->idle_.wait();
    self->nudged_ = false;
    if (self->stopping_ || self->rooms_->stopped) co_return;
    co_await one_round(self);
}

Awaitable<CompactionReport> Compactor::one_round(std::shared_ptr<Compactor> self) {
    // A caller that goes away leaves the round to its end.
    co_await asio::this_coro::throw_if_cancelled(false);
    while (self->running_) co_await self->idle_.wait();
    self->set_running(true);
    self->idle_.reset();
    self->rooms_->begin_work();
    const CompactionReport report = co_await self->round();
    self->publish(report);
    self->set_running(false);
    self->idle_.set();
    self->rooms_->end_work();
    co_return report;
}

void Compactor::set_running(bool running) {
    running_ = running;
    const std::lock_guard lock{mutex_};
    status_.running = running;
}

void Compactor::publish(const CompactionReport& report) {
    rounds_.add();
    bytes_punched_.add(report.bytes_punched);
    lanes_unlinked_.add(report.lanes_unlinked);
    deferred_.add(report.lanes_deferred);
    refused_.add(report.lanes_refused);
    bytes_relocated_.add(report.bytes_relocated);
    const std::lock_guard lock{mutex_};
    status_.last = report;
    ++status_.rounds;
    status_.last_end_store_time_ms = rooms_->log->store_time_ms();
    add(status_.total, report);
}

CompactionStatus Compactor::status() const {
    const std::lock_guard lock{mutex_};
    return status_;
}

// What was dead before this run is found by what the file system has allocated.
void Compactor::look_at_all_lanes() {
    if (std::exchange(looked_at_all_, true)) return;
    const std::uint64_t slack = rooms_->options.punch_slack_bytes;
    for (const LaneUse& use : rooms_->pool->uses()) {
        const LiveSpace live = rooms_->blobs.space().of_lane(use.lane);
        if (use.allocated_bytes > live.bytes + kPageSize + slack || (use.sealed && live.empty()))
            waiting_.insert(use.lane);
    }
}

// By what is counted, without a look at the rows.
bool Compactor::worth_it(const LaneUse& use) {
    const LiveSpace live = rooms_->blobs.space().of_lane(use.lane);
    if (use.sealed && live.empty()) return true;
    const std::uint64_t settled = std::uint64_t{use.settled_page} * kPageSize;
    const std::uint64_t kept = live.bytes + kPageSize + sum_of(given_back_[use.lane]);
    if (settled > kept + rooms_->options.punch_slack_bytes) return true;
    // What was allocated ahead of a sealed lane's frontier.
    return use.sealed &&
           use.allocated_bytes > live.bytes + kPageSize + rooms_->options.punch_slack_bytes;
}

// What nobody holds any more leaves the list of the condemned, and its lane is worth a look.
void Compactor::release_condemned() {
    const auto keep_ms = static_cast<std::uint64_t>(rooms_->options.damaged_keep_ms);
    const std::uint64_t now_ms = rooms_->log->store_time_ms();
    const std::uint64_t before_s = now_ms < keep_ms ? 0 : (now_ms - keep_ms) / 1000;
    for (const CondemnedExtent& each : rooms_->blobs.take_condemned(
             BlobTable::kCondemnedMax, static_cast<std::uint32_t>(before_s))) {
        if (each.extent.in_lane) rooms_->blobs.space().touch_lane(each.extent.file);
    }
}

std::vector<LaneUse> Compactor::choose() {
    look_at_all_lanes();
    release_condemned();
    waiting_.merge(rooms_->blobs.space().take_touched_lanes());
    std::vector<LaneUse> chosen;
    std::uint64_t extents = 0;
    for (auto lane = waiting_.begin(); lane != waiting_.end();) {
        if (chosen.size() == kLanesPerRound || extents > kExtentsPerRound) break;
        const auto use = rooms_->pool->use(*lane);
        if (use && worth_it(*use)) {
            chosen.push_back(*use);
            extents += rooms_->blobs.space().of_lane(*lane).extents;
        }
        lane = waiting_.erase(lane);
    }
    return chosen;
}

Awaitable<Result<void>> Compactor::read_rows(std::shared_ptr<LiveMap> map) {
    const auto next = std::make_shared<std::uint32_t>(1);  // the step may outlive this coroutine
    while (*next != 0) {
        std::function<void()> slice = slice_of_rows(rooms_, map, next);
        ORB_CO_TRY(co_await rooms_->log->between_frames(std::move(slice)));
    }
    // After the rows: see LiveMap.
    if (ORB_PLANTED(punch_under_pin)) co_return ok();
    rooms_->blobs.for_each_pinned([&map](const Extent& extent) { map->add_pinned(extent); });
    rooms_->blobs.for_each_condemned([&map](const Extent& extent) { map->add_condemned(extent); });
    co_return ok();
}

Awaitable<CompactionReport> Compactor::round() {
    report_ = {};
    co_await compact_lanes();
    if (rooms_->writable()) {
        co_await relocator_.round(report_);
    } else {
        report_.stopped = true;
    }
    co_return report_;
}

Awaitable<void> Compactor::compact_lanes() {
    const std::vector<LaneUse> lanes = choose();
    if (lanes.empty()) co_return;
    const auto map = std::make_shared<LiveMap>();
    for (const LaneUse& use : lanes) map->watch(use.lane);
    const auto rows = co_await read_rows(map);
    for (const LaneUse& use : lanes) {
        if (!rows || !rooms_->writable()) {
            report_.stopped = true;
            waiting_.insert(use.lane);
            continue;
        }
        co_await compact_lane(use, map);
    }
}

Awaitable<void> Compactor::compact_lane(LaneUse use, std::shared_ptr<LiveMap> map) {
    ++report_.lanes_examined;
    if (use.sealed && map->empty(use.lane) && rooms_->blobs.space().of_lane(use.lane).empty()) {
        const bool unlinked = co_await unlink(use);
        if (!unlinked) {
            ++report_.lanes_deferred;
            waiting_.insert(use.lane);
        }
        co_return;
    }
    LanePuncher puncher{*rooms_, pacer_, use, given_back_[use.lane]};
    const PunchOutcome outcome = co_await puncher.punch(map);
    report_.bytes_punched += outcome.bytes;
    if (outcome.bytes > 0) ++report_.lanes_punched;
    if (outcome.complete) given_back_[use.lane] = outcome.dead;
    if (outcome.kind == PunchOutcome::Kind::refused) ++report_.lanes_refused;
    if (outcome.kind == PunchOutcome::Kind::deferred) {
        ++report_.lanes_deferred;
        waiting_.insert(use.lane);
    }
}

// The frame first: a name that is gone while frames still expect it would be a lost lane.
Awaitable<bool> Compactor::unlink(LaneUse use) {
    Group group;
    const LaneStateRecord state{.lane = use.lane,
                                .phase = LanePhase::unlinked,
                                .frontier_page = use.next_page,
                                .last_base_page = use.last_base_page};
    group.records.push_back(encode_record(state));
    group.check = [rooms = rooms_, lane = use.lane](Group&, const FrameContext&) -> Result<void> {
        const auto now = rooms->pool->use(lane);
        const bool dead = now && now->sealed && rooms->blobs.space().of_lane(lane).empty();
        return dead ? Result<void>{ok()} : fail(Errc::precondition_failed);
    };
    const auto committed = co_await rooms_->log->commit(std::move(group));
    if (!committed) co_return false;
    rooms_->pool->retire(use.lane);
    rooms_->files.forget(use.lane);
    given_back_.erase(use.lane);
    Io& io = rooms_->environment.io;
    auto removed = io.remove(lane_path(use.lane));
    if (removed && rooms_->sync) removed = io.sync_directory("lane");
    if (!removed) {
        rooms_->environment.log.warn(
            "the file of a lane that holds nothing stays until the next start",
            {{"lane", use.lane}, {"error", removed.error().message()}});
        co_return true;
    }
    ++report_.lanes_unlinked;
    report_.bytes_unlinked += use.allocated_bytes;
    co_return true;
}

}  // namespace orbitalreg::cas
