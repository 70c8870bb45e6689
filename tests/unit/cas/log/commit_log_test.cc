#include "unit/cas/log/log_fixture.h"

namespace orbitalreg::cas {
namespace {

class CommitLogTest : public SimulatedLog {};

TEST_F(CommitLogTest, CommitsAndReplaysInOrder) {
    std::vector<RecordingTarget::Applied> applied;
    {
        auto life = live();
        for (const char* body : {"one", "two", "three"}) {
            ASSERT_TRUE(life->commit(group_of(body, std::string(100, *body))));
        }
        applied = life->target.groups;
        ASSERT_EQ(applied.size(), 3u);
        EXPECT_EQ(applied[2].body, "three");
        EXPECT_EQ(applied[2].raw_offset % 64, 0u);
    }
    cut_power();
    auto life = live();
    EXPECT_EQ(life->target.groups, applied);
}

}  // namespace
}  // namespace orbitalreg::cas
