#include "support/sim_executor.h"

namespace orbitalreg::sim {

SimScheduler::TimerId SimScheduler::start_timer(std::int64_t deadline_ns, SimTask task) {
    const TimerId timer{deadline_ns, ++timer_sequence_};
    timers_.emplace(timer, std::move(task));
    return timer;
}

bool SimScheduler::cancel_timer(TimerId timer) {
    auto found = timers_.extract(timer);
    if (found.empty()) return false;
    ready_.push_back(std::move(found.mapped()));
    return true;
}

void SimScheduler::take_due_timers() {
    while (!timers_.empty() && timers_.begin()->first.first <= now_ns_) {
        ready_.push_back(std::move(timers_.begin()->second));
        timers_.erase(timers_.begin());
    }
}

bool SimScheduler::step_ready() {
    if (ready_.empty()) return false;
    ++steps_;
    now_ns_ +=
        static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(pace_.handler_ns_max)));
    const std::size_t chosen = random_.below(ready_.size());
    std::swap(ready_[chosen], ready_.back());
    SimTask task = std::move(ready_.back());
    ready_.pop_back();
    if (random_.one_in(pace_.delay_one_in)) {
        const auto by = random_.below(static_cast<std::uint64_t>(pace_.delay_ns_max));
        start_timer(now_ns_ + 1 + static_cast<std::int64_t>(by), std::move(task));
        return true;
    }
    task.run();
    return true;
}

bool SimScheduler::step() {
    take_due_timers();
    if (ready_.empty()) {
        if (timers_.empty()) return false;
        now_ns_ = timers_.begin()->first.first;
        take_due_timers();
    }
    return step_ready();
}

bool SimScheduler::run_until(const std::function<bool()>& done, std::uint64_t steps_max) {
    for (std::uint64_t i = 0; i < steps_max; ++i) {
        if (done()) return true;
        if (!step()) return done();
    }
    return done();
}

// Destroying a handler may post others; these go too.
void SimScheduler::clear() {
    while (!ready_.empty() || !timers_.empty()) {
        std::vector<SimTask> ready;
        std::map<TimerId, SimTask> timers;
        ready.swap(ready_);
        timers.swap(timers_);
    }
}

}  // namespace orbitalreg::sim
