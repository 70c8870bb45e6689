// Commits, answers and stops of the log, on a simulated disk.

#include "unit/cas/log/log_fixture.h"

#include <algorithm>

namespace orbitalreg::cas {
namespace {

using Answer = std::optional<Result<Committed>>;

class CommitLogTest : public SimulatedLog {};

const sim::SimIoOptions kReadOnlyIo{.crash_at = 0, .faults = {}, .read_only = true};

std::uint64_t frames_written(SimulatedLog::Life& life) {
    return life.metrics().counter("commit_frames_total", "").value();
}

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

// A store that had written it would not open again.
TEST_F(CommitLogTest, WhatCouldNotBeReadIsNotWritten) {
    std::vector<RecordingTarget::Applied> applied;
    {
        auto life = live();
        ASSERT_TRUE(life->commit(group_of("before")));
        const auto refused = life->commit(group_of("unreadable"));
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error(), Errc::catalog_unreadable);
        // One that its check makes so, too.
        auto changed = group_of("readable");
        changed.check = [](Group& self, const FrameContext&) -> Result<void> {
            self.records.front().body = bytes_of("unreadable");
            return ok();
        };
        EXPECT_FALSE(life->commit(std::move(changed)));
        ASSERT_TRUE(life->commit(group_of("after")));
        applied = life->target.groups;
        ASSERT_EQ(applied.size(), 2u);
    }
    cut_power();
    auto life = live();
    EXPECT_EQ(life->target.groups, applied);
}

TEST_F(CommitLogTest, TheAnswerNamesTheFrame) {
    auto life = live();
    const auto first = life->commit(group_of("a"));
    const auto second = life->commit(group_of("b"));
    ASSERT_TRUE(first);
    ASSERT_TRUE(second);
    EXPECT_GT(second.value().lsn, first.value().lsn);
    EXPECT_GE(second.value().store_time_ms, first.value().store_time_ms);
    EXPECT_EQ(life->target.groups[1].lsn, second.value().lsn.value);
    EXPECT_EQ(life->target.groups[1].store_time_ms, second.value().store_time_ms);
    EXPECT_EQ(life->log->stats().lsn, second.value().lsn.value);
}

TEST_F(CommitLogTest, ManyRequestsShareAFrame) {
    auto life = live();
    life->settle();
    std::vector<Answer> answers(32);
    for (auto& answer : answers) life->submit(group_of("x"), answer);
    life->settle();
    for (const auto& answer : answers) ASSERT_TRUE(answer && *answer);
    EXPECT_LE(frames_written(*life), 8u);
    EXPECT_EQ(life->target.groups.size(), 32u);
}

TEST_F(CommitLogTest, ConflictingRequestsNeverShareAFrame) {
    auto life = live();
    life->settle();
    std::vector<Answer> answers(24);
    for (std::size_t i = 0; i < answers.size(); ++i) {
        Group group = group_of(std::to_string(i));
        group.keys.exclusive = {i % 4};
        life->submit(std::move(group), answers[i]);
    }
    life->settle();
    std::map<std::uint64_t, std::set<int>> keys_of_frame;
    for (const auto& applied : life->target.groups) {
        EXPECT_TRUE(keys_of_frame[applied.lsn].insert(std::stoi(applied.body) % 4).second)
            << applied.lsn;
    }
    EXPECT_EQ(life->target.groups.size(), answers.size());
    EXPECT_GE(keys_of_frame.size(), 6u);
}

TEST_F(CommitLogTest, AFrameClosesAtItsLimits) {
    StoreOptions options = small_options();
    options.frame_records_max = 4;
    auto life = live(options);
    life->settle();
    std::vector<Answer> answers(16);
    for (auto& answer : answers) life->submit(group_of("x"), answer);
    life->settle();
    std::map<std::uint64_t, int> records;
    for (const auto& applied : life->target.groups) ++records[applied.lsn];
    for (const auto& [lsn, count] : records) EXPECT_LE(count, 4) << lsn;
    EXPECT_GE(records.size(), 4u);
}

TEST_F(CommitLogTest, ACheckRefusesOrAddsRecords) {
    auto life = live();
    Group refused = group_of("never");
    refused.check = [](Group&, const FrameContext&) -> Result<void> {
        return fail(Errc::precondition_failed);
    };
    EXPECT_EQ(life->commit(std::move(refused)).error(), make_error_code(Errc::precondition_failed));

    Group added = group_of("first");
    FrameContext seen;
    added.check = [&](Group& self, const FrameContext& frame) -> Result<void> {
        seen = frame;
        self.records.push_back(group_of("second").records.front());
        self.records.front().blob = BlobId{77};
        return ok();
    };
    const auto committed = life->commit(std::move(added));
    ASSERT_TRUE(committed);
    EXPECT_EQ(seen.lsn, committed.value().lsn);
    EXPECT_EQ(seen.store_time_ms, committed.value().store_time_ms);
    ASSERT_EQ(life->target.groups.size(), 1u);
    EXPECT_EQ(life->target.groups[0].records, 2u);
}

TEST_F(CommitLogTest, AGroupWithoutRecordsWritesNothing) {
    auto life = live();
    ASSERT_TRUE(life->commit(group_of("a")));
    const auto frames = frames_written(*life);
    Group empty = group_of("dropped");
    empty.check = [](Group& self, const FrameContext&) -> Result<void> {
        self.records.clear();
        return ok();
    };
    const auto committed = life->commit(std::move(empty));
    ASSERT_TRUE(committed);
    EXPECT_EQ(committed.value().lsn.value, life->target.groups.back().lsn);
    EXPECT_EQ(frames_written(*life), frames);
}

TEST_F(CommitLogTest, AGroupAboveItsLimitIsRefused) {
    auto life = live();
    EXPECT_TRUE(life->commit(group_of("fits", std::string(15'000, 'x'))));
    EXPECT_EQ(life->commit(group_of("too large", std::string(16'400, 'x'))).error(),
              make_error_code(Errc::change_too_large));
    EXPECT_TRUE(life->commit(group_of("after")));
}

TEST_F(CommitLogTest, TheQueueIsBounded) {
    StoreOptions options = small_options();
    options.sequencer_queue_max = 8;
    auto life = begin();
    ASSERT_TRUE(life->open(options));  // not started: nothing leaves the queue
    std::vector<Answer> answers(12);
    for (auto& answer : answers) life->submit(group_of("x"), answer);
    life->settle();
    int overloaded = 0;
    for (const auto& answer : answers) {
        if (!answer) continue;
        ASSERT_FALSE(*answer);
        EXPECT_EQ(answer->error(), make_error_code(Errc::overloaded));
        ++overloaded;
    }
    EXPECT_EQ(overloaded, 4);
    life->start();
    life->settle();
    for (const auto& answer : answers) EXPECT_TRUE(answer);
    EXPECT_TRUE(life->commit(group_of("y")));
}

TEST_F(CommitLogTest, GroupsOfRecoveryAreCommittedAtOnce) {
    {
        auto life = begin();
        ASSERT_TRUE(life->open(small_options()));
        const auto first = life->log->commit_now(group_of("first"));
        const auto second = life->log->commit_now(group_of("second"));
        ASSERT_TRUE(first);
        ASSERT_TRUE(second);
        EXPECT_EQ(second.value().lsn.value, first.value().lsn.value + 1);
        EXPECT_EQ(life->target.groups.size(), 2u);
    }
    cut_power();
    EXPECT_EQ(live()->target.groups.size(), 2u);
}

TEST_F(CommitLogTest, RollsOverSegments) {
    std::vector<RecordingTarget::Applied> applied;
    {
        auto life = live();
        for (int i = 0; i < 40; ++i) {
            ASSERT_TRUE(life->commit(group_of(std::to_string(i), std::string(5000, 'r'))));
        }
        applied = life->target.groups;
        EXPECT_GE(life->log->stats().segments, 4u);
        EXPECT_EQ(life->log->stats().segments, applied.back().segment);
    }
    cut_power();
    auto life = live();
    EXPECT_EQ(life->target.groups, applied);
    ASSERT_TRUE(life->commit(group_of("more")));
}

TEST_F(CommitLogTest, ReadsInlineBytesBack) {
    auto life = live();
    const std::string content(3000, 'q');
    for (int i = 0; i < 5; ++i)
        ASSERT_TRUE(life->commit(group_of("b", content + std::to_string(i))));
    for (int i = 0; i < 5; ++i) {
        const auto& applied = life->target.groups[static_cast<std::size_t>(i)];
        std::vector<std::byte> bytes(applied.raw.size());
        ASSERT_TRUE(life->log->read_now(applied.segment, applied.raw_offset, bytes));
        EXPECT_EQ(as_text(bytes), content + std::to_string(i));
    }
    std::vector<std::byte> bytes(10);
    EXPECT_EQ(life->log->read_now(99, 64, bytes).error(), make_error_code(Errc::io_error));
    bytes.resize(65);
    EXPECT_EQ(life->log->read_now(1, 64_KiB - 64, bytes).error(), make_error_code(Errc::io_error));
}

Awaitable<void> read_one(CommitLog& log, IoQueue& queue, const RecordingTarget::Applied& applied,
                         std::string& out) {
    std::vector<std::byte> bytes(applied.raw.size());
    const auto read = co_await log.read(queue, applied.segment, applied.raw_offset, bytes);
    if (read) out = as_text(bytes);
}

TEST_F(CommitLogTest, ReadsInlineBytesThroughAQueue) {
    auto life = live();
    ASSERT_TRUE(life->commit(group_of("b", std::string(9000, 'z'))));
    const auto queue = life->io().make_queue(life->scheduler().executor());
    std::string read;
    asio::co_spawn(life->scheduler().executor(),
                   read_one(*life->log, *queue, life->target.groups[0], read), asio::detached);
    life->settle();
    EXPECT_EQ(read, std::string(9000, 'z'));
}

// After a failed write nothing is written any more, and who was in the frame is told the truth:
// nobody knows.
TEST_F(CommitLogTest, AFailedWriteMakesTheStoreReadOnly) {
    std::vector<Answer> answers(6);
    {
        auto life = live();
        ASSERT_TRUE(life->commit(group_of("before")));
        life->idle();
        life->io().set_faults({.dsync_error = 1});
        for (std::size_t i = 0; i < answers.size(); ++i) {
            Group group = group_of("during");
            group.keys.exclusive = {1};
            life->submit(std::move(group), answers[i]);
        }
        life->settle();
        int unknown = 0;
        int read_only = 0;
        for (const auto& answer : answers) {
            ASSERT_TRUE(answer);
            ASSERT_FALSE(*answer);
            unknown += answer->error() == make_error_code(Errc::outcome_unknown);
            read_only += answer->error() == make_error_code(Errc::read_only);
        }
        EXPECT_EQ(unknown, 1);
        EXPECT_EQ(read_only, 5);
        EXPECT_TRUE(life->log->read_only());
        EXPECT_FALSE(life->log->stats().read_only_reason.empty());
        life->io().set_faults({});
        EXPECT_EQ(life->commit(group_of("after")).error(), make_error_code(Errc::read_only));
        EXPECT_EQ(life->target.groups.size(), 1u);
        const auto boundaries = life->io().boundaries();
        life->idle();
        life->stop();
        EXPECT_EQ(life->io().boundaries(), boundaries)
            << "nothing is written by a store that is read-only";
    }
    auto life = live();
    EXPECT_LE(life->target.groups.size(), 2u);
    EXPECT_TRUE(life->commit(group_of("again")));
}

TEST_F(CommitLogTest, PoisonRefusesChanges) {
    auto life = live();
    life->log->poison("a lane cannot be synced");
    EXPECT_EQ(life->commit(group_of("x")).error(), make_error_code(Errc::read_only));
    EXPECT_EQ(life->log->stats().read_only_reason, "a lane cannot be synced");
}

TEST_F(CommitLogTest, LackOfSpacePassesWithoutARestart) {
    StoreOptions options = small_options();
    options.segments_spare = 0;
    auto life = live(options);
    life->settle();
    disk.set_full(true);
    Result<Committed> last = Committed{};
    int committed = 0;
    for (; last && committed < 100; ++committed)
        last = life->commit(group_of("x", std::string(5000, 'x')));
    ASSERT_FALSE(last);
    EXPECT_EQ(last.error(), make_error_code(Errc::no_space));
    EXPECT_GT(committed, 3);
    EXPECT_FALSE(life->log->read_only());
    disk.set_full(false);
    EXPECT_TRUE(life->commit(group_of("y", std::string(5000, 'y'))));
}

TEST_F(CommitLogTest, MissingSparesAreCountedAndHarmless) {
    StoreOptions options = small_options();
    options.segments_spare = 0;
    {
        auto life = live(options);
        for (int i = 0; i < 20; ++i)
            ASSERT_TRUE(life->commit(group_of("x", std::string(5000, 'x'))));
        EXPECT_GE(life->metrics().counter("log_spare_missing_total", "").value(), 1u);
    }
    cut_power();
    EXPECT_EQ(live()->target.groups.size(), 20u);
}

TEST_F(CommitLogTest, SparesAreReadyBeforeTheyAreNeeded) {
    auto life = live();
    for (int i = 0; i < 20; ++i) {
        ASSERT_TRUE(life->commit(group_of("x", std::string(5000, 'x'))));
        life->settle();
    }
    EXPECT_EQ(life->metrics().counter("log_spare_missing_total", "").value(), 0u);
}

TEST_F(CommitLogTest, OneIdleFrameFollowsTheLastOne) {
    auto life = live();
    ASSERT_TRUE(life->commit(group_of("x")));
    const auto lsn = life->log->stats().lsn;
    life->idle();
    EXPECT_EQ(life->log->stats().lsn, lsn + 1);
    life->idle();
    EXPECT_EQ(life->log->stats().lsn, lsn + 1);
    ASSERT_TRUE(life->commit(group_of("y")));
    life->idle();
    EXPECT_EQ(life->log->stats().lsn, lsn + 3);
}

// For throw-away caches: not one sync, so that none can fail.
TEST_F(CommitLogTest, WithoutDurabilityNothingIsSynced) {
    StoreOptions options = small_options();
    options.durability = Durability::none;
    {
        sim::SimIoOptions faulty;
        faulty.faults.sync_error = 1;
        faulty.faults.dsync_error = 1;
        auto life = begin(faulty);
        ASSERT_TRUE(life->open(options));
        life->start();
        for (int i = 0; i < 30; ++i) {
            ASSERT_TRUE(life->commit(group_of("x", std::string(5000, 'x'))));
        }
        life->stop();
        EXPECT_FALSE(life->log->read_only());
    }
    auto life = live(options);
    EXPECT_EQ(life->target.groups.size(), 30u);
    EXPECT_TRUE(life->log->stats().clean_start);
}

// The next segment cannot be synced: no frame names it, and nothing is tried again.
TEST_F(CommitLogTest, ASegmentThatCannotBeSyncedMakesTheStoreReadOnly) {
    StoreOptions options = small_options();
    options.segments_spare = 0;
    auto life = live(options);
    life->settle();
    life->io().set_faults({.sync_error = 1});
    Result<Committed> last = Committed{};
    for (int i = 0; last && i < 100; ++i) {
        last = life->commit(group_of("x", std::string(5000, 'x')));
    }
    ASSERT_FALSE(last);
    EXPECT_EQ(last.error(), make_error_code(Errc::read_only));
    EXPECT_TRUE(life->log->read_only());
    const std::size_t committed = life->target.groups.size();
    life.reset();
    EXPECT_EQ(live()->target.groups.size(), committed);
}

TEST_F(CommitLogTest, ACleanStopIsKnownAtTheNextStart) {
    {
        auto life = live();
        EXPECT_TRUE(life->log->stats().clean_start);
        EXPECT_TRUE(life->log->stats().created);
        ASSERT_TRUE(life->commit(group_of("x")));
        life->stop(group_of("last"));
        EXPECT_EQ(life->commit(group_of("late")).error(), make_error_code(Errc::stopped));
        life->stop();
    }
    {
        auto life = live();
        EXPECT_TRUE(life->log->stats().clean_start);
        EXPECT_FALSE(life->log->stats().created);
        ASSERT_EQ(life->target.groups.size(), 2u);
        EXPECT_EQ(life->target.groups[1].body, "last");
    }
    EXPECT_FALSE(live()->log->stats().clean_start);
}

TEST_F(CommitLogTest, StopAnswersWhatWasSubmittedBefore) {
    auto life = live();
    std::vector<Answer> answers(10);
    for (std::size_t i = 0; i < answers.size(); ++i) {
        Group group = group_of("x");
        group.keys.exclusive = {1};
        life->submit(std::move(group), answers[i]);
    }
    life->stop();
    life->settle();
    for (const auto& answer : answers) {
        ASSERT_TRUE(answer);
        EXPECT_TRUE(*answer || answer->error() == make_error_code(Errc::stopped));
    }
}

TEST_F(CommitLogTest, AStepRunsWhileNoFrameIsOnItsWay) {
    auto life = live();
    int steps = 0;
    ASSERT_TRUE(life->step([&] { ++steps; })) << "with nothing else to do";
    std::vector<Answer> answers(40);
    std::vector<std::optional<Result<void>>> done(answers.size());
    std::vector<std::size_t> applied_then;  // groups, at each step
    for (std::size_t i = 0; i < answers.size(); ++i) {
        Group group = group_of(std::to_string(i));
        group.keys.exclusive = {1};  // a frame for each
        life->submit(std::move(group), answers[i]);
        life->submit_step(
            [&] {
                EXPECT_EQ(life->log->stats().lsn, life->target.groups.empty()
                                                      ? life->log->stats().lsn
                                                      : life->target.groups.back().lsn)
                    << "what is durable is applied";
                applied_then.push_back(life->target.groups.size());
            },
            done[i]);
    }
    life->settle();
    for (const auto& answer : answers) ASSERT_TRUE(answer && *answer);
    for (const auto& answer : done) ASSERT_TRUE(answer && *answer);
    EXPECT_EQ(steps, 1);
    ASSERT_EQ(applied_then.size(), done.size());
    EXPECT_TRUE(std::is_sorted(applied_then.begin(), applied_then.end()));
}

TEST_F(CommitLogTest, StepsTakeTurnsWithFrames) {
    auto life = live();
    life->settle();
    std::vector<Answer> answers(8);
    std::vector<std::optional<Result<void>>> done(64);
    std::vector<std::size_t> applied_then;
    for (auto& each : done)
        life->submit_step([&] { applied_then.push_back(life->target.groups.size()); }, each);
    for (auto& answer : answers) {
        Group group = group_of("x");
        group.keys.exclusive = {1};
        life->submit(std::move(group), answer);
    }
    life->settle();
    // While frames were waiting there was one step a frame: those left over came at the end.
    ASSERT_EQ(applied_then.size(), done.size());
    for (std::size_t groups = 1; groups < answers.size(); ++groups) {
        EXPECT_LE(std::count(applied_then.begin(), applied_then.end(), groups), 1) << groups;
    }
}

TEST_F(CommitLogTest, AStoppedLogRunsNoStep) {
    auto life = live();
    std::optional<Result<void>> before;
    int steps = 0;
    life->submit_step([&] { ++steps; }, before);
    life->settle();
    life->stop();
    ASSERT_TRUE(before && *before);
    EXPECT_EQ(life->step([&] { ++steps; }).error(), make_error_code(Errc::stopped));
    EXPECT_EQ(steps, 1);
}

TEST_F(CommitLogTest, AStoreOpenedForReadingIsLeftAsItIs) {
    {
        auto life = live();
        ASSERT_TRUE(life->commit(group_of("x")));
    }
    StoreOptions options = small_options();
    options.read_only = true;
    auto life = begin(kReadOnlyIo);
    ASSERT_TRUE(life->open(options));
    life->start();
    EXPECT_EQ(life->target.groups.size(), 1u);
    EXPECT_TRUE(life->log->read_only());
    EXPECT_EQ(life->commit(group_of("y")).error(), make_error_code(Errc::read_only));
    EXPECT_EQ(life->io().boundaries(), 0u);
    auto second = begin(kReadOnlyIo);
    EXPECT_TRUE(second->open(options)) << "readers share the lock";
    EXPECT_EQ(open_error(), make_error_code(Errc::locked));
    life->stop();
}

TEST_F(CommitLogTest, OneProcessAtATime) {
    auto life = live();
    EXPECT_EQ(open_error(), make_error_code(Errc::locked));
}

TEST_F(CommitLogTest, KeysAreDerivedFromTheSecret) {
    std::array<std::byte, 32> first{};
    {
        auto life = live();
        first = life->log->derive_key("session");
        EXPECT_NE(first, life->log->derive_key("other"));
    }
    EXPECT_EQ(live()->log->derive_key("session"), first);
    sim::SimDisk other_disk{sim::SimDiskMode::strict};
    Life other{other_disk, 99, 0, {}};
    ASSERT_TRUE(other.open(small_options()));
    EXPECT_NE(other.log->derive_key("session"), first);
}

TEST_F(CommitLogTest, StoreTimeNeverFallsOverRestartsAndClockJumps) {
    std::uint64_t last = 0;
    for (const std::int64_t jump : {0LL, -400'000'000'000'000'000LL, 900'000'000'000'000'000LL}) {
        wall_jump_ns = jump;
        auto life = live();
        const auto committed = life->commit(group_of("x"));
        ASSERT_TRUE(committed);
        EXPECT_GE(committed.value().store_time_ms, last);
        EXPECT_LE(committed.value().store_time_ms, last + 3'700'000);
        last = committed.value().store_time_ms;
    }
}

}  // namespace
}  // namespace orbitalreg::cas
