#include "log/store_time.h"

#include <gtest/gtest.h>

namespace orbitalreg::cas {
namespace {

class ManualClock final : public Clock {
public:
    std::int64_t steady_ns() const noexcept override { return 0; }
    std::int64_t boottime_ms() const noexcept override { return boottime; }
    std::int64_t wall_ns() const noexcept override { return wall; }
    Awaitable<void> sleep_until(std::int64_t) override { co_return; }

    std::int64_t boottime = 500;
    std::int64_t wall = 1'700'000'000'000'000'000;
};

constexpr std::int64_t kYearNs = 365LL * 24 * 3600 * 1'000'000'000;

TEST(StoreTime, AdvancesWithBoottimeAndNeverFalls) {
    ManualClock clock;
    StoreTime time{clock};
    time.begin();
    EXPECT_EQ(time.now_ms(), StoreTime::kFirstMs);
    clock.boottime += 250;
    EXPECT_EQ(time.now_ms(), StoreTime::kFirstMs + 250);
    clock.boottime -= 400;
    EXPECT_EQ(time.now_ms(), StoreTime::kFirstMs + 250);
    clock.wall += 10 * kYearNs;
    EXPECT_EQ(time.now_ms(), StoreTime::kFirstMs + 250);
}

TEST(StoreTime, AStartAdvancesByTheWallClockWithinAnHour) {
    ManualClock clock;
    const auto resumed_after = [&](std::int64_t passed_ns) {
        StoreTime time{clock};
        time.resume(70'000, clock.wall - passed_ns);
        return time.now_ms();
    };
    EXPECT_EQ(resumed_after(5'000'000'000), 75'000u);
    EXPECT_EQ(resumed_after(-kYearNs), 70'000u);
    EXPECT_EQ(resumed_after(10 * kYearNs), 70'000u + 3'600'000u);
    clock.wall = INT64_MAX;
    StoreTime time{clock};
    time.resume(70'000, INT64_MIN);
    EXPECT_EQ(time.now_ms(), 70'000u + 3'600'000u);
}

}  // namespace
}  // namespace orbitalreg::cas
