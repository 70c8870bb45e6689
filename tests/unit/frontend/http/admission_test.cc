#include "http/admission.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace orbitalreg::frontend {
namespace {

using Share = Admission::Share;

// Goal: pushes stop at three quarters, pulls at the whole, and a place that is given back is there again (REL-28).
TEST(Admission, PullsComeBeforePushes) {
    Metrics metrics;
    Admission admission{8, 1000, metrics};
    std::vector<Admission::Ticket> inside;
    for (int i = 0; i < 6; ++i) inside.push_back(*admission.admit(Share::most));
    EXPECT_FALSE(admission.admit(Share::most));
    for (int i = 0; i < 2; ++i) inside.push_back(*admission.admit(Share::whole));
    EXPECT_FALSE(admission.admit(Share::whole));
    EXPECT_EQ(admission.requests(), 8U);
    EXPECT_NE(metrics.render().find("orbitalreg_http_requests_shed_total 2\n"), std::string::npos);
    inside.pop_back();
    EXPECT_FALSE(admission.admit(Share::most));
    EXPECT_TRUE(admission.admit(Share::whole));
    inside.clear();
    EXPECT_EQ(admission.requests(), 0U);
}

// Goal: memory is counted as it grows, a refusal changes nothing, and the end gives all of it back (SEC-82).
TEST(Admission, MemoryIsCountedAsItGrows) {
    Metrics metrics;
    Admission admission{8, 1000, metrics};
    {
        auto push = *admission.admit(Share::most);
        EXPECT_TRUE(push.hold(750));
        EXPECT_FALSE(push.hold(751));
        EXPECT_EQ(admission.bytes(), 750U);
        auto pull = *admission.admit(Share::whole);
        EXPECT_TRUE(pull.hold(250));
        EXPECT_FALSE(pull.hold(UINT64_MAX));
        EXPECT_TRUE(push.hold(100));
        EXPECT_EQ(admission.bytes(), 350U);
        EXPECT_TRUE(pull.hold(900));
    }
    EXPECT_EQ(admission.bytes(), 0U);
    EXPECT_EQ(admission.requests(), 0U);
}

// Goal: who moves a ticket moves its place, and no place is given back twice.
TEST(Admission, ATicketMovesWithItsPlace) {
    Metrics metrics;
    Admission admission{8, 1000, metrics};
    Admission::Ticket kept;
    EXPECT_TRUE(kept.hold(UINT64_MAX)) << "no door, no limit";
    kept = *admission.admit(Share::whole);
    EXPECT_TRUE(kept.hold(10));
    Admission::Ticket moved{std::move(kept)};
    kept = Admission::Ticket{};
    EXPECT_EQ(admission.bytes(), 10U);
    EXPECT_EQ(admission.requests(), 1U);
    moved = *admission.admit(Share::whole);
    EXPECT_EQ(admission.bytes(), 0U);
    EXPECT_EQ(admission.requests(), 1U);
}

// Goal: from several threads the limit is never passed and nothing is lost.
TEST(Admission, HoldsAmongThreads) {
    Metrics metrics;
    Admission admission{3, 300, metrics};
    std::atomic<bool> passed{false};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            for (int n = 0; n < 20'000; ++n) {
                auto ticket = admission.admit(Share::whole);
                if (!ticket) continue;
                ticket->hold(100);
                if (admission.requests() > 3 || admission.bytes() > 300) passed = true;
            }
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_FALSE(passed);
    EXPECT_EQ(admission.requests(), 0U);
    EXPECT_EQ(admission.bytes(), 0U);
}

}  // namespace
}  // namespace orbitalreg::frontend
