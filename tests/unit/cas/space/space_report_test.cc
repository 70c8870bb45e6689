// What the store says of its space is what its disk says: on a simulated disk, whose files know which pages they hold.

#include "cas/compaction.h"
#include "format/lane_record.h"
#include "unit/cas/lane/lane_fixture.h"

namespace orbitalreg::cas {
namespace {

constexpr std::size_t kSize = 200'000;

class Space : public SimulatedStore {
public:
    static StoreOptions options() {
        StoreOptions options = lane_options();
        options.compaction_interval_ms = 0;
        options.punch_slack_bytes = 0;
        options.reserve_size_bytes = 1_MiB;
        return options;
    }

    std::uint64_t allocated(std::string_view ending) const {
        std::uint64_t pages = 0;
        disk.visit([&](const std::string& path, sim::SimInode& file) {
            if (path.ends_with(ending))
                pages += static_cast<std::uint64_t>(std::ranges::count(file.allocated, true));
        });
        return pages * kPageSize;
    }
    void expect_sound(const SpaceReport& report) const {
        EXPECT_EQ(report.allocated_bytes(), allocated(""));
        EXPECT_EQ(report.lanes.allocated_bytes, allocated(".olane"));
        EXPECT_EQ(report.log.allocated_bytes, allocated(".olog"));
        SpaceFigures sum;
        for (const FileSpace& file : report.lane_files) {
            const SpaceFigures& figures = file.figures;
            EXPECT_EQ(figures.used_bytes,
                      figures.live_bytes + figures.dead_bytes + figures.held_bytes + kPageSize);
            EXPECT_EQ(figures.punched_bytes, figures.size_bytes - figures.allocated_bytes);
            sum.live_bytes += figures.live_bytes;
            sum.files += 1;
        }
        EXPECT_EQ(report.lanes.live_bytes, sum.live_bytes);
        EXPECT_EQ(report.lanes.files, sum.files);
    }
    static Awaitable<Result<CompactionReport>> round(Store& store) {
        co_return co_await store.compact();
    }
};

TEST_F(Space, LiveDeadHeldAndPunchedAddUp) {
    auto life = live(options());
    life->put(content_of(kSize, 1));
    life->put(content_of(100, 2));
    Writer cancelled = life->resume(session_of(1));
    ASSERT_TRUE(life->write(cancelled, content_of(kSize, 3)));
    ASSERT_TRUE(life->run(cancelled->cancel()));
    cancelled.reset();
    Writer open = life->resume(session_of(2));
    ASSERT_TRUE(life->write(open, content_of(kSize, 4)));
    const std::uint64_t record = record_pages(kSize) * kPageSize;

    const SpaceReport before = life->store->space(true);
    expect_sound(before);
    EXPECT_EQ(before.lanes.live_bytes, record);
    EXPECT_GE(before.lanes.dead_bytes, kSize);
    EXPECT_GE(before.lanes.held_bytes, kSize);
    EXPECT_EQ(before.log.live_bytes, 100U);

    const auto compacted = life->run(round(*life->store));
    ASSERT_TRUE(compacted);
    const SpaceReport after = life->store->space(true);
    expect_sound(after);
    EXPECT_EQ(after.lanes.live_bytes, record);
    EXPECT_EQ(before.lanes.allocated_bytes - after.lanes.allocated_bytes,
              compacted.value().bytes_punched);
    EXPECT_GE(after.lanes.punched_bytes, compacted.value().bytes_punched);
}

TEST_F(Space, SaysTheSameAfterAStart) {
    SpaceReport before;
    {
        auto life = live(options());
        life->put(content_of(kSize, 1));
        life->put(content_of(2 * kSize, 2));
        life->stop();
        before = life->store->space(false);
    }
    auto life = live(options());
    const SpaceReport after = life->store->space(true);
    expect_sound(after);
    EXPECT_EQ(after.lanes.live_bytes, before.lanes.live_bytes);
    EXPECT_EQ(after.lanes.dead_bytes, before.lanes.dead_bytes);
}

}  // namespace
}  // namespace orbitalreg::cas
