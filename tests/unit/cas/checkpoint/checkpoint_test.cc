// Checkpoints of a log on a simulated disk: what is loaded, what is freed, and what a crash or rot leaves of it.

#include "checkpoint/checkpoint_files.h"
#include "log/superblock_file.h"
#include "unit/cas/log/log_fixture.h"

#include <algorithm>

namespace orbitalreg::cas {
namespace {

constexpr std::string_view kCopyA = "ckpt/a/0000000000000001.ockp";
constexpr std::string_view kCopyB = "ckpt/b/0000000000000001.ockp";

StoreOptions checkpoint_options() {
    StoreOptions options = small_options();
    options.checkpoint_interval_bytes = 1_GiB;  // only when asked for
    options.checkpoint_at_stop_bytes = 1_GiB;
    options.checkpoint_block_bytes = 4_KiB;
    options.checkpoint_slice_rows = 3;
    return options;
}

class CheckpointTest : public SimulatedLog {
public:
    std::unique_ptr<Life> begin_life(sim::SimIoOptions io_options = {}) {
        auto life = begin(io_options);
        life->target.checkpoints = true;
        return life;
    }
    std::unique_ptr<Life> live_life(const StoreOptions& options = checkpoint_options()) {
        auto life = begin_life();
        const auto opened = life->open(options);
        EXPECT_TRUE(opened) << opened.error().message();
        if (opened) life->start();
        return life;
    }
    static void commit_many(Life& life, int count, std::size_t raw_bytes = 3000) {
        for (int i = 0; i < count; ++i) {
            const std::string body = "g" + std::to_string(life.target.groups.size());
            ASSERT_TRUE(life.commit(group_of(body, std::string(raw_bytes, body.back()))));
        }
    }
    ErrorCode open_life_error() {
        auto life = begin_life();
        const auto opened = life->open(checkpoint_options());
        return opened ? ErrorCode{} : opened.error();
    }
};

TEST_F(CheckpointTest, IsLoadedAndOnlyWhatFollowsIsReplayed) {
    std::vector<RecordingTarget::Applied> applied;
    {
        auto life = live_life();
        commit_many(*life, 60);
        const auto made = life->checkpoint();
        ASSERT_TRUE(made) << made.error().message();
        commit_many(*life, 3);
        applied = life->target.groups;
        EXPECT_EQ(life->log->stats().checkpoint_id, 1u);
    }
    cut_power();
    auto life = live_life();
    EXPECT_EQ(life->target.groups, applied);
    EXPECT_EQ(life->log->stats().checkpoint_rows_loaded, 60u);
    EXPECT_LE(life->log->stats().frames_replayed, 5u);
}

TEST_F(CheckpointTest, IsExactWhileFramesGoOn) {
    std::vector<RecordingTarget::Applied> applied;
    {
        auto life = live_life();
        commit_many(*life, 40, 100);
        std::vector<std::optional<Result<Committed>>> answers(60);
        for (auto& answer : answers) {
            Group group = group_of("later");
            group.keys.exclusive = {1};
            life->submit(std::move(group), answer);
        }
        ASSERT_TRUE(life->checkpoint());
        life->settle();
        for (const auto& answer : answers) ASSERT_TRUE(answer && *answer);
        applied = life->target.groups;
    }
    cut_power();
    auto life = live_life();
    EXPECT_EQ(life->target.groups, applied);
    EXPECT_GE(life->log->stats().checkpoint_rows_loaded, 40u);
    EXPECT_LT(life->log->stats().checkpoint_rows_loaded, applied.size());
}

TEST_F(CheckpointTest, CoveredSegmentsGoUnlessInUse) {
    {
        auto life = live_life();
        commit_many(*life, 60);
        ASSERT_GE(life->log->stats().segments, 4u);
        life->target.segments_kept = {2};
        ASSERT_TRUE(life->checkpoint());
        EXPECT_EQ(life->log->stats().segments, 2u);
        EXPECT_EQ(disk.find(kSegment1), nullptr);
        EXPECT_NE(disk.find(kSegment2), nullptr);
        commit_many(*life, 3);
    }
    auto life = begin_life();
    life->target.segments_kept = {2};
    ASSERT_TRUE(life->open(checkpoint_options()));
    EXPECT_EQ(life->target.groups.size(), 63u);
    EXPECT_NE(disk.find(kSegment2), nullptr);
    EXPECT_EQ(life->log->stats().segments, 2u);
    life.reset();
    live_life();
    EXPECT_EQ(disk.find(kSegment2), nullptr)
        << "what nobody uses any more goes when the store opens";
}

TEST_F(CheckpointTest, TheOldOneGoesWhenTheNewOneIsNamed) {
    auto life = live_life();
    for (int i = 0; i < 3; ++i) {
        commit_many(*life, 5);
        ASSERT_TRUE(life->checkpoint());
    }
    EXPECT_EQ(disk.find(kCopyA), nullptr);
    EXPECT_NE(disk.find("ckpt/a/0000000000000003.ockp"), nullptr);
    EXPECT_NE(disk.find("ckpt/b/0000000000000003.ockp"), nullptr);
}

TEST_F(CheckpointTest, IsMadeWhenTheLogHasGrown) {
    StoreOptions options = checkpoint_options();
    options.checkpoint_interval_bytes = 64_KiB;
    auto life = live_life(options);
    commit_many(*life, 100);
    life->settle();
    EXPECT_GE(life->log->stats().checkpoint_id, 2u);
    EXPECT_LE(life->log->stats().segments, 6u);
    EXPECT_LT(life->log->stats().bytes_since_checkpoint, 256_KiB);
}

TEST_F(CheckpointTest, AnHourIsReasonForASmallOne) {
    StoreOptions options = checkpoint_options();
    options.checkpoint_interval_bytes = 256_KiB;
    auto life = live_life(options);
    commit_many(*life, 10);
    life->settle();
    EXPECT_EQ(life->log->stats().checkpoint_id, 0u);
    life->scheduler().advance_ns(3600LL * 1'000'000'000);
    life->idle();
    EXPECT_EQ(life->log->stats().checkpoint_id, 1u);
}

TEST_F(CheckpointTest, AStopMakesOne) {
    StoreOptions options = checkpoint_options();
    options.checkpoint_at_stop_bytes = 1;
    {
        auto life = live_life(options);
        commit_many(*life, 10);
        life->stop(group_of("last"));
    }
    auto life = live_life(options);
    EXPECT_EQ(life->target.groups.size(), 11u);
    EXPECT_EQ(life->log->stats().checkpoint_rows_loaded, 10u);
    EXPECT_TRUE(life->log->stats().clean_start);
}

// Every byte of one copy may rot: what is bad is taken from the other and written back.
TEST_F(CheckpointTest, RotInOneCopyIsRepaired) {
    {
        auto life = live_life();
        commit_many(*life, 20, 500);
        ASSERT_TRUE(life->checkpoint());
    }
    const std::vector<std::byte> sound = content(kCopyA);
    ASSERT_EQ(sound, content(kCopyB));
    ASSERT_GE(sound.size(), 5 * kPageSize);
    for (std::uint64_t offset = 0; offset < sound.size(); offset += 509) {
        flip(offset % 2 == 0 ? kCopyA : kCopyB, offset);
        auto life = live_life();
        ASSERT_EQ(life->target.groups.size(), 20u) << offset;
        if (offset % 2 == 0) {
            ASSERT_EQ(content(kCopyA), sound) << offset;
        } else {
            content(kCopyB) = sound;  // nobody looked
        }
    }
}

TEST_F(CheckpointTest, ACopyThatIsMissingIsMadeAnew) {
    {
        auto life = live_life();
        commit_many(*life, 20, 500);
        ASSERT_TRUE(life->checkpoint());
    }
    for (const std::string_view copy : {kCopyA, kCopyB}) {
        const std::vector<std::byte> sound = content(copy);
        disk.remove(disk.place(copy));
        ASSERT_EQ(open_life_error(), ErrorCode{});
        if (copy == kCopyA) {
            EXPECT_EQ(content(copy), sound);
        }
    }
}

TEST_F(CheckpointTest, RotInBothCopiesIsRefused) {
    {
        auto life = live_life();
        commit_many(*life, 20, 500);
        ASSERT_TRUE(life->checkpoint());
    }
    flip(kCopyA, kPageSize + 100);
    flip(kCopyB, kPageSize + 200);
    EXPECT_EQ(open_life_error(), make_error_code(Errc::checkpoint_corrupt));
    EXPECT_EQ(open_life_error(), make_error_code(Errc::checkpoint_corrupt));
}

TEST_F(CheckpointTest, AnOldFileUnderTheNewNameIsRefused) {
    std::vector<std::byte> old;
    auto life = live_life();
    commit_many(*life, 20, 500);
    ASSERT_TRUE(life->checkpoint());
    old = content(kCopyA);
    ASSERT_TRUE(life->checkpoint());
    life.reset();
    content("ckpt/a/0000000000000002.ockp") = old;
    content("ckpt/b/0000000000000002.ockp") = old;
    EXPECT_EQ(open_life_error(), make_error_code(Errc::checkpoint_corrupt));
}

TEST_F(CheckpointTest, AFullDiskLeavesTheOneBefore) {
    auto life = live_life();
    commit_many(*life, 20, 500);
    ASSERT_TRUE(life->checkpoint());
    disk.set_full(true);
    EXPECT_FALSE(life->checkpoint());
    disk.set_full(false);
    EXPECT_EQ(life->log->stats().checkpoint_id, 1u);
    EXPECT_NE(disk.find(kCopyA), nullptr);
    EXPECT_EQ(disk.find("ckpt/a/0000000000000002.ockp"), nullptr);
    EXPECT_FALSE(life->log->read_only());
    ASSERT_TRUE(life->checkpoint());
    EXPECT_EQ(life->log->stats().checkpoint_id, 3u);
}

TEST_F(CheckpointTest, OldImagesAreBounded) {
    StoreOptions options = checkpoint_options();
    options.checkpoint_side_bytes_max = 2000;
    std::vector<RecordingTarget::Applied> applied;
    {
        auto life = live_life(options);
        commit_many(*life, 60, 2000);
        std::vector<std::optional<Result<Committed>>> answers(200);
        for (auto& answer : answers) {
            Group group = group_of("later");
            group.keys.exclusive = {1};
            life->submit(std::move(group), answer);
        }
        std::uint64_t most = 0;
        std::optional<Result<void>> done;
        const auto watch = [](CommitLog& log,
                              std::optional<Result<void>>& ended) -> Awaitable<void> {
            ended.emplace(co_await log.make_checkpoint());
        };
        asio::co_spawn(life->scheduler().executor(), watch(*life->log, done), asio::detached);
        life->scheduler().run_until(
            [&] {
                most = std::max(most, life->log->stats().checkpoint_side_bytes);
                return done.has_value();
            },
            1'000'000);
        ASSERT_TRUE(done && *done);
        EXPECT_GT(most, 0u);
        EXPECT_LE(most, 2400u);
        life->settle();
        for (const auto& answer : answers) ASSERT_TRUE(answer && *answer);
        applied = life->target.groups;
    }
    EXPECT_EQ(live_life(options)->target.groups, applied);
}

class CheckpointCrash : public CheckpointTest,
                        public testing::WithParamInterface<sim::SimDiskMode> {
public:
    static StoreOptions tiny_options() {
        StoreOptions options = checkpoint_options();
        options.checkpoint_interval_bytes = 24_KiB;
        options.checkpoint_at_stop_bytes = 1;
        return options;
    }
    static std::size_t run(Life& life) {
        life.target.checkpoints = true;
        if (!life.open(tiny_options())) return 0;
        life.start();
        std::size_t acknowledged = life.target.groups.size();
        for (int i = 0; i < 14; ++i) {
            const std::string body = "g" + std::to_string(life.target.groups.size());
            if (!life.commit(group_of(body, std::string(6000, 'c')))) break;
            acknowledged = life.target.groups.size();
        }
        life.stop();
        return acknowledged;
    }
    static void expect_all(const Life& life, std::size_t acknowledged, std::size_t in_flight) {
        const auto& groups = life.target.groups;
        ASSERT_GE(groups.size(), acknowledged);
        ASSERT_LE(groups.size(), acknowledged + in_flight);
        for (std::size_t i = 0; i < groups.size(); ++i) {
            ASSERT_EQ(groups[i].body, "g" + std::to_string(i));
        }
    }
};

// Method: power is cut at every boundary of a run that makes checkpoints, then at boundaries of the recovery.
TEST_P(CheckpointCrash, NothingAcknowledgedIsLost) {
    bool reached_end = false;
    for (std::uint64_t boundary = 1; !reached_end; ++boundary) {
        sim::SimDisk local{GetParam()};
        std::size_t acknowledged = 0;
        {
            Life life{local, boundary, 0, {.crash_at = boundary, .faults = {}, .read_only = false}};
            acknowledged = run(life);
            reached_end = !life.io().crashed();
        }
        for (std::uint64_t again = 1 + boundary % 5; again < 40; again += 5) {
            Life life{local,
                      boundary * 1000 + again,
                      0,
                      {.crash_at = again, .faults = {}, .read_only = false}};
            life.target.checkpoints = true;
            const auto opened = life.open(tiny_options());
            if (opened) break;
            ASSERT_TRUE(life.io().crashed()) << opened.error().message() << " at " << boundary;
        }
        Life life{local, boundary + 7, 0, {}};
        life.target.checkpoints = true;
        const auto opened = life.open(tiny_options());
        ASSERT_TRUE(opened) << opened.error().message() << " at " << boundary;
        expect_all(life, acknowledged, 1);
        if (HasFatalFailure()) FAIL() << "boundary " << boundary;
    }
}

INSTANTIATE_TEST_SUITE_P(Disks, CheckpointCrash,
                         testing::Values(sim::SimDiskMode::strict, sim::SimDiskMode::ordered));

}  // namespace
}  // namespace orbitalreg::cas
