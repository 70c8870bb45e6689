#pragma once
// The Compactor gives dead bytes back to the file system in rounds: it chooses lanes that have some, reads the rows once
// for all of them, punches (LanePuncher) and unlinks sealed lanes that hold nothing any more. Then segments of the log
// (SegmentRelocator).
//
//   asleep ──interval, a checkpoint, or asked──> choose ──> rows ──> pins ──> punch, lane by lane ──> unlink ──> log ──> asleep
//
// Life     start() -> { run() }* -> stop(), which lets the slice under way end.
// Durable  a lane is unlinked after the frame that says so; a crash in between leaves the removal to the next start.
// Threads  rounds on `environment.background`; start(), stop(), run() and status() from any thread.
// Limits   kLanesPerRound lanes and kExtentsPerRound extents a round; more wait for the next one.

#include "cas/compaction.h"
#include "io/pacer.h"
#include "lane/lane_rooms.h"
#include "space/lane_puncher.h"
#include "space/live_map.h"
#include "space/segment_relocator.h"

#include <boost/asio/cancellation_signal.hpp>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

namespace orbitalreg::cas {

class Compactor : public std::enable_shared_from_this<Compactor> {
public:
    static constexpr std::size_t kLanesPerRound = 4096;
    static constexpr std::uint64_t kExtentsPerRound = std::uint64_t{1} << 20;

    Compactor(std::shared_ptr<LaneRooms> rooms, const IoScheduler* scheduler);

    void start();
    void stop() noexcept;
    // A round now, after the one that may be running.
    Awaitable<CompactionReport> run();
    // A round soon, unless one was asked for that has not begun.
    void nudge();
    CompactionStatus status() const;

private:
    struct Waker {
        asio::cancellation_signal signal;
        bool started = false;
    };

    static Awaitable<void> keep_on(std::weak_ptr<Compactor> owner, std::shared_ptr<Waker> waker,
                                   Clock& clock, std::int64_t interval_ms);
    static Awaitable<CompactionReport> one_round(std::shared_ptr<Compactor> self);
    static Awaitable<void> nudged_round(std::shared_ptr<Compactor> self);
    Awaitable<CompactionReport> round();
    Awaitable<void> compact_lanes();
    std::vector<LaneUse> choose();
    void release_condemned();
    bool worth_it(const LaneUse& use);
    Awaitable<Result<void>> read_rows(std::shared_ptr<LiveMap> map);
    Awaitable<void> compact_lane(LaneUse use, std::shared_ptr<LiveMap> map);
    Awaitable<bool> unlink(LaneUse use);
    void look_at_all_lanes();
    void set_running(bool running);
    void publish(const CompactionReport& report);

    const std::shared_ptr<LaneRooms> rooms_;
    std::atomic<bool> stopping_{false};
    std::atomic<bool> nudged_{false};
    Pacer pacer_;
    SegmentRelocator relocator_;
    std::shared_ptr<Waker> waker_;
    Counter& rounds_;
    Counter& bytes_punched_;
    Counter& lanes_unlinked_;
    Counter& deferred_;
    Counter& refused_;
    Counter& bytes_relocated_;

    // Of the background executor alone.
    bool running_ = false;
    bool looked_at_all_ = false;
    Event idle_;
    CompactionReport report_;          // of the round under way
    std::set<std::uint32_t> waiting_;  // lanes for a later round
    std::map<std::uint32_t, std::vector<PageRange>> given_back_;

    mutable std::mutex mutex_;
    CompactionStatus status_;
};

}  // namespace orbitalreg::cas
