#include "io/pacer.h"

#include <algorithm>

namespace orbitalreg::cas {

Awaitable<void> Pacer::take(std::uint64_t bytes) {
    const std::int64_t now_ns = clock_.steady_ns();
    const std::uint32_t slowness = scheduler_ == nullptr ? 1 : scheduler_->slowness(now_ns);
    // An unbounded rate is bounded by what slowness adds: 1 GB/s divided by it.
    const std::uint64_t rate = rate_ != 0 ? rate_ : (slowness == 1 ? 0 : 1'000'000'000);
    if (rate == 0) co_return;
    const auto cost_ns =
        static_cast<std::int64_t>(static_cast<double>(bytes) * 1e9 / static_cast<double>(rate)) *
        static_cast<std::int64_t>(slowness);
    next_ns_ = std::max(next_ns_, now_ns) + cost_ns;
    if (next_ns_ - now_ns > kBurstNs) co_await clock_.sleep_until(next_ns_ - kBurstNs);
}

}  // namespace orbitalreg::cas
