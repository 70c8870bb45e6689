#include "references/recounter.h"

#include "cas/errors.h"
#include "io/woken_by.h"

#include <utility>

namespace orbitalreg::cas {
namespace {

constexpr std::int64_t kRetryShare = 10;  // of the interval, after one that gave up

}  // namespace

Recounter::Recounter(StoreEnvironment environment, const StoreOptions& options, BlobTable& blobs,
                     CatalogMachine& catalog)
    : environment_{std::move(environment)},
      interval_ms_{options.recount_interval_ms},
      side_bytes_max_{options.memory_limit_bytes / 64},
      blobs_{blobs},
      catalog_{catalog},
      recounts_total_{environment_.metrics.counter(
          "recounts_total", "Recounts of all references that came to their end.")},
      mismatches_total_{environment_.metrics.counter(
          "recount_mismatches_total",
          "Blobs whose count of references was not what a recount found: a bug.")} {}

void Recounter::start(Committer& log) {
    log_ = &log;
    waker_ = std::make_shared<Waker>();
    asio::co_spawn(environment_.background,
                   run_at_intervals(weak_from_this(), waker_, environment_.clock, interval_ms_),
                   WokenBy{waker_->signal.slot()});
}

Awaitable<void> Recounter::stop() {
    stopped_ = true;
    if (waker_ == nullptr) co_return;
    asio::post(environment_.background, [waker = waker_] {
        if (waker->started) waker->signal.emit(asio::cancellation_type::terminal);
    });
    co_await over_.wait();
}

// Between its rounds it holds nothing: a store may be dropped meanwhile.
Awaitable<void> Recounter::run_at_intervals(std::weak_ptr<Recounter> owner,
                                            std::shared_ptr<Waker> waker, Clock& clock,
                                            std::int64_t interval_ms) {
    co_await asio::this_coro::throw_if_cancelled(false);
    waker->started = true;
    std::int64_t wait_ms = interval_ms;
    for (bool first = true;; first = false) {
        auto self = owner.lock();
        if (self == nullptr) co_return;
        if (!first && !self->stopped_) {
            const auto finding = co_await self->run();
            if (finding) self->report(finding.value());
            wait_ms = finding ? interval_ms : interval_ms / kRetryShare;
        }
        if (self->stopped_) {
            self->over_.set();
            co_return;
        }
        self.reset();
        co_await clock.sleep_until(clock.steady_ns() + wait_ms * 1'000'000);
    }
}

// The steps have names: GCC 12 destroys what a temporary in an awaited call captured once more when the coroutine goes on.
Awaitable<Result<Recount::Finding>> Recounter::run() {
    const auto recount = std::make_shared<Recount>(blobs_, catalog_);
    const auto more = std::make_shared<bool>(true);
    const std::function<void()> begin = [recount] { recount->begin(); };
    const std::function<void()> step = [recount, more] { *more = recount->step(); };
    const std::function<void()> end = [recount] { recount->end(); };
    ORB_CO_TRY(co_await log_->between_frames(begin));
    bool fits = true;
    while (*more && fits && !stopped_) {
        ORB_CO_TRY(co_await log_->between_frames(step));
        if (abandoned_) co_return fail(Errc::stopped);
        fits = recount->side_bytes() <= side_bytes_max_;
    }
    if (!*more) co_return recount->finding();
    if (abandoned_) co_return fail(Errc::stopped);
    ORB_CO_TRY(co_await log_->between_frames(end));
    co_return fail(stopped_ ? Errc::stopped : Errc::overloaded);
}

void Recounter::report(const Recount::Finding& finding) {
    recounts_total_.add();
    if (finding.mismatches == 0) {
        environment_.log.info("references recounted",
                              {{"blobs", finding.blobs}, {"references", finding.references}});
        return;
    }
    mismatches_total_.add(finding.mismatches);
    for (const Recount::Mismatch& each : finding.first) {
        const auto blob = blobs_.get(each.blob);
        environment_.log.error("a blob's references are counted wrong: a bug, please report it",
                               {{"blob", each.blob.value},
                                {"digest", blob ? blob->digest.to_string() : std::string{}},
                                {"counted", each.counted},
                                {"kept", each.kept}});
    }
    if (on_mismatch) {
        on_mismatch("the recount found " + std::to_string(finding.mismatches) +
                    " blobs whose references are counted wrong");
    }
}

}  // namespace orbitalreg::cas
