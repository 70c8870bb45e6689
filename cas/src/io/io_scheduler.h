#pragma once
// IoScheduler keeps bulk and background I/O from ruining commits: it looks at how long durable writes of the log take,
// and says how many bytes of bulk writes may be at the device at once and how slowly the background shall go. AIMD: a
// window whose slowest write is above the target takes 3/10 of the cap away and doubles the slowness, any other one
// gives a step back. When no commit was written for a while there is none to protect: the cap is at its maximum, the
// slowness 1.
//
// Threads  observe() on the sequencer; the rest any.
// Limits   kCapMin to kCapMax, 1 to kSlownessMax. A target of 0 turns it off: no cap, slowness 1.

#include "base/bytes.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>

namespace orbitalreg::cas {

class IoScheduler {
public:
    static constexpr std::uint64_t kCapMin = 256_KiB;  // one write
    static constexpr std::uint64_t kCapStep = 256_KiB;
    static constexpr std::uint64_t kCapMax = 16_MiB;
    static constexpr std::uint32_t kSlownessMax = 16;
    static constexpr std::uint32_t kWindowWrites = 32;
    static constexpr std::int64_t kWindowNs = 100'000'000;
    static constexpr std::int64_t kForgetNs = 500'000'000;

    explicit IoScheduler(std::int64_t target_us) noexcept : target_ns_{target_us * 1000} {}

    // One durable write of the log took `taken_ns` and ended at `now_ns`.
    void observe(std::int64_t now_ns, std::int64_t taken_ns) noexcept {
        if (target_ns_ == 0) return;
        if (writes_ == 0) window_began_ns_ = now_ns;
        slowest_ns_ = std::max(slowest_ns_, taken_ns);
        ++writes_;
        observed_ns_.store(now_ns, std::memory_order_relaxed);
        if (writes_ >= kWindowWrites || now_ns - window_began_ns_ >= kWindowNs) end_window();
    }

    // Bytes of bulk writes at the device, of all reactors together.
    std::uint64_t bulk_cap_bytes(std::int64_t now_ns) const noexcept {
        if (target_ns_ == 0) return std::numeric_limits<std::uint64_t>::max();
        return forgotten(now_ns) ? kCapMax : bulk_cap_.load(std::memory_order_relaxed);
    }
    // Background work goes at 1/slowness of its rate.
    std::uint32_t slowness(std::int64_t now_ns) const noexcept {
        return forgotten(now_ns) ? 1 : slowness_.load(std::memory_order_relaxed);
    }

private:
    bool forgotten(std::int64_t now_ns) const noexcept {
        return now_ns - observed_ns_.load(std::memory_order_relaxed) > kForgetNs;
    }
    void end_window() noexcept {
        const std::uint64_t cap = bulk_cap_.load(std::memory_order_relaxed);
        const std::uint32_t slowness = slowness_.load(std::memory_order_relaxed);
        if (slowest_ns_ > target_ns_) {
            bulk_cap_.store(std::max<std::uint64_t>(kCapMin, cap / 10 * 7),
                            std::memory_order_relaxed);
            slowness_.store(std::min(kSlownessMax, 2 * slowness), std::memory_order_relaxed);
        } else {
            bulk_cap_.store(std::min<std::uint64_t>(kCapMax, cap + kCapStep),
                            std::memory_order_relaxed);
            slowness_.store(std::max(1U, slowness / 2), std::memory_order_relaxed);
        }
        writes_ = 0;
        slowest_ns_ = 0;
    }

    const std::int64_t target_ns_;
    std::atomic<std::uint64_t> bulk_cap_{kCapMax};
    std::atomic<std::uint32_t> slowness_{1};
    std::atomic<std::int64_t> observed_ns_{0};
    // The sequencer's own.
    std::uint32_t writes_ = 0;
    std::int64_t window_began_ns_ = 0;
    std::int64_t slowest_ns_ = 0;
};

}  // namespace orbitalreg::cas
