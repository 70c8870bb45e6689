// What the machine is asked: cores and random bytes.

#include "base/cores.h"
#include "base/random.h"

#include <gtest/gtest.h>

#include <array>
#include <sched.h>
#include <set>
#include <string>
#include <thread>

namespace orbitalreg {
namespace {

TEST(Cores, AreThoseOfTheAffinity) {
    cpu_set_t all;
    ASSERT_EQ(::sched_getaffinity(0, sizeof all, &all), 0);
    EXPECT_EQ(usable_cores(), static_cast<unsigned>(CPU_COUNT(&all)));
    int first = 0;
    while (!CPU_ISSET(first, &all)) ++first;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
    EXPECT_EQ(usable_cores(), 1U);
    ASSERT_EQ(::sched_setaffinity(0, sizeof all, &all), 0);
}

// Small pieces come from what a thread took ahead: none is handed out twice, on any thread, and no byte is left out.
TEST(SystemRandom, HandsNothingOutTwice) {
    constexpr std::size_t kThreads = 4;
    constexpr int kPieces = 5000;
    std::array<std::set<std::string>, kThreads> seen;
    std::array<std::thread, kThreads> threads;
    for (std::size_t thread = 0; thread < kThreads; ++thread) {
        threads[thread] = std::thread{[&mine = seen[thread]] {
            for (int i = 0; i < kPieces; ++i) {
                std::array<std::byte, 33> bytes{};
                const auto size = std::size_t{8} + static_cast<std::size_t>(i) % 26;
                system_random().fill(std::span{bytes}.first(size));
                mine.insert(to_hex(std::span{bytes}.first(8)));
            }
        }};
    }
    for (auto& thread : threads) thread.join();
    std::set<std::string> all;
    for (const auto& mine : seen) all.insert(mine.begin(), mine.end());
    EXPECT_EQ(all.size(), kThreads * kPieces);
}

}  // namespace
}  // namespace orbitalreg
