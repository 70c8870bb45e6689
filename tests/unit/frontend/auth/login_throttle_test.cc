#include "auth/login_throttle.h"

#include <gtest/gtest.h>

namespace orbitalreg::frontend {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

class LoginThrottleTest : public testing::Test {
protected:
    std::optional<std::int64_t> wait(std::string_view address, std::string_view account) {
        return throttle.wait_s(address, account, now);
    }
    void fail(int count, std::string_view address, std::string_view account) {
        for (int i = 0; i < count; ++i) throttle.failed(address, account, now);
    }

    LoginThrottle throttle{5};
    std::int64_t now = 1000 * kSecond;
};

TEST_F(LoginThrottleTest, EachFurtherFailureDoublesTheDelay) {
    fail(4, "192.0.2.1", "alice");
    EXPECT_EQ(wait("192.0.2.1", "alice"), std::nullopt);
    for (std::int64_t delay = 1; delay <= 4096; delay *= 2) {
        fail(1, "192.0.2.1", "alice");
        const auto wanted = std::min<std::int64_t>(delay, 15 * 60);
        EXPECT_EQ(wait("192.0.2.1", "alice"), wanted);
        now += wanted * kSecond - 1;
        EXPECT_EQ(wait("192.0.2.1", "alice"), 1);
        now += 1;
        EXPECT_EQ(wait("192.0.2.1", "alice"), std::nullopt);
    }
    // However often: no more than that, and no end to counting.
    fail(1000, "192.0.2.1", "alice");
    EXPECT_EQ(wait("192.0.2.1", "alice"), 15 * 60);
}

TEST_F(LoginThrottleTest, NobodyOutsideCanLockAnAccount) {
    fail(40, "192.0.2.1", "alice");
    EXPECT_TRUE(wait("192.0.2.1", "alice"));
    EXPECT_TRUE(wait("192.0.2.77", "alice"));  // one network
    EXPECT_EQ(wait("192.0.3.1", "alice"), std::nullopt);
    EXPECT_EQ(wait("192.0.2.1", "bob"), std::nullopt);
    fail(5, "2001:db8:0:1::1", "alice");
    EXPECT_TRUE(wait("2001:db8:0:1:ffff::9", "alice"));
    EXPECT_EQ(wait("2001:db8:0:2::1", "alice"), std::nullopt);
}

// Who tries a few passwords for each of many accounts.
TEST_F(LoginThrottleTest, AnAddressIsSlowedDownForAllAccounts) {
    for (int i = 0; i < 49; ++i) fail(1, "192.0.2.1", "user" + std::to_string(i));
    EXPECT_EQ(wait("192.0.2.1", "alice"), std::nullopt);
    fail(1, "192.0.2.1", "user49");
    EXPECT_EQ(wait("192.0.2.1", "alice"), 1);
    EXPECT_EQ(wait("192.0.3.1", "alice"), std::nullopt);
}

TEST_F(LoginThrottleTest, SuccessForgetsThePairAndNotTheAddress) {
    fail(4, "192.0.2.1", "alice");
    throttle.succeeded("192.0.2.1", "alice");
    fail(4, "192.0.2.1", "alice");
    EXPECT_EQ(wait("192.0.2.1", "alice"), std::nullopt);
    fail(42, "192.0.2.1", "bob");
    EXPECT_EQ(wait("192.0.2.1", "alice"), 1);  // the fiftieth of the address
    throttle.succeeded("192.0.2.1", "alice");
    EXPECT_EQ(wait("192.0.2.1", "alice"), 1);
    throttle.succeeded("192.0.2.9", "nobody that failed");
}

TEST_F(LoginThrottleTest, WhoHasNotFailedForAnHourStartsAnew) {
    fail(20, "192.0.2.1", "alice");
    now += 3600 * kSecond;
    fail(1, "192.0.2.1", "alice");
    EXPECT_EQ(wait("192.0.2.1", "alice"), 15 * 60);
    now += 3600 * kSecond + 1;
    EXPECT_EQ(wait("192.0.2.1", "alice"), std::nullopt);
    fail(4, "192.0.2.1", "alice");
    EXPECT_EQ(wait("192.0.2.1", "alice"), std::nullopt);
}

TEST_F(LoginThrottleTest, TheTableHasItsLimit) {
    fail(5, "192.0.2.1", "alice");
    EXPECT_TRUE(wait("192.0.2.1", "alice"));
    // One address and so many pairs: the oldest went.
    for (std::size_t i = 0; i < LoginThrottle::kEntriesMax; ++i)
        throttle.failed("198.51.100.1", std::to_string(i), now);
    EXPECT_EQ(wait("192.0.2.1", "alice"), std::nullopt);
    fail(5, "192.0.2.1", "alice");
    EXPECT_TRUE(wait("192.0.2.1", "alice"));
    // A name may be of any length: it is not kept whole.
    fail(5, "203.0.113.1", std::string(100'000, 'x'));
    EXPECT_TRUE(wait("203.0.113.1", std::string(64, 'x') + 'y'));
}

}  // namespace
}  // namespace orbitalreg::frontend
