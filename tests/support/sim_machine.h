#pragma once
// SimMachine is the machine under one life of a store: an executor, a clock, metrics and the Io of a disk that outlives
// it. A test opens its store with environment() and lets it run.
//
// Life     of the process; what runs on it is destroyed between two clear(), before the machine.
// Threads  one.

#include "base/asio.h"
#include "base/log.h"
#include "base/metrics.h"
#include "cas/options.h"
#include "cas/store.h"
#include "support/sim_clock.h"
#include "support/sim_disk.h"
#include "support/sim_executor.h"
#include "support/sim_io.h"
#include "support/sim_random.h"

#include <cstdint>
#include <optional>
#include <utility>

namespace orbitalreg::sim {

class SimMachine {
public:
    static constexpr std::uint64_t kStepsMax = 2'000'000;

    SimMachine(SimDisk& disk, std::uint64_t seed, const SimIoOptions& options = {})
        : random_{seed},
          scheduler_{seed},
          clock_{scheduler_},
          io_{disk, random_, trace_, options} {}

    cas::StoreEnvironment environment() { return environment(io_); }
    // Over another Io, which may hand its calls on to io().
    cas::StoreEnvironment environment(cas::Io& io) {
        return {io,
                clock_,
                random_,
                null_log(),
                metrics_,
                {scheduler_.executor()},
                scheduler_.executor(),
                true};
    }

    // Runs until the answer is there; none when it never comes.
    template <class T>
    std::optional<T> run(Awaitable<T> work) {
        std::optional<T> answer;
        asio::co_spawn(scheduler_.executor(), keep(std::move(work), answer), asio::detached);
        scheduler_.run_until([&] { return answer.has_value(); }, kStepsMax);
        return answer;
    }
    // Whether it ended.
    bool run(Awaitable<void> work) {
        bool ended = false;
        asio::co_spawn(scheduler_.executor(), note_end(std::move(work), ended), asio::detached);
        scheduler_.run_until([&] { return ended; }, kStepsMax);
        return ended;
    }
    // What is ready now; time stands still.
    void settle() {
        while (scheduler_.step_ready()) {
        }
    }
    // Until nothing is left to do, timers included.
    void idle() {
        while (scheduler_.step()) {
        }
    }
    void pass_ms(std::int64_t ms) {
        const std::int64_t end = scheduler_.now_ns() + ms * 1'000'000;
        scheduler_.run_until([&] { return scheduler_.now_ns() >= end; }, kStepsMax);
    }
    void clear() { scheduler_.clear(); }

    asio::any_io_executor executor() { return scheduler_.executor(); }
    SimScheduler& scheduler() noexcept { return scheduler_; }
    SimClock& clock() noexcept { return clock_; }
    SimIo& io() noexcept { return io_; }
    Metrics& metrics() noexcept { return metrics_; }

private:
    template <class T>
    static Awaitable<void> keep(Awaitable<T> work, std::optional<T>& answer) {
        answer.emplace(co_await std::move(work));
    }
    static Awaitable<void> note_end(Awaitable<void> work, bool& ended) {
        co_await std::move(work);
        ended = true;
    }

    Metrics metrics_;
    SimRandom random_;
    SimTrace trace_;
    SimScheduler scheduler_;
    SimClock clock_;
    SimIo io_;
};

}  // namespace orbitalreg::sim
