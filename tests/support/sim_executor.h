#pragma once
// SimScheduler runs a whole simulation on one thread: handlers that are ready, in an order drawn
// from its seed, and timers in virtual time, which moves on when nothing is ready (and a little
// with each handler).
//
// SimExecutor is its executor, usable as asio::any_io_executor.
//
// Life     clear() or the destructor destroys handlers that never ran, and with them the coroutines
// they belong to. Threads  one.

#include "base/asio.h"
#include "support/sim_random.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution.hpp>
#include <boost/asio/execution_context.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

namespace orbitalreg::sim {

// A handler that is called once. Move-only, unlike std::function.
class SimTask {
public:
    template <class F>
    explicit SimTask(F function) : body_{std::make_unique<Body<F>>(std::move(function))} {}
    void run() {
        const std::unique_ptr<Base> body = std::move(body_);
        body->run();
    }

private:
    struct Base {
        virtual ~Base() = default;
        virtual void run() = 0;
    };
    template <class F>
    struct Body final : Base {
        explicit Body(F&& f) : function{std::move(f)} {}
        void run() override {
            F taken = std::move(function);
            taken();
        }
        F function;
    };
    std::unique_ptr<Base> body_;
};

class SimExecutor;

// How time passes while handlers are ready. Slow handlers let timers fall between any two of them; a delayed one comes
// after everything that would have followed it.
struct SimPace {
    std::int64_t handler_ns_max = 20'000;
    std::uint64_t delay_one_in = 0;  // handlers; 0: none
    std::int64_t delay_ns_max = 0;
};

class SimScheduler : public asio::execution_context {
public:
    using TimerId = std::pair<std::int64_t, std::uint64_t>;

    explicit SimScheduler(std::uint64_t seed, std::int64_t now_ns = 1'000'000'000)
        : random_{seed}, now_ns_{now_ns} {}
    ~SimScheduler() { clear(); }

    SimExecutor executor() noexcept;

    void post(SimTask task) { ready_.push_back(std::move(task)); }
    TimerId start_timer(std::int64_t deadline_ns, SimTask task);
    // The timer's task becomes ready at once; false when it ran already.
    bool cancel_timer(TimerId timer);

    void set_pace(const SimPace& pace) noexcept { pace_ = pace; }
    std::int64_t now_ns() const noexcept { return now_ns_; }
    void advance_ns(std::int64_t by) noexcept { now_ns_ += by; }

    // Runs one handler, or moves time to the next timer. False when there is neither.
    bool step();
    // Runs one handler that is ready; never moves time on to a timer.
    bool step_ready();
    // Steps until `done` says so. False when nothing was left to do, or after `steps_max`.
    bool run_until(const std::function<bool()>& done, std::uint64_t steps_max);

    std::size_t ready() const noexcept { return ready_.size(); }
    std::uint64_t steps() const noexcept { return steps_; }
    void clear();

private:
    void take_due_timers();

    SimRandom random_;
    SimPace pace_;
    std::vector<SimTask> ready_;
    std::map<TimerId, SimTask> timers_;
    std::int64_t now_ns_;
    std::uint64_t timer_sequence_ = 0;
    std::uint64_t steps_ = 0;
};

class SimExecutor {
public:
    explicit SimExecutor(SimScheduler& scheduler) noexcept : scheduler_{&scheduler} {}

    asio::execution_context& query(asio::execution::context_t) const noexcept {
        return *scheduler_;
    }
    static constexpr asio::execution::blocking_t query(asio::execution::blocking_t) noexcept {
        return asio::execution::blocking.never;
    }
    template <class F>
    void execute(F function) const {
        scheduler_->post(SimTask{std::move(function)});
    }
    friend bool operator==(const SimExecutor&, const SimExecutor&) noexcept = default;

private:
    SimScheduler* scheduler_;
};

inline SimExecutor SimScheduler::executor() noexcept { return SimExecutor{*this}; }

}  // namespace orbitalreg::sim
