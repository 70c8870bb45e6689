// The simulated disk itself: what it promises, what it may take away, and that a seed gives one
// run.

#include "support/sim_disk.h"

#include "base/checksum.h"
#include "base/errors.h"
#include "support/sim_clock.h"
#include "support/sim_executor.h"
#include "support/sim_io.h"

#include <gtest/gtest.h>

#include <set>

namespace orbitalreg::sim {
namespace {

constexpr std::uint64_t kSeeds = 200;

struct Machine {
    explicit Machine(std::uint64_t seed, SimDiskMode mode = SimDiskMode::strict)
        : random{seed}, disk{mode} {}
    std::unique_ptr<SimIo> boot(SimIoOptions options = {}) {
        return std::make_unique<SimIo>(disk, random, trace, options);
    }
    SimRandom random;
    SimDisk disk;
    SimTrace trace;
};

std::string content(const SimDisk& disk, std::string_view path) {
    const auto inode = disk.find(path);
    return inode == nullptr ? "absent" : std::string{as_text(inode->current)};
}

TEST(SimDisk, KeepsWhatWasSyncedThroughEveryCrash) {
    for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
        Machine machine{seed};
        const auto io = machine.boot();
        const auto file = io->open("a", {.create = true}).value();
        ASSERT_TRUE(file->write(0, as_bytes("kept")));
        ASSERT_TRUE(file->datasync());
        ASSERT_TRUE(io->sync_directory(""));
        ASSERT_TRUE(file->write(4, as_bytes("maybe")));
        io->crash();
        EXPECT_EQ(content(machine.disk, "a").substr(0, 4), "kept");
        EXPECT_EQ(file->write(0, as_bytes("dead")).error(), errno_code(EIO));
        EXPECT_TRUE(io->crashed());
    }
}

TEST(SimDisk, TakesAwayWhatWasNotSynced) {
    std::set<std::string> seen;
    for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
        Machine machine{seed};
        const auto io = machine.boot();
        const auto file = io->open("a", {.create = true}).value();
        ASSERT_TRUE(io->sync_directory(""));
        ASSERT_TRUE(file->write(0, as_bytes("x")));
        io->crash();
        seen.insert(content(machine.disk, "a"));
    }
    EXPECT_EQ(seen, (std::set<std::string>{"", std::string(1, '\0'), "x"}));
}

TEST(SimDisk, ANameNeedsItsDirectorySynced) {
    std::set<std::string> seen;
    for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
        Machine machine{seed};
        const auto io = machine.boot();
        const auto file = io->open("a", {.create = true}).value();
        ASSERT_TRUE(file->write_dsync(0, as_bytes("x")));
        io->crash();
        seen.insert(content(machine.disk, "a"));
    }
    EXPECT_EQ(seen, (std::set<std::string>{"absent", "x"}));
}

TEST(SimDisk, OrderedModeMakesNamesDurableWithAnySync) {
    for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
        Machine machine{seed, SimDiskMode::ordered};
        const auto io = machine.boot();
        const auto file = io->open("a", {.create = true}).value();
        ASSERT_TRUE(file->write(0, as_bytes("x")));
        ASSERT_TRUE(file->datasync());
        io->crash();
        EXPECT_EQ(content(machine.disk, "a"), "x");
    }
}

TEST(SimDisk, TearsAWriteInFlightAtSectors) {
    std::set<std::string> seen;
    for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
        Machine machine{seed};
        auto io = machine.boot();
        const auto file = io->open("a", {.create = true}).value();
        ASSERT_TRUE(file->write_dsync(0, as_bytes(std::string(1024, 'o'))));
        ASSERT_TRUE(io->sync_directory(""));
        io->set_crash_at(io->boundaries() + 1);
        EXPECT_EQ(file->write_dsync(0, as_bytes(std::string(1024, 'n'))).error(), errno_code(EIO));
        EXPECT_TRUE(io->crashed());
        const std::string found = content(machine.disk, "a");
        seen.insert({found[0], found[511], found[512], found[1023]});
    }
    EXPECT_EQ(seen, (std::set<std::string>{"oooo", "nnoo", "oonn", "nnnn"}));
}

TEST(SimDisk, AFailedSyncLosesBytesThatTheNextSyncDoesNotBringBack) {
    bool lost = false;
    for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
        Machine machine{seed};
        const auto io = machine.boot();
        const auto file = io->open("a", {.create = true}).value();
        ASSERT_TRUE(io->sync_directory(""));
        ASSERT_TRUE(file->write(0, as_bytes("x")));
        io->set_faults({.sync_error = 1});
        EXPECT_EQ(file->datasync().error(), errno_code(EIO));
        io->set_faults({});
        EXPECT_TRUE(file->datasync());
        io->crash();
        lost = lost || content(machine.disk, "a") != "x";
    }
    EXPECT_TRUE(lost);
}

TEST(SimDisk, RunsOutOfSpaceAndComesBack) {
    Machine machine{1};
    const auto io = machine.boot();
    const auto file = io->open("a", {.create = true}).value();
    machine.disk.set_full(true);
    EXPECT_EQ(file->write(0, as_bytes("x")).error(), errno_code(ENOSPC));
    EXPECT_EQ(file->allocate(0, 4096).error(), errno_code(ENOSPC));
    EXPECT_EQ(io->space().value().available_bytes, 0U);
    machine.disk.set_full(false);
    EXPECT_TRUE(file->write(0, as_bytes("x")));
}

Awaitable<void> tick(SimClock& clock, int name, std::vector<int>& order) {
    for (int i = 0; i < 3; ++i) {
        co_await clock.sleep_until(clock.steady_ns() + 1'000'000 * name);
        order.push_back(name);
    }
}

std::vector<int> run_ticks(std::uint64_t seed) {
    SimScheduler scheduler{seed};
    SimClock clock{scheduler};
    std::vector<int> order;
    for (int name = 1; name <= 5; ++name) {
        asio::co_spawn(scheduler.executor(), tick(clock, name, order), asio::detached);
    }
    while (scheduler.step()) {
    }
    return order;
}

Awaitable<void> note(int name, std::vector<int>& order) {
    order.push_back(name);
    co_return;
}

std::vector<int> run_notes(std::uint64_t seed) {
    SimScheduler scheduler{seed};
    std::vector<int> order;
    for (int name = 0; name < 5; ++name)
        asio::co_spawn(scheduler.executor(), note(name, order), asio::detached);
    while (scheduler.step()) {
    }
    return order;
}

TEST(SimScheduler, ASeedGivesOneOrderAndSeedsGiveMany) {
    std::set<std::vector<int>> orders;
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        EXPECT_EQ(run_notes(seed), run_notes(seed));
        orders.insert(run_notes(seed));
    }
    EXPECT_GT(orders.size(), 20U);
}

TEST(SimClock, SleepersWakeInTheOrderOfTheirDeadlines) {
    const std::vector<int> order = run_ticks(7);
    ASSERT_EQ(order.size(), 15U);
    EXPECT_EQ(order.front(), 1);
    EXPECT_EQ(order.back(), 5);
    EXPECT_EQ(order, run_ticks(7));
}

TEST(SimScheduler, ClearDestroysCoroutinesThatNeverWoke) {
    const auto held = std::make_shared<int>(1);
    SimScheduler scheduler{1};
    SimClock clock{scheduler};
    const auto wait_a_second = [](SimClock& c, std::shared_ptr<int> kept) -> Awaitable<void> {
        co_await c.sleep_until(c.steady_ns() + 1'000'000'000);
        static_cast<void>(kept);
    };
    asio::co_spawn(scheduler.executor(), wait_a_second(clock, held), asio::detached);
    while (scheduler.step_ready()) {
    }
    EXPECT_EQ(held.use_count(), 2);
    scheduler.clear();
    EXPECT_EQ(held.use_count(), 1);
}

}  // namespace
}  // namespace orbitalreg::sim
