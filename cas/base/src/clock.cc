#include "base/clock.h"

#include <boost/asio/steady_timer.hpp>

#include <time.h>

namespace orbitalreg {
namespace {

std::int64_t read_ns(clockid_t id) noexcept {
    timespec now{};
    ::clock_gettime(id, &now);
    return now.tv_sec * std::int64_t{1'000'000'000} + now.tv_nsec;
}

class SystemClock final : public Clock {
public:
    std::int64_t steady_ns() const noexcept override { return read_ns(CLOCK_MONOTONIC); }
    std::int64_t boottime_ms() const noexcept override {
        return read_ns(CLOCK_BOOTTIME) / 1'000'000;
    }
    std::int64_t wall_ns() const noexcept override { return read_ns(CLOCK_REALTIME); }
    Awaitable<void> sleep_until(std::int64_t deadline_steady_ns) override {
        asio::steady_timer timer{co_await asio::this_coro::executor};
        timer.expires_at(
            std::chrono::steady_clock::time_point{std::chrono::nanoseconds{deadline_steady_ns}});
        co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    }
};

}  // namespace

Clock& system_clock() noexcept {
    static SystemClock clock;
    return clock;
}

}  // namespace orbitalreg
