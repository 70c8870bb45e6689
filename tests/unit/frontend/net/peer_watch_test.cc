// PeerWatch: when a connection's peer is late. SEC-80, DIST-HTTP-07.

#include "net/peer_watch.h"

#include <gtest/gtest.h>

namespace orbitalreg::frontend {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
const HttpTimes kTimes;

TEST(PeerWatch, GivesAHeaderTenSeconds) {
    PeerWatch watch{kTimes};
    watch.enter(PeerWatch::Phase::header, 5 * kSecond);
    EXPECT_FALSE(watch.expired(15 * kSecond - 1));
    EXPECT_TRUE(watch.expired(15 * kSecond));
}

TEST(PeerWatch, GivesAnIdleConnectionAMinute) {
    PeerWatch watch{kTimes};
    watch.enter(PeerWatch::Phase::idle, 0);
    EXPECT_FALSE(watch.expired(60 * kSecond - 1));
    EXPECT_TRUE(watch.expired(60 * kSecond));
}

TEST(PeerWatch, NeverEndsWhileWeWork) {
    PeerWatch watch{kTimes};
    watch.enter(PeerWatch::Phase::working, 0);
    EXPECT_FALSE(watch.expired(1'000'000 * kSecond));
}

TEST(PeerWatch, EndsABodyThatStalls) {
    PeerWatch watch{kTimes};
    watch.begin_request();
    watch.begin_wait(PeerWatch::Phase::body, 0);
    EXPECT_FALSE(watch.expired(30 * kSecond - 1));
    EXPECT_TRUE(watch.expired(30 * kSecond));
}

TEST(PeerWatch, EndsABodyThatTricklesBelowTheRate) {
    PeerWatch watch{kTimes};
    watch.begin_request();
    std::int64_t now = 0;
    // 1,023 bytes a second: one less than the rate asks for.
    for (int i = 0; i < 29; ++i) {
        watch.begin_wait(PeerWatch::Phase::body, now);
        now += kSecond;
        EXPECT_FALSE(watch.expired(now)) << i;
        watch.end_wait(now, 1023);
    }
    watch.begin_wait(PeerWatch::Phase::body, now);
    EXPECT_TRUE(watch.expired(now + kSecond));
}

TEST(PeerWatch, LetsABodyAtTheRateRunForEver) {
    PeerWatch watch{kTimes};
    watch.begin_request();
    std::int64_t now = 0;
    for (int i = 0; i < 10'000; ++i) {
        watch.begin_wait(PeerWatch::Phase::body, now);
        now += kSecond;
        ASSERT_FALSE(watch.expired(now)) << i;
        watch.end_wait(now, 1100);
    }
}

TEST(PeerWatch, CountsOnlyTheTimeThePeerTakes) {
    PeerWatch watch{kTimes};
    watch.begin_request();
    std::int64_t now = 0;
    for (int i = 0; i < 10; ++i) {
        watch.begin_wait(PeerWatch::Phase::body, now);
        now += kSecond;
        watch.end_wait(now, 1);
        now += 1000 * kSecond;  // the disk
        EXPECT_FALSE(watch.expired(now));
    }
}

TEST(PeerWatch, AFastStartBuysNoSilence) {
    PeerWatch watch{kTimes};
    watch.begin_request();
    watch.begin_wait(PeerWatch::Phase::response, 0);
    watch.end_wait(kSecond, 1'000'000'000);
    watch.begin_wait(PeerWatch::Phase::response, kSecond);
    EXPECT_FALSE(watch.expired(61 * kSecond - 1));
    EXPECT_TRUE(watch.expired(61 * kSecond));
}

TEST(PeerWatch, DrainHasOneDeadlineForAll) {
    PeerWatch watch{kTimes};
    watch.enter(PeerWatch::Phase::drain, 0);
    watch.begin_wait(PeerWatch::Phase::body, kSecond);
    watch.end_wait(kSecond, 1'000'000);
    EXPECT_EQ(watch.phase(), PeerWatch::Phase::drain);
    EXPECT_TRUE(watch.expired(2 * kSecond));
}

}  // namespace
}  // namespace orbitalreg::frontend
