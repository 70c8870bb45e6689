#pragma once
// Pacer is a token bucket for background work: so many bytes a second, fewer while the foreground is slow.
//
// Life     take() before each slice of work.
// Threads  use from one strand.
// Limits   a bucket of kBurstNs worth of work. At the greatest slowness it still goes on, at 1/kSlownessMax of
//          IoScheduler.

#include "base/asio.h"
#include "base/clock.h"
#include "io/io_scheduler.h"

#include <cstdint>

namespace orbitalreg::cas {

class Pacer {
public:
    static constexpr std::int64_t kBurstNs = 20'000'000;

    // `rate_bytes_per_s` 0: without a bound while the foreground is well. `scheduler` outlives the pacer; null: the
    // foreground is always well.
    Pacer(Clock& clock, std::uint64_t rate_bytes_per_s, const IoScheduler* scheduler) noexcept
        : clock_{clock}, rate_{rate_bytes_per_s}, scheduler_{scheduler} {}

    // Returns when `bytes` may be moved; early when the coroutine is cancelled.
    Awaitable<void> take(std::uint64_t bytes);
    std::uint64_t rate_bytes_per_s() const noexcept { return rate_; }

private:
    Clock& clock_;
    const std::uint64_t rate_;
    const IoScheduler* scheduler_;
    std::int64_t next_ns_ = 0;  // when the bucket is full again but for kBurstNs
};

}  // namespace orbitalreg::cas
