#pragma once
// Clock is where all time comes from. Tests and the simulator supply their own.

#include "base/asio.h"

#include <cstdint>

namespace orbitalreg {

class Clock {
public:
    virtual ~Clock() = default;

    // CLOCK_MONOTONIC, for durations and timeouts.
    virtual std::int64_t steady_ns() const noexcept = 0;
    // CLOCK_BOOTTIME, which goes on while the machine sleeps; store time advances by it.
    virtual std::int64_t boottime_ms() const noexcept = 0;
    // CLOCK_REALTIME, for people; may jump either way.
    virtual std::int64_t wall_ns() const noexcept = 0;
    // Returns at or after `deadline_steady_ns`, or early when the coroutine is cancelled.
    virtual Awaitable<void> sleep_until(std::int64_t deadline_steady_ns) = 0;
};

// The clocks of the kernel. Lives as long as the process.
Clock& system_clock() noexcept;

}  // namespace orbitalreg
