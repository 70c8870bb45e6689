#include "collect/collector.h"

#include "cas/errors.h"
#include "io/woken_by.h"

#include <algorithm>

namespace orbitalreg::cas {
namespace {

constexpr std::uint32_t kBatchBlobsMax = 1000;  // of the record's format
constexpr int kOverloadedMax = 20;              // times that a batch is offered again
constexpr std::int64_t kOverloadedWaitNs = 100'000'000;
// Collection gives way to commits down to half of its rate only: behind deletions space runs out.
constexpr std::uint32_t kSlownessMax = 2;

}  // namespace

// Where a round is on its way through the queue.
struct Collector::Walk {
    CollectionRound round;
    Progress progress;
    std::uint64_t cleaned = 0;  // blocks below are behind us
    std::uint64_t block = 0;
    std::vector<DeletionCandidate> candidates;
    // A blob may be queued twice under one time: those of the current time that were chosen already.
    std::unordered_set<std::uint32_t> chosen;
    std::uint32_t since_s = 0;
    std::size_t batch_max = 0;
};

Collector::Collector(StoreEnvironment environment, const StoreOptions& options, Parts parts)
    : environment_{std::move(environment)},
      options_{options},
      grace_{options},
      parts_{parts},
      deleted_blobs_total_{
          environment_.metrics.counter("gc_blobs_deleted_total", "Blobs deleted by collection.")},
      deleted_bytes_total_{environment_.metrics.counter(
          "gc_bytes_deleted_total", "Bytes of the blobs deleted by collection.")},
      kept_total_{environment_.metrics.counter("gc_blobs_kept_total",
                                               "Blobs that came back into use before their turn.")},
      leases_total_{environment_.metrics.counter("gc_leases_total",
                                                 "Leases written for unreferenced blobs.")},
      rounds_total_{
          environment_.metrics.counter("gc_rounds_total", "Rounds of collection that ended well.")},
      failed_rounds_total_{environment_.metrics.counter("gc_rounds_failed_total",
                                                        "Rounds of collection that broke off.")},
      round_seconds_{
          environment_.metrics.histogram("gc_round_seconds", "Time of a round of collection.")} {
    turn_over_.set();
    publish_metrics();
}

void Collector::publish_metrics() {
    Metrics& metrics = environment_.metrics;
    metrics.gauge_function("gc_unreferenced_blobs", "Blobs that nothing references.", {},
                           [this] { return static_cast<double>(parts_.blobs.unreferenced()); });
    metrics.gauge_function("gc_condemned_extents", "Extents of deleted blobs not yet given back.",
                           {}, [this] { return static_cast<double>(parts_.blobs.condemned()); });
    metrics.gauge_function("gc_halted", "1 while nothing may be deleted: see the log.", {}, [this] {
        const std::lock_guard lock{mutex_};
        return halted_.empty() ? 0.0 : 1.0;
    });
}

void Collector::start() {
    waker_ = std::make_shared<Waker>();
    {
        const std::lock_guard lock{mutex_};
        next_at_ns_ = environment_.clock.steady_ns() + options_.gc_interval_ms * 1'000'000;
    }
    asio::co_spawn(
        environment_.background,
        run_at_intervals(weak_from_this(), waker_, environment_.clock, options_.gc_interval_ms),
        WokenBy{waker_->signal.slot()});
}

Awaitable<void> Collector::stop() {
    stopped_ = true;
    if (waker_ == nullptr) co_return;
    asio::post(environment_.background, [waker = waker_] {
        if (waker->started) waker->signal.emit(asio::cancellation_type::terminal);
    });
    co_await intervals_over_.wait();
    co_await turn_over_.wait();
}

// Between its rounds it holds nothing: a store may be dropped meanwhile.
Awaitable<void> Collector::run_at_intervals(std::weak_ptr<Collector> owner,
                                            std::shared_ptr<Waker> waker, Clock& clock,
                                            std::int64_t interval_ms) {
    // stop() only wakes it: the round that it has begun it takes to its next batch.
    co_await asio::this_coro::throw_if_cancelled(false);
    waker->started = true;
    for (bool first = true;; first = false) {
        auto self = owner.lock();
        if (self == nullptr) co_return;
        if (!first && !self->stopped_ && !self->options_.gc_paused && self->may_run(false)) {
            co_await take_turn(self, false, nullptr);
        }
        if (self->stopped_) {
            self->intervals_over_.set();
            co_return;
        }
        const std::int64_t next_ns = clock.steady_ns() + interval_ms * 1'000'000;
        {
            const std::lock_guard lock{self->mutex_};
            self->next_at_ns_ = next_ns;
        }
        self.reset();
        co_await clock.sleep_until(next_ns);
    }
}

Result<void> Collector::may_run(bool dry_run) const {
    if (stopped_ || log_ == nullptr) return fail(Errc::stopped);
    if (dry_run) return ok();
    if (log_->read_only()) return fail(Errc::read_only);
    const std::lock_guard lock{mutex_};
    if (!halted_.empty()) return fail(Errc::precondition_failed);
    return ok();
}

Awaitable<Result<CollectionRound>> Collector::run(bool dry_run, Progress progress) {
    ORB_CO_TRY(may_run(dry_run));
    auto work = take_turn(shared_from_this(), dry_run, std::move(progress));
    auto turn =
        co_await asio::co_spawn(environment_.background, std::move(work), asio::use_awaitable);
    if (!turn.begun) co_return fail(turn.round.error);
    co_return std::move(turn.round);
}

Awaitable<Collector::Turn> Collector::take_turn(std::shared_ptr<Collector> self, bool dry_run,
                                                Progress progress) {
    while (self->running_) co_await self->turn_over_.wait();
    if (const auto allowed = self->may_run(dry_run); !allowed) {
        Turn refused;
        refused.round.error = allowed.error();
        co_return refused;
    }
    self->running_ = true;
    self->turn_over_.reset();
    Walk walk;
    walk.progress = std::move(progress);
    CollectionRound& round = walk.round;
    const std::int64_t begin_ns = self->environment_.clock.steady_ns();
    round.dry_run = dry_run;
    round.store_time_ms = self->log_->store_time_ms();
    round.wall_ns = self->environment_.clock.wall_ns();
    if (!dry_run) round.uploads_closed = co_await self->parts_.lanes.close_expired();
    co_await self->walk_queue(walk);
    round.duration_ms = (self->environment_.clock.steady_ns() - begin_ns) / 1'000'000;
    self->finish(round);
    self->running_ = false;
    self->turn_over_.set();
    co_return Turn{true, round};
}

void Collector::choose(Walk& walk, const UnreferencedQueue::Entry& entry, std::uint64_t now_ms) {
    if (walk.since_s != entry.since_s) walk.chosen.clear();
    walk.since_s = entry.since_s;
    const auto blob = parts_.blobs.get(BlobId{entry.blob});
    if (!blob || blob->unreferenced_since_s != entry.since_s) return;
    if (!grace_.over(*blob, now_ms) || !walk.chosen.insert(entry.blob).second) return;
    walk.candidates.push_back({blob->id, blob->digest});
}

Awaitable<void> Collector::walk_queue(Walk& walk) {
    UnreferencedQueue& queue = parts_.blobs.unreferenced_queue();
    walk.batch_max = std::clamp<std::uint32_t>(options_.gc_batch_blobs_max, 1, kBatchBlobsMax);
    walk.cleaned = queue.first_block();
    const std::uint64_t end = queue.end_block();
    bool due = true;
    for (walk.block = walk.cleaned; due && walk.block < end; ++walk.block) {
        for (const auto& entry : queue.block(walk.block)) {
            // Times never fall: behind the first whose grace lasts there is nothing to do.
            const std::uint64_t now_ms = log_->store_time_ms();
            due = std::uint64_t{entry.since_s} * 1000 +
                      static_cast<std::uint64_t>(options_.gc_grace_ms) <=
                  now_ms;
            if (!due) break;
            choose(walk, entry, now_ms);
            if (walk.candidates.size() < walk.batch_max) continue;
            const auto submitted = co_await submit(walk);
            if (submitted) continue;
            walk.round.error = submitted.error();
            co_return;
        }
    }
    while (!walk.candidates.empty()) {
        const auto submitted = co_await submit(walk);
        if (!submitted) {
            walk.round.error = submitted.error();
            co_return;
        }
    }
}

// One batch; candidates that had no turn in it stay for the next.
Awaitable<Result<void>> Collector::submit(Walk& walk) {
    const std::int64_t begin_ns = environment_.clock.steady_ns();
    ORB_CO_TRY(may_run(walk.round.dry_run));
    const DeletionBatch::Rules rules{grace_, options_.gc_batch_links_max, walk.round.dry_run};
    const auto batch = std::make_shared<DeletionBatch>(parts_.blobs, parts_.catalog, rules,
                                                       std::move(walk.candidates));
    walk.candidates.clear();
    Group group;
    group.keys = batch->keys();
    group.check = [batch](Group& self, const FrameContext& frame) {
        return batch->check(self, frame);
    };
    ORB_CO_TRY(co_await submit_patiently(std::move(group)));
    if (stopped_) co_return fail(Errc::stopped);
    const auto& all = batch->candidates();
    walk.candidates.assign(all.begin() + static_cast<std::ptrdiff_t>(batch->decided()), all.end());
    const CollectionRound& counts = batch->counts();
    CollectionRound& round = walk.round;
    ++round.batches;
    round.examined += counts.examined;
    round.deleted += counts.deleted;
    round.deleted_bytes += counts.deleted_bytes;
    round.lane_bytes += counts.lane_bytes;
    round.log_bytes += counts.log_bytes;
    round.kept += counts.kept;
    UnreferencedQueue& queue = parts_.blobs.unreferenced_queue();
    for (; !round.dry_run && walk.cleaned < walk.block; ++walk.cleaned) {
        queue.clean(walk.cleaned, [this](const UnreferencedQueue::Entry& entry) {
            return parts_.blobs.is_unreferenced_since(entry);
        });
    }
    if (walk.progress) walk.progress(round);
    if (options_.gc_blobs_per_second != 0) {
        const std::uint32_t slowness =
            std::min(kSlownessMax, log_->scheduler().slowness(environment_.clock.steady_ns()));
        const auto pause_ns = static_cast<std::int64_t>(1'000'000'000ULL * counts.examined *
                                                        slowness / options_.gc_blobs_per_second);
        co_await environment_.clock.sleep_until(begin_ns + pause_ns);
    }
    co_return ok();
}

// A full queue of the log is no reason to wait a whole interval.
Awaitable<Result<void>> Collector::submit_patiently(Group group) {
    for (int attempt = 1;; ++attempt) {
        Group offered = group;
        const auto committed = co_await log_->commit(std::move(offered));
        if (committed) co_return ok();
        const bool again = committed.error() == make_error_code(Errc::overloaded);
        if (!again || attempt == kOverloadedMax || stopped_) co_return fail(committed.error());
        co_await environment_.clock.sleep_until(environment_.clock.steady_ns() + kOverloadedWaitNs);
    }
}

void Collector::finish(const CollectionRound& round) {
    const bool well = !round.error;
    if (!round.dry_run) {
        (well ? rounds_total_ : failed_rounds_total_).add();
        deleted_blobs_total_.add(round.deleted);
        deleted_bytes_total_.add(round.deleted_bytes);
        kept_total_.add(round.kept);
        round_seconds_.observe_ns(round.duration_ms * 1'000'000);
        const std::lock_guard lock{mutex_};
        ++rounds_;
        deleted_ += round.deleted;
        deleted_bytes_ += round.deleted_bytes;
        last_ = round;
    }
    if (!well && round.error != make_error_code(Errc::stopped)) {
        environment_.log.warn("collection broke off",
                              {{"error", round.error.message()}, {"deleted", round.deleted}});
    } else if (round.deleted != 0 && !round.dry_run) {
        environment_.log.info("collection deleted blobs", {{"deleted", round.deleted},
                                                           {"bytes", round.deleted_bytes},
                                                           {"kept", round.kept},
                                                           {"duration_ms", round.duration_ms}});
    }
}

CollectionStatus Collector::status() const {
    CollectionStatus status;
    status.running = running_;
    status.paused = options_.gc_paused;
    status.grace_ms = options_.gc_grace_ms;
    status.interval_ms = options_.gc_interval_ms;
    status.unreferenced_blobs = parts_.blobs.unreferenced();
    status.condemned_extents = parts_.blobs.condemned();
    status.leases = leases_total_.value();
    const std::lock_guard lock{mutex_};
    status.halted = halted_;
    status.rounds = rounds_;
    status.deleted = deleted_;
    status.deleted_bytes = deleted_bytes_;
    status.last = last_;
    if (!options_.gc_paused && halted_.empty() && waker_ != nullptr) {
        status.next_in_ms =
            std::max<std::int64_t>(0, (next_at_ns_ - environment_.clock.steady_ns()) / 1'000'000);
    }
    return status;
}

BlobFate Collector::fate_of(const Digest& digest) const {
    BlobFate fate;
    fate.now_ms = log_ == nullptr ? 0 : log_->store_time_ms();
    fate.remembered = parts_.deletions.size();
    if (const auto blob = parts_.blobs.find(digest)) {
        fate.state =
            blob->references != 0 ? BlobFate::State::referenced : BlobFate::State::unreferenced;
        fate.damaged = blob->damaged;
        fate.size_bytes = blob->extent.size_bytes;
        fate.references = blob->references;
        fate.unreferenced_since_ms = std::uint64_t{blob->unreferenced_since_s} * 1000;
        fate.due_ms = grace_.due_ms(*blob);
        return fate;
    }
    if (const auto deleted = parts_.deletions.find(digest)) {
        fate.state = BlobFate::State::deleted;
        fate.size_bytes = deleted->size_bytes;
        fate.unreferenced_since_ms = deleted->unreferenced_since_ms;
        fate.deleted_ms = deleted->deleted_ms;
    }
    return fate;
}

void Collector::halt(std::string reason) {
    {
        const std::lock_guard lock{mutex_};
        if (!halted_.empty()) return;
        halted_ = reason;
    }
    environment_.log.error("collection is halted until the store is opened again",
                           {{"reason", reason}});
}

}  // namespace orbitalreg::cas
