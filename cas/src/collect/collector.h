#pragma once
// Collector runs the rounds of collection on the background executor, at intervals and when asked.
//
// Life     made before the replay -> open() -> start() -> { run() } -> stop(), which waits for the round that runs. Coroutines share
//          it: which of them ends last is not known when a store is dropped without stop().
// Threads  start(), stop() as in Store; the rounds on `environment.background`, one at a time.

#include "base/clock.h"
#include "base/event.h"
#include "cas/collection.h"
#include "cas/store.h"
#include "collect/deletion_batch.h"
#include "collect/grace.h"
#include "collect/recent_deletions.h"
#include "lane/lanes.h"
#include "log/commit_log.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

namespace orbitalreg::cas {

class Collector final : public Collection, public std::enable_shared_from_this<Collector> {
public:
    struct Parts {  // outlive the rounds
        BlobTable& blobs;
        Lanes& lanes;
        const CatalogMachine& catalog;
        const RecentDeletions& deletions;
    };
    using Progress = std::function<void(const CollectionRound&)>;

    Collector(StoreEnvironment environment, const StoreOptions& options, Parts parts);

    void open(CommitLog& log) noexcept { log_ = &log; }
    // Of a store that is not opened read-only.
    void start();
    Awaitable<void> stop();
    // The store goes without stop(): rounds that are resumed all the same touch nothing.
    void abandon() noexcept { stopped_ = true; }

    Awaitable<Result<CollectionRound>> run(bool dry_run, Progress progress) override;
    CollectionStatus status() const override;
    BlobFate fate_of(const Digest& digest) const override;
    void halt(std::string reason) override;

private:
    // Wakes the coroutine of the intervals from its sleep; of the background executor alone.
    struct Waker {
        asio::cancellation_signal signal;
        bool started = false;
    };
    struct Walk;
    struct Turn {
        bool begun = false;  // else round.error says why not
        CollectionRound round;
    };

    static Awaitable<void> run_at_intervals(std::weak_ptr<Collector> owner,
                                            std::shared_ptr<Waker> waker, Clock& clock,
                                            std::int64_t interval_ms);
    static Awaitable<Turn> take_turn(std::shared_ptr<Collector> self, bool dry_run,
                                     Progress progress);
    Awaitable<void> walk_queue(Walk& walk);
    void choose(Walk& walk, const UnreferencedQueue::Entry& entry, std::uint64_t now_ms);
    Awaitable<Result<void>> submit(Walk& walk);
    Awaitable<Result<void>> submit_patiently(Group group);
    void finish(const CollectionRound& round);
    Result<void> may_run(bool dry_run) const;
    void publish_metrics();

    StoreEnvironment environment_;
    const StoreOptions options_;
    const Grace grace_;
    Parts parts_;
    CommitLog* log_ = nullptr;
    std::shared_ptr<Waker> waker_;

    std::atomic<bool> stopped_{false};
    std::atomic<bool> running_{false};
    Event turn_over_;  // set while no round runs
    Event intervals_over_;

    mutable std::mutex mutex_;
    std::string halted_;
    std::optional<CollectionRound> last_;
    std::int64_t next_at_ns_ = 0;  // steady
    std::uint64_t rounds_ = 0;
    std::uint64_t deleted_ = 0;
    std::uint64_t deleted_bytes_ = 0;

    Counter& deleted_blobs_total_;
    Counter& deleted_bytes_total_;
    Counter& kept_total_;
    Counter& leases_total_;
    Counter& rounds_total_;
    Counter& failed_rounds_total_;
    DurationHistogram& round_seconds_;
};

}  // namespace orbitalreg::cas
