#pragma once
// RateLimits counts what one address asks for: requests a second, and pulls (manifests read) in a window (SEC-109,
// DIST-RATE-01, DIST-RATE-03). Bodies of uploads are never refused for it: clients cannot send them again (DIST-RATE-02).
//
// Threads  any.
// Limits   kAddressesMax addresses (of IPv6 the first 64 bits); beyond, those that come new share one count.
// Units    nanoseconds of a steady clock, seconds where a client is told to wait.

#include "frontend/options.h"

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace orbitalreg::frontend {

class RateLimits {
public:
    static constexpr std::size_t kAddressesMax = 65'536;
    // So many seconds' worth may come at once.
    static constexpr std::uint32_t kBurstSeconds = 10;

    explicit RateLimits(const RateOptions& options) noexcept : options_{options} {}

    bool limits_pulls() const noexcept { return options_.pulls > 0; }
    std::uint64_t pulls_max() const noexcept { return options_.pulls; }
    std::uint64_t window_s() const noexcept;

    // Counts a request; where it is one too many, after how many seconds another would be taken.
    std::optional<std::uint64_t> request(std::string_view address, std::int64_t now_ns);

    struct Pulls {
        std::uint64_t remaining = 0;
        std::optional<std::uint64_t> wait_s;  // one too many
    };
    // `counts` false: only asks, as HEAD does.
    Pulls pull(std::string_view address, std::int64_t now_ns, bool counts);

private:
    struct Count {
        double tokens = 0;
        std::int64_t refilled_ns = 0;
        std::uint64_t pulls = 0;
        std::int64_t window_began_ns = 0;
    };

    Count& count_of(std::string_view address, std::int64_t now_ns);
    // Looks at all, once a second at most: a crowd of new addresses does not pay for it one by one.
    void forget_idle(std::int64_t now_ns);

    const RateOptions options_;
    std::mutex mutex_;
    std::unordered_map<std::string, Count> counts_;
    std::int64_t next_sweep_ns_ = 0;
};

}  // namespace orbitalreg::frontend
