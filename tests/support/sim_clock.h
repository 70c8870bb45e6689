#pragma once
// SimClock is the Clock of a simulation: it shows the scheduler's virtual time, and its wall clock
// can jump.
//
// Threads  one.

#include "base/clock.h"
#include "support/sim_executor.h"

namespace orbitalreg::sim {

class SimClock final : public Clock {
public:
    explicit SimClock(SimScheduler& scheduler) noexcept : scheduler_{scheduler} {}

    std::int64_t steady_ns() const noexcept override { return scheduler_.now_ns(); }
    std::int64_t boottime_ms() const noexcept override { return scheduler_.now_ns() / 1'000'000; }
    std::int64_t wall_ns() const noexcept override { return scheduler_.now_ns() + wall_offset_ns_; }
    Awaitable<void> sleep_until(std::int64_t deadline_steady_ns) override;

    // Years either way; store time must not care.
    void jump_wall_ns(std::int64_t by) noexcept { wall_offset_ns_ += by; }
    std::int64_t wall_offset_ns() const noexcept { return wall_offset_ns_; }

private:
    SimScheduler& scheduler_;
    std::int64_t wall_offset_ns_ = 1'700'000'000'000'000'000;
};

}  // namespace orbitalreg::sim
