#include "lane/housekeeping.h"

#include "cas/errors.h"
#include "io/woken_by.h"

#include <algorithm>

namespace orbitalreg::cas {
namespace {

constexpr std::int64_t kRoundMsMax = 60'000;
constexpr std::size_t kClosedPerRound = 1000;

}  // namespace

Awaitable<std::uint64_t> close_expired(std::shared_ptr<LaneRooms> rooms) {
    const auto expiry_ms = static_cast<std::uint64_t>(rooms->options.uploads_idle_expiry_ms);
    const std::uint64_t now_ms = rooms->log->store_time_ms();
    std::uint64_t count = 0;
    if (now_ms < expiry_ms) co_return count;
    for (const SessionId& session : rooms->uploads.expired(now_ms - expiry_ms, kClosedPerRound)) {
        if (rooms->stopped) co_return count;
        std::shared_ptr<Event> draining;
        if (!rooms->uploads.claim(session, draining)) continue;
        const auto row = rooms->uploads.row(session);
        // It may have been written to since the list was made.
        if (!row || row->last_store_time_ms >= now_ms - expiry_ms) {
            rooms->uploads.release(session);
            continue;
        }
        const auto closed = co_await close_claimed(rooms, session, row->issued_store_time_s);
        if (!closed) co_return count;
        ++count;
        rooms->environment.log.info("upload expired", {{"session", to_hex(session)}});
    }
    co_return count;
}

namespace {

// Between its rounds it holds nothing: a store may be dropped meanwhile.
Awaitable<void> keep_house(std::weak_ptr<LaneRooms> owner,
                           std::shared_ptr<LaneRooms::HousekeepingWaker> waker, Clock& clock,
                           std::int64_t round_ms) {
    // stop() only wakes it: what it has begun it does to the end, and end_work() is always reached.
    co_await asio::this_coro::throw_if_cancelled(false);
    waker->started = true;
    for (bool first = true;; first = false) {
        auto rooms = owner.lock();
        if (rooms == nullptr) co_return;
        if (!first && !rooms->stopped) co_await close_expired(rooms);
        if (rooms->stopped) {
            rooms->end_work();
            co_return;
        }
        rooms.reset();
        const std::int64_t now_ns = clock.steady_ns();
        co_await clock.sleep_until(now_ns + round_ms * 1'000'000);
    }
}

}  // namespace

void start_housekeeping(const std::shared_ptr<LaneRooms>& rooms) {
    rooms->begin_work();
    rooms->housekeeping = std::make_shared<LaneRooms::HousekeepingWaker>();
    const std::int64_t round_ms =
        std::clamp<std::int64_t>(rooms->options.uploads_idle_expiry_ms / 8, 1, kRoundMsMax);
    asio::co_spawn(rooms->environment.background,
                   keep_house(rooms, rooms->housekeeping, rooms->environment.clock, round_ms),
                   WokenBy{rooms->housekeeping->signal.slot()});
}

void stop_housekeeping(LaneRooms& rooms) noexcept {
    if (rooms.housekeeping == nullptr) return;
    asio::post(rooms.environment.background, [waker = rooms.housekeeping] {
        if (waker->started) waker->signal.emit(asio::cancellation_type::terminal);
    });
}

Awaitable<Result<void>> close_claimed(std::shared_ptr<LaneRooms> rooms, SessionId session,
                                      std::uint64_t issued_store_time_s) {
    const auto row = rooms->uploads.row(session);
    CloseRecord close;
    close.session = session;
    close.outcome = UploadOutcome::cancelled;
    close.issued_store_time_s = issued_store_time_s;
    if (row) close.lane = row->lane;
    if (close.lane != 0) close.end_page = rooms->pool->next_page(close.lane);
    Group group;
    group.keys.exclusive.push_back(session_key(session));
    group.records.push_back(encode_record(close, row ? row->uid : 0));
    group.check = [rooms, session](Group&, const FrameContext&) -> Result<void> {
        return rooms->uploads.closed(session) ? Result<void>{fail(Errc::upload_closed)} : ok();
    };
    const auto committed = co_await rooms->log->commit(std::move(group));
    if (committed && close.lane != 0) {
        rooms->release_lane(close.lane, close.end_page, row->base_page);
    }
    rooms->uploads.release(session);
    if (!committed) co_return fail(committed.error());
    co_return ok();
}

}  // namespace orbitalreg::cas
