#include "log/store_time.h"

#include "base/planted_bug.h"

#include <algorithm>

namespace orbitalreg::cas {

void StoreTime::start_at(std::uint64_t store_time_ms) noexcept {
    start_store_time_ms_ = store_time_ms;
    start_boottime_ms_ = clock_.boottime_ms();
    last_ms_.store(store_time_ms, std::memory_order_relaxed);
}

void StoreTime::resume(std::uint64_t frame_store_time_ms, std::int64_t frame_wall_ns) noexcept {
    // In milliseconds before the subtraction: two wall clocks of any value cannot overflow it.
    const std::int64_t passed = clock_.wall_ns() / 1'000'000 - frame_wall_ns / 1'000'000;
    const std::int64_t most =
        ORB_PLANTED(wall_clock_for_grace) ? std::max<std::int64_t>(passed, 0) : kStartAdvanceMsMax;
    const std::int64_t advance = std::clamp<std::int64_t>(passed, 0, most);
    start_at(frame_store_time_ms + static_cast<std::uint64_t>(advance));
}

std::uint64_t StoreTime::now_ms() noexcept {
    const std::int64_t passed =
        std::max<std::int64_t>(clock_.boottime_ms() - start_boottime_ms_, 0);
    const std::uint64_t candidate = start_store_time_ms_ + static_cast<std::uint64_t>(passed);
    std::uint64_t last = last_ms_.load(std::memory_order_relaxed);
    while (candidate > last &&
           !last_ms_.compare_exchange_weak(last, candidate, std::memory_order_relaxed)) {
    }
    return std::max(candidate, last);
}

}  // namespace orbitalreg::cas
