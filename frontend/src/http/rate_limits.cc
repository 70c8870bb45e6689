#include "http/rate_limits.h"

#include "http/forwarded.h"

#include <algorithm>
#include <cmath>

namespace orbitalreg::frontend {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::size_t kWholeAddress = 4;

std::int64_t to_ns(std::chrono::milliseconds time) noexcept {
    return std::chrono::nanoseconds{time}.count();
}

std::uint64_t seconds_up(std::int64_t ns) noexcept {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(1, (ns + kSecond - 1) / kSecond));
}

}  // namespace

std::uint64_t RateLimits::window_s() const noexcept {
    return seconds_up(to_ns(options_.pull_window));
}

// Whoever has all tokens and no pull in its window is as one that never came.
void RateLimits::forget_idle(std::int64_t now_ns) {
    if (now_ns < next_sweep_ns_) return;
    next_sweep_ns_ = now_ns + kSecond;
    const auto idle_ns = std::max(to_ns(options_.pull_window), kBurstSeconds * kSecond);
    std::erase_if(counts_, [&](const auto& entry) {
        return now_ns - entry.second.refilled_ns >= idle_ns &&
               now_ns - entry.second.window_began_ns >= idle_ns;
    });
}

RateLimits::Count& RateLimits::count_of(std::string_view address, std::int64_t now_ns) {
    auto key = subscriber_key(address, kWholeAddress);
    if (const auto known = counts_.find(key); known != counts_.end()) return known->second;
    if (counts_.size() >= kAddressesMax) forget_idle(now_ns);
    if (counts_.size() >= kAddressesMax) key.clear();
    const auto [place, is_new] = counts_.try_emplace(std::move(key));
    if (is_new) {
        place->second = {static_cast<double>(options_.requests_per_second) * kBurstSeconds, now_ns,
                         0, now_ns};
    }
    return place->second;
}

std::optional<std::uint64_t> RateLimits::request(std::string_view address, std::int64_t now_ns) {
    if (options_.requests_per_second == 0) return std::nullopt;
    const auto rate = static_cast<double>(options_.requests_per_second);
    const std::lock_guard lock{mutex_};
    Count& count = count_of(address, now_ns);
    const auto passed_s = static_cast<double>(now_ns - count.refilled_ns) / kSecond;
    count.tokens = std::min(rate * kBurstSeconds, count.tokens + passed_s * rate);
    count.refilled_ns = now_ns;
    if (count.tokens >= 1) {
        count.tokens -= 1;
        return std::nullopt;
    }
    return static_cast<std::uint64_t>(std::max(1.0, std::ceil((1 - count.tokens) / rate)));
}

RateLimits::Pulls RateLimits::pull(std::string_view address, std::int64_t now_ns, bool counts) {
    const std::lock_guard lock{mutex_};
    Count& count = count_of(address, now_ns);
    const auto window_ns = to_ns(options_.pull_window);
    if (now_ns - count.window_began_ns >= window_ns) {
        count.window_began_ns = now_ns;
        count.pulls = 0;
    }
    if (counts && count.pulls >= options_.pulls)
        return {0, seconds_up(count.window_began_ns + window_ns - now_ns)};
    if (counts) ++count.pulls;
    return {options_.pulls - count.pulls, std::nullopt};
}

}  // namespace orbitalreg::frontend
