#include "log/admission.h"

#include <gtest/gtest.h>

namespace orbitalreg::cas {
namespace {

KeySet keys(std::vector<std::uint64_t> shared, std::vector<std::uint64_t> exclusive) {
    return {std::move(shared), std::move(exclusive)};
}

TEST(Admission, SharedKeysShareAFrame) {
    Admission admission;
    EXPECT_TRUE(admission.admit(keys({1, 2}, {10})));
    EXPECT_TRUE(admission.admit(keys({1, 2}, {11})));
    EXPECT_TRUE(admission.admit(keys({}, {})));
}

TEST(Admission, ExclusiveKeysConflictBothWays) {
    Admission admission;
    EXPECT_TRUE(admission.admit(keys({}, {1})));
    EXPECT_FALSE(admission.admit(keys({}, {1})));
    EXPECT_FALSE(admission.admit(keys({1}, {})));
    admission.clear();
    EXPECT_TRUE(admission.admit(keys({1}, {})));
    EXPECT_FALSE(admission.admit(keys({}, {1})));
}

// What waits blocks what comes behind it: conflicting requests keep their order.
TEST(Admission, KeysOfTheWaitingCountToo) {
    Admission admission;
    EXPECT_TRUE(admission.admit(keys({}, {1})));
    EXPECT_FALSE(admission.admit(keys({}, {1, 2})));
    EXPECT_FALSE(admission.admit(keys({2}, {})));
    EXPECT_TRUE(admission.admit(keys({}, {3})));
}

TEST(Admission, ClearForgetsAndTheTableGrows) {
    Admission admission;
    for (int round = 0; round < 3; ++round) {
        for (std::uint64_t key = 0; key < 5000; ++key)
            ASSERT_TRUE(admission.admit(keys({key + 10000}, {key})));
        for (std::uint64_t key = 0; key < 5000; key += 97)
            ASSERT_FALSE(admission.admit(keys({key}, {})));
        admission.clear();
    }
}

}  // namespace
}  // namespace orbitalreg::cas
