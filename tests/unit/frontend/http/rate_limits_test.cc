#include "http/rate_limits.h"

#include <gtest/gtest.h>

namespace orbitalreg::frontend {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

// Goal: ten seconds' worth at once, then the rate, each address for itself.
TEST(RateLimits, RequestsComeAtTheirRate) {
    RateLimits limits{RateOptions{.requests_per_second = 2}};
    for (int i = 0; i < 20; ++i) EXPECT_FALSE(limits.request("192.0.2.1", 0)) << i;
    EXPECT_EQ(limits.request("192.0.2.1", 0), 1U);
    EXPECT_FALSE(limits.request("192.0.2.2", 0));
    EXPECT_FALSE(limits.request("192.0.2.1", kSecond / 2));
    EXPECT_EQ(limits.request("192.0.2.1", kSecond / 2), 1U);
    for (int i = 0; i < 20; ++i) EXPECT_FALSE(limits.request("192.0.2.1", 100 * kSecond)) << i;
    EXPECT_TRUE(limits.request("192.0.2.1", 100 * kSecond));
}

// Goal: a window's pulls, what is left of them, and how long to wait; HEAD asks without counting (DIST-RATE-03).
TEST(RateLimits, PullsAreCountedInTheirWindow) {
    RateLimits limits{RateOptions{.pulls = 3, .pull_window = std::chrono::seconds{60}}};
    EXPECT_EQ(limits.window_s(), 60U);
    EXPECT_EQ(limits.pull("192.0.2.1", 0, false).remaining, 3U);
    for (std::uint64_t left = 3; left-- > 0;) {
        const auto pulls = limits.pull("192.0.2.1", kSecond, true);
        EXPECT_EQ(pulls.remaining, left);
        EXPECT_FALSE(pulls.wait_s);
    }
    EXPECT_EQ(limits.pull("192.0.2.1", 20 * kSecond, true).wait_s, 40U);
    EXPECT_FALSE(limits.pull("192.0.2.1", 20 * kSecond, false).wait_s);
    EXPECT_EQ(limits.pull("192.0.2.2", 20 * kSecond, true).remaining, 2U);
    EXPECT_EQ(limits.pull("192.0.2.1", 60 * kSecond, true).remaining, 2U);
}

// Goal: 64 bits of IPv6 are one subscriber, however many addresses it takes.
TEST(RateLimits, ANetworkOfIpv6IsOneAddress) {
    RateLimits limits{RateOptions{.pulls = 1}};
    EXPECT_FALSE(limits.pull("2001:db8:1:2::1", 0, true).wait_s);
    EXPECT_TRUE(limits.pull("2001:db8:1:2:ffff::1", 0, true).wait_s);
    EXPECT_FALSE(limits.pull("2001:db8:1:3::1", 0, true).wait_s);
    EXPECT_FALSE(limits.pull("192.0.2.1", 0, true).wait_s);
    EXPECT_TRUE(limits.pull("::ffff:192.0.2.1", 0, true).wait_s);
}

// Goal: memory has a bound: newcomers beyond it share one count, and the idle make room.
TEST(RateLimits, AddressesAreBounded) {
    RateLimits limits{RateOptions{.pulls = 2, .pull_window = std::chrono::seconds{60}}};
    for (std::size_t i = 0; i < RateLimits::kAddressesMax; ++i)
        limits.pull("host-" + std::to_string(i), 0, true);
    EXPECT_FALSE(limits.pull("new-1", 0, true).wait_s);
    EXPECT_FALSE(limits.pull("new-2", 0, true).wait_s);
    EXPECT_TRUE(limits.pull("new-3", 0, true).wait_s);
    EXPECT_EQ(limits.pull("new-4", 60 * kSecond, true).remaining, 1U);
    EXPECT_EQ(limits.pull("new-5", 60 * kSecond, true).remaining, 1U);
}

}  // namespace
}  // namespace orbitalreg::frontend
