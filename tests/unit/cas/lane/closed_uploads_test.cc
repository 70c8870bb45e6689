#include "lane/closed_uploads.h"

#include "support/sim_random.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>

namespace orbitalreg::cas {
namespace {

ClosedUploads::Close close_of(std::uint64_t number, std::uint32_t forget_at_s) {
    ClosedUploads::Close close;
    store_le(close.session.data(), number);
    close.forget_at_s = forget_at_s & 0x7fffffff;
    close.blob = BlobId{static_cast<std::uint32_t>(number) + 1};
    return close;
}

TEST(ClosedUploads, TheOldestIsForgottenAndCounted) {
    ClosedUploads closed;
    for (std::uint64_t i = 0; i < 10; ++i) closed.insert(close_of(i, 1000));
    EXPECT_EQ(closed.expire(0, 7), 3u);
    EXPECT_FALSE(closed.find(close_of(2, 0).session));
    EXPECT_TRUE(closed.find(close_of(3, 0).session));
    EXPECT_EQ(closed.expire(1000, 7), 0u);
    EXPECT_EQ(closed.size(), 0u);
}

TEST(ClosedUploads, TheFirstCloseStays) {
    ClosedUploads closed;
    auto close = close_of(1, 1000);
    close.finished = 1;
    closed.insert(close);
    closed.insert(close_of(1, 2000));
    EXPECT_EQ(closed.size(), 1u);
    EXPECT_EQ(closed.find(close.session)->finished, 1u);
}

// Goal: the index agrees with the list under any mixture. Method: 20 000 random steps beside a map.
TEST(ClosedUploads, AgreesWithAModel) {
    sim::SimRandom random{1};
    ClosedUploads closed;
    std::map<std::uint64_t, std::uint32_t> model;
    std::deque<std::uint64_t> order;
    for (int step = 0; step < 20'000; ++step) {
        const std::uint64_t number = random.below(5000);
        if (random.below(100) < 97) {
            closed.insert(close_of(number, 1000));
            if (model.emplace(number, 1000).second) order.push_back(number);
        } else {
            const auto keep = static_cast<std::uint32_t>(random.below(1500));
            closed.expire(0, keep);
            for (; order.size() > keep; order.pop_front()) model.erase(order.front());
        }
        ASSERT_EQ(closed.size(), model.size());
        const std::uint64_t asked = random.below(5000);
        ASSERT_EQ(closed.find(close_of(asked, 0).session).has_value(), model.contains(asked));
    }
    closed.check_invariants();
}

}  // namespace
}  // namespace orbitalreg::cas
