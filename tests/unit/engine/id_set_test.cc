#include "catalog/id_set.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace orbitalreg::engine {
namespace {

TEST(IdSet, HoldsOneIdInPlace) {
    IdSet set;
    EXPECT_TRUE(set.empty());
    EXPECT_TRUE(set.insert(0));
    EXPECT_FALSE(set.insert(0));
    EXPECT_EQ(set.size(), 1u);
    EXPECT_EQ(set.heap_bytes(), 0u);
    EXPECT_TRUE(set.contains(0));
    EXPECT_FALSE(set.contains(1));
    EXPECT_TRUE(set.erase(0));
    EXPECT_TRUE(set.empty());
    EXPECT_FALSE(set.erase(0));
    static_assert(sizeof(IdSet) == 8);
}

TEST(IdSet, MovesWhatItOwns) {
    IdSet a;
    for (std::uint32_t i = 0; i < 10; ++i) a.insert(UINT32_MAX - i);
    IdSet b{std::move(a)};
    EXPECT_EQ(b.size(), 10u);
    IdSet c;
    c.insert(5);
    c = std::move(b);
    EXPECT_EQ(c.size(), 10u);
    EXPECT_TRUE(c.contains(UINT32_MAX));
}

TEST(IdSet, AgreesWithASet) {
    std::mt19937 random{7};
    for (int round = 0; round < 50; ++round) {
        IdSet set;
        std::set<std::uint32_t> model;
        for (int step = 0; step < 200; ++step) {
            const auto id = static_cast<std::uint32_t>(random() % 30);
            if (random() % 2 == 0) {
                EXPECT_EQ(set.insert(id), model.insert(id).second);
            } else {
                EXPECT_EQ(set.erase(id), model.erase(id) == 1);
            }
            ASSERT_EQ(set.size(), model.size());
            ASSERT_TRUE(std::equal(set.begin(), set.end(), model.begin(), model.end()));
        }
    }
}

}  // namespace
}  // namespace orbitalreg::engine
