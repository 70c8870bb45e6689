#include "io/io_scheduler.h"

#include "base/asio.h"
#include "lane/bulk_gate.h"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <vector>

namespace orbitalreg::cas {
namespace {

constexpr std::int64_t kTargetUs = 2000;
constexpr std::int64_t kNow = 1'000'000'000'000;

void window(IoScheduler& scheduler, std::int64_t slowest_us) {
    for (std::uint32_t i = 0; i < IoScheduler::kWindowWrites; ++i) {
        scheduler.observe(kNow, i == 7 ? slowest_us * 1000 : 1000);
    }
}

TEST(IoScheduler, OneSlowWriteOfAWindowTakesFromTheCap) {
    IoScheduler scheduler{kTargetUs};
    window(scheduler, kTargetUs + 1);
    EXPECT_EQ(scheduler.bulk_cap_bytes(kNow), IoScheduler::kCapMax / 10 * 7);
    EXPECT_EQ(scheduler.slowness(kNow), 2U);
}

TEST(IoScheduler, NeverTakesAll) {
    IoScheduler scheduler{kTargetUs};
    for (int i = 0; i < 100; ++i) window(scheduler, 50'000);
    EXPECT_EQ(scheduler.bulk_cap_bytes(kNow), IoScheduler::kCapMin);
    EXPECT_EQ(scheduler.slowness(kNow), IoScheduler::kSlownessMax);
}

TEST(IoScheduler, GivesBackStepByStep) {
    IoScheduler scheduler{kTargetUs};
    for (int i = 0; i < 100; ++i) window(scheduler, 50'000);
    window(scheduler, 100);
    EXPECT_EQ(scheduler.bulk_cap_bytes(kNow), IoScheduler::kCapMin + IoScheduler::kCapStep);
    EXPECT_EQ(scheduler.slowness(kNow), IoScheduler::kSlownessMax / 2);
    for (int i = 0; i < 1000; ++i) window(scheduler, 100);
    EXPECT_EQ(scheduler.bulk_cap_bytes(kNow), IoScheduler::kCapMax);
    EXPECT_EQ(scheduler.slowness(kNow), 1U);
}

TEST(IoScheduler, AWindowEndsWithTimeToo) {
    IoScheduler scheduler{kTargetUs};
    scheduler.observe(kNow, 10'000'000);
    EXPECT_EQ(scheduler.bulk_cap_bytes(kNow), IoScheduler::kCapMax);
    const std::int64_t later = kNow + IoScheduler::kWindowNs;
    scheduler.observe(later, 1000);
    EXPECT_LT(scheduler.bulk_cap_bytes(later), IoScheduler::kCapMax);
}

TEST(IoScheduler, WithoutCommitsNothingGivesWay) {
    IoScheduler scheduler{kTargetUs};
    for (int i = 0; i < 100; ++i) window(scheduler, 50'000);
    const std::int64_t later = kNow + IoScheduler::kForgetNs + 1;
    EXPECT_EQ(scheduler.bulk_cap_bytes(later), IoScheduler::kCapMax);
    EXPECT_EQ(scheduler.slowness(later), 1U);
}

TEST(IoScheduler, WithoutATargetItIsOff) {
    IoScheduler scheduler{0};
    for (int i = 0; i < 100; ++i) window(scheduler, 50'000);
    EXPECT_GT(scheduler.bulk_cap_bytes(kNow), IoScheduler::kCapMax);
    EXPECT_EQ(scheduler.slowness(kNow), 1U);
}

class StoppedClock final : public Clock {
public:
    std::int64_t steady_ns() const noexcept override { return kNow; }
    std::int64_t boottime_ms() const noexcept override { return kNow / 1'000'000; }
    std::int64_t wall_ns() const noexcept override { return kNow; }
    Awaitable<void> sleep_until(std::int64_t) override { co_return; }
};

Awaitable<void> enter(BulkGate& gate, std::uint64_t bytes, int name, std::vector<int>& passed) {
    co_await gate.enter(bytes);
    passed.push_back(name);
}

class BulkGateTest : public ::testing::Test {
protected:
    void enter_as(int name, std::uint64_t bytes) {
        asio::co_spawn(context_, enter(gate_, bytes, name, passed_), asio::detached);
        run();
    }
    void leave(std::uint64_t bytes) {
        gate_.leave(bytes);
        run();
    }
    void run() {
        context_.restart();
        context_.poll();
    }

    asio::io_context context_;
    StoppedClock clock_;
    IoScheduler scheduler_{kTargetUs};
    BulkGate gate_{scheduler_, clock_, 1};
    std::vector<int> passed_;
};

TEST_F(BulkGateTest, LetsPassInOrderWhatTheCapAllows) {
    for (int i = 0; i < 100; ++i) window(scheduler_, 50'000);
    const std::uint64_t half = IoScheduler::kCapMin / 2;
    enter_as(1, half);
    enter_as(2, half);
    enter_as(3, 2 * half);
    enter_as(4, 1);  // it would fit, but is behind
    EXPECT_EQ(passed_, (std::vector{1, 2}));
    leave(half);
    EXPECT_EQ(passed_, (std::vector{1, 2}));
    leave(half);
    EXPECT_EQ(passed_, (std::vector{1, 2, 3}));
    leave(2 * half);
    EXPECT_EQ(passed_, (std::vector{1, 2, 3, 4}));
    leave(1);
}

TEST_F(BulkGateTest, OneWriteAlwaysPasses) {
    for (int i = 0; i < 100; ++i) window(scheduler_, 50'000);
    enter_as(1, 2 * IoScheduler::kCapMin);
    EXPECT_EQ(passed_, std::vector{1});
    leave(2 * IoScheduler::kCapMin);
}

TEST_F(BulkGateTest, ALargerCapLetsMorePassAtOnce) {
    const std::uint64_t third = IoScheduler::kCapMax / 3;
    for (int name = 1; name <= 5; ++name) enter_as(name, third);
    EXPECT_EQ(passed_, (std::vector{1, 2, 3}));
    leave(third);
    leave(third);
    EXPECT_EQ(passed_, (std::vector{1, 2, 3, 4, 5}));
    for (int name = 1; name <= 3; ++name) leave(third);
}

}  // namespace
}  // namespace orbitalreg::cas
