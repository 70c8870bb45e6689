// What recovery makes of a log: torn tails are cut, damage to acknowledged frames is refused, and a
// crash at any point of making, using and recovering a store loses nothing that was acknowledged.

#include "log/recovery.h"

#include "base/errors.h"
#include "format/frame.h"
#include "format/page_buffer.h"
#include "format/superblock.h"
#include "log/frame_scanner.h"
#include "log/superblock_file.h"
#include "unit/cas/log/log_fixture.h"

namespace orbitalreg::cas {
namespace {

class LogRecoveryTest : public SimulatedLog {
public:
    // Frames of the log as they lie on the disk.
    std::vector<ScannedFrame> frames() {
        auto life = begin();
        SuperblockFile file{life->io(), Durability::full};
        const auto choice = file.read();
        EXPECT_TRUE(choice);
        FrameScanner scanner{life->io(), log_identity(choice.value().superblock), {0, 0}, {}};
        std::vector<ScannedFrame> found;
        for (;;) {
            const auto frame = scanner.next();
            EXPECT_TRUE(frame);
            if (!frame || !frame.value()) return found;
            found.push_back(*frame.value());
            found.back().bytes = {};
        }
    }
    std::string path_of(const ScannedFrame& frame) {
        return log_segment_path(frame.position.segment);
    }

    void commit_some(int count, std::size_t raw = 100) {
        auto life = live();
        for (int i = 0; i < count; ++i) {
            ASSERT_TRUE(life->commit(group_of("g" + std::to_string(i), std::string(raw, 'c'))));
        }
    }
    // Changes what is stored, as a torn write or rot does.
    void overwrite(const std::string& path, std::uint64_t offset, ByteView bytes) {
        auto& stored = content(path);
        ASSERT_LE(offset + bytes.size(), stored.size());
        std::copy(bytes.begin(), bytes.end(), stored.begin() + static_cast<std::ptrdiff_t>(offset));
        disk.find(path)->durable = stored;
        disk.find(path)->pending.clear();
    }
    void zero(const std::string& path, std::uint64_t offset, std::size_t size) {
        overwrite(path, offset, std::vector<std::byte>(size));
    }
    std::size_t replayed() { return live()->target.groups.size(); }
};

// The last frame of 9 000 bytes is cut at every sector, and inside the header at every byte: always
// a torn tail, which the next `opened` replaces for good.
TEST_F(LogRecoveryTest, ATornTailIsCutAtEveryPlace) {
    commit_some(3, 9000);
    const ScannedFrame last = frames().back();
    ASSERT_EQ(last.header.size_bytes(), 3 * kPageSize);
    const std::string path = path_of(last);
    const auto whole = content(path);
    std::vector<std::size_t> kept_sizes;
    for (std::size_t kept = 0; kept < 160; ++kept) kept_sizes.push_back(kept);
    for (std::size_t kept = 512; kept < 9100; kept += 512) kept_sizes.push_back(kept);
    for (const std::size_t kept : {9000, 9127})
        kept_sizes.push_back(static_cast<std::size_t>(kept));
    for (const std::size_t kept : kept_sizes) {
        overwrite(path, 0, whole);
        const std::size_t end = static_cast<std::size_t>(last.header.size_bytes());
        zero(path, last.position.offset + kept, end - kept);
        auto life = live();
        ASSERT_EQ(life->target.groups.size(), 2u) << kept;
        ASSERT_TRUE(life->commit(group_of("after")));
        life.reset();
        ASSERT_EQ(replayed(), 3u) << kept;
    }
}

// A sector in the middle was lost, the rest arrived.
TEST_F(LogRecoveryTest, ATailWithAHoleIsTorn) {
    commit_some(3, 9000);
    const ScannedFrame last = frames().back();
    const auto whole = content(path_of(last));
    for (std::size_t sector = 0; sector * 512 < 9128; ++sector) {
        overwrite(path_of(last), 0, whole);
        zero(path_of(last), last.position.offset + sector * 512, 512);
        ASSERT_EQ(replayed(), 2u) << sector;
    }
}

TEST_F(LogRecoveryTest, DamageInTheMiddleIsRefused) {
    commit_some(4, 5000);
    const auto all = frames();
    for (std::size_t i = 0; i + 1 < all.size(); ++i) {
        for (const std::uint64_t at :
             {std::uint64_t{0}, std::uint64_t{70}, all[i].header.size_bytes() - 1}) {
            flip(path_of(all[i]), all[i].position.offset + at);
            ASSERT_EQ(open_error(), make_error_code(Errc::log_corrupt))
                << "lsn " << all[i].header.lsn << " byte " << at;
            flip(path_of(all[i]), all[i].position.offset + at);
        }
    }
    EXPECT_EQ(open_error(), ErrorCode{});
}

TEST_F(LogRecoveryTest, ARefusedOpeningChangesNothing) {
    commit_some(4);
    const auto all = frames();
    flip(path_of(all[1]), all[1].position.offset + 40);
    const auto before = disk.fingerprint();
    EXPECT_EQ(open_error(), make_error_code(Errc::log_corrupt));
    EXPECT_EQ(disk.fingerprint(), before);
}

// The idle frame behind it makes the last acknowledged frame more than a tail.
TEST_F(LogRecoveryTest, RotInAFrameBeforeAnIdleOneIsRefused) {
    {
        auto life = live();
        ASSERT_TRUE(life->commit(group_of("x")));
        life->idle();
    }
    const auto all = frames();
    ASSERT_EQ(all.back().header.kind, FrameKind::idle);
    const auto& data = all[all.size() - 2];
    flip(path_of(data), data.position.offset + 200);
    EXPECT_EQ(open_error(), make_error_code(Errc::log_corrupt));
}

TEST_F(LogRecoveryTest, RotInAnOpenedFrameIsRefused) {
    commit_some(2);
    commit_some(2);
    const auto all = frames();
    const auto opened = std::find_if(all.begin() + 1, all.end(), [](const ScannedFrame& f) {
        return f.header.kind == FrameKind::opened;
    });
    ASSERT_NE(opened, all.end());
    flip(path_of(*opened), opened->position.offset + 12);
    EXPECT_EQ(open_error(), make_error_code(Errc::log_corrupt));
}

TEST_F(LogRecoveryTest, RotInTheLastFrameOfASegmentIsRefused) {
    commit_some(20, 5000);
    const auto all = frames();
    const auto end = std::find_if(all.begin(), all.end(), [](const ScannedFrame& f) {
        return f.header.kind == FrameKind::segment_end;
    });
    ASSERT_NE(end, all.end());
    for (const auto& frame : {*(end - 1), *end}) {
        flip(path_of(frame), frame.position.offset + 20);
        EXPECT_EQ(open_error(), make_error_code(Errc::log_corrupt)) << frame.header.lsn;
        flip(path_of(frame), frame.position.offset + 20);
    }
}

TEST_F(LogRecoveryTest, AMissingSegmentIsRefused) {
    commit_some(20, 5000);
    {
        auto life = begin();
        ASSERT_TRUE(life->io().remove(kSegment2));
    }
    EXPECT_EQ(open_error(), make_error_code(Errc::log_corrupt));
}

TEST_F(LogRecoveryTest, ASegmentHeaderInTheWrongPlaceIsRefused) {
    commit_some(20, 5000);
    const auto first = content(kSegment1);
    overwrite(std::string{kSegment2}, 0, ByteView{first}.first(kPageSize));
    EXPECT_EQ(open_error(), make_error_code(Errc::log_corrupt));
}

TEST_F(LogRecoveryTest, ASegmentOfAnotherStoreIsRefused) {
    commit_some(1);
    sim::SimDisk other_disk{sim::SimDiskMode::strict};
    {
        Life other{other_disk, 77, 0, {}};
        ASSERT_TRUE(other.open(small_options()));
    }
    overwrite(std::string{kSegment1}, 0, other_disk.find(kSegment1)->current);
    EXPECT_EQ(open_error(), make_error_code(Errc::wrong_store));
}

TEST_F(LogRecoveryTest, ACleanStopThatTheLogDoesNotKnowIsRefused) {
    {
        auto life = live();
        ASSERT_TRUE(life->commit(group_of("x")));
        life->stop();
    }
    const auto all = frames();
    ASSERT_EQ(all.back().header.kind, FrameKind::closed);
    zero(path_of(all.back()), all.back().position.offset, kPageSize);
    EXPECT_EQ(open_error(), make_error_code(Errc::log_corrupt));
}

// Whatever reads fail: all frames are found, or the store is not opened.
TEST_F(LogRecoveryTest, AnUnreadablePageIsNoTail) {
    commit_some(3);
    int refused = 0;
    for (int attempt = 0; attempt < 200; ++attempt) {
        auto life = begin();
        life->io().set_faults({.read_error = 2});
        const auto opened = life->open(small_options());
        if (opened) {
            ASSERT_EQ(life->target.groups.size(), 3u);
            continue;
        }
        ASSERT_TRUE(opened.error() == make_error_code(Errc::io_error) ||
                    opened.error() == errno_code(EIO));
        ++refused;
    }
    EXPECT_GT(refused, 0);
    EXPECT_LT(refused, 200);
}

// A write that was thought torn comes back beside its replacement's successors: the chain tells.
TEST_F(LogRecoveryTest, AFrameThatCameBackFromAnEarlierLifeIsRefused) {
    commit_some(2);
    const auto old = frames().back();
    const auto stored = content(path_of(old));
    const auto begin_at = stored.begin() + static_cast<std::ptrdiff_t>(old.position.offset);
    const std::vector<std::byte> page(begin_at, begin_at + kPageSize);
    zero(path_of(old), old.position.offset, kPageSize);
    commit_some(1);
    overwrite(path_of(old), old.position.offset, page);
    EXPECT_EQ(open_error(), make_error_code(Errc::log_corrupt));
}

TEST_F(LogRecoveryTest, FramesBehindAMissingSegmentAreNotRemoved) {
    commit_some(20, 5000);
    const auto all = frames();
    ASSERT_GE(all.back().position.segment, 3u);
    // The end of segment 1 rots away, and segment 2 is gone: what is in segment 3 still says so.
    const auto end = std::find_if(all.begin(), all.end(), [](const ScannedFrame& f) {
        return f.header.kind == FrameKind::segment_end;
    });
    zero(path_of(*end), end->position.offset, kPageSize);
    {
        auto life = begin();
        ASSERT_TRUE(life->io().remove(kSegment2));
    }
    EXPECT_EQ(open_error(), make_error_code(Errc::log_corrupt));
    EXPECT_NE(disk.find(log_segment_path(3)), nullptr);
}

TEST_F(LogRecoveryTest, SuperblockCopiesStandAlone) {
    commit_some(2);
    for (unsigned copy = 0; copy < 3; ++copy) flip("SUPER", copy * kPageSize + 140);
    EXPECT_EQ(replayed(), 2u);
    // The opening has rewritten all four.
    for (unsigned copy = 1; copy < 4; ++copy) flip("SUPER", copy * kPageSize + 140);
    EXPECT_EQ(replayed(), 2u);
    for (unsigned copy = 0; copy < 4; ++copy) flip("SUPER", copy * kPageSize + 140);
    EXPECT_EQ(open_error(), make_error_code(Errc::superblock_corrupt));
}

TEST_F(LogRecoveryTest, ANewerVersionIsLeftAlone) {
    commit_some(1);
    const auto stored = content("SUPER");
    auto super = decode_superblock(ByteView{stored}.first(kPageSize), 0);
    ASSERT_TRUE(super);
    super.value().incompat_features = 1;
    const PageBuffer page{kPageSize};
    for (unsigned copy = 0; copy < kSuperblockCopies; ++copy) {
        encode_superblock(super.value(), copy, page.bytes());
        overwrite("SUPER", copy * kPageSize, page.bytes());
    }
    const auto before = disk.fingerprint();
    EXPECT_EQ(open_error(), make_error_code(Errc::version_unsupported));
    EXPECT_EQ(disk.fingerprint(), before);
}

TEST_F(LogRecoveryTest, ADirectoryOfSomethingElseIsLeftAlone) {
    {
        auto life = begin();
        ASSERT_TRUE(life->io().open("holiday.jpg", {.write = true, .create = true}));
    }
    const auto before = disk.fingerprint();
    EXPECT_EQ(open_error(), make_error_code(Errc::not_a_store));
    EXPECT_EQ(disk.fingerprint(), before);
    StoreOptions options = small_options();
    options.read_only = true;
    EXPECT_EQ(open_error(options), make_error_code(Errc::not_a_store));
}

// A store that lost SUPER must not be taken for an empty directory.
TEST_F(LogRecoveryTest, AStoreWithoutSuperIsNotMadeAnew) {
    commit_some(1);
    {
        auto life = begin();
        ASSERT_TRUE(life->io().remove("SUPER"));
    }
    EXPECT_EQ(open_error(), make_error_code(Errc::superblock_corrupt));
}

TEST_F(LogRecoveryTest, ASecondRecoveryChangesOnlySuperblockAndOpened) {
    commit_some(3);
    live().reset();
    const auto log = content(kSegment1);
    const auto before = frames();
    live().reset();
    const auto after = frames();
    ASSERT_EQ(after.size(), before.size() + 1);
    EXPECT_EQ(after.back().header.kind, FrameKind::opened);
    auto now = content(kSegment1);
    const auto offset = static_cast<std::ptrdiff_t>(after.back().position.offset);
    std::fill_n(now.begin() + offset, kPageSize, std::byte{0});
    EXPECT_EQ(now, log);
}

TEST_F(LogRecoveryTest, AHalfMadeSpareIsMadeAnew) {
    commit_some(2);
    {
        auto life = begin();
        auto file = life->io().open(kSegment2, {.write = true, .create = true});
        ASSERT_TRUE(file);
        const PageBuffer page{kPageSize};
        std::memset(page.data(), 0x55, kPageSize);
        ASSERT_TRUE(file.value()->write(0, page.bytes()));
        ASSERT_TRUE(life->io().open("log/0000000000000009.olog", {.write = true, .create = true}));
    }
    {
        auto life = live();
        EXPECT_EQ(life->target.groups.size(), 2u);
        for (int i = 0; i < 20; ++i)
            ASSERT_TRUE(life->commit(group_of("x", std::string(5000, 'x'))));
    }
    EXPECT_EQ(replayed(), 22u);
}

// The tail is where only a segment_end fits: that one comes first, and `opened` in the next
// segment.
TEST_F(LogRecoveryTest, OpensWhereOnlyASegmentEndFits) {
    for (int restarts = 0; restarts < 40; ++restarts) live().reset();  // a page each
    const auto all = frames();
    EXPECT_GE(all.back().position.segment, 3u);
    for (std::size_t i = 1; i < all.size(); ++i) {
        if (all[i - 1].header.kind != FrameKind::segment_end) continue;
        EXPECT_EQ(all[i - 1].position.offset, 64_KiB - kPageSize);
        EXPECT_EQ(all[i].header.kind, FrameKind::opened);
        EXPECT_EQ(all[i].position.offset, kFirstFrameOffset);
    }
}

// Of a backup, frames above log_end_lsn count only when the copy wrote them.
TEST_F(LogRecoveryTest, ABackupEndsWhereItsSuperblockSays) {
    commit_some(3);
    const auto all = frames();
    const auto stored = content("SUPER");
    auto super = decode_superblock(ByteView{stored}.first(kPageSize), 0).value();
    super.log_end_lsn = all[2].header.lsn;  // opened and two groups
    super.incarnation = 1;
    const PageBuffer page{kPageSize};
    for (unsigned copy = 0; copy < kSuperblockCopies; ++copy) {
        encode_superblock(super, copy, page.bytes());
        overwrite("SUPER", copy * kPageSize, page.bytes());
    }
    {
        auto life = live();
        EXPECT_EQ(life->target.groups.size(), 2u);
        ASSERT_TRUE(life->commit(group_of("of the copy")));
    }
    {
        auto life = live();
        ASSERT_EQ(life->target.groups.size(), 3u);
        EXPECT_EQ(life->target.groups[2].body, "of the copy");
    }
    EXPECT_EQ(replayed(), 3u);
}

// A life that commits until the power is cut at its n-th boundary, n = 1, 2, ...; and again while
// the next one recovers. What was acknowledged is there, in order, and at most the group in flight
// beside it.
class CrashEverywhere : public LogRecoveryTest,
                        public testing::WithParamInterface<sim::SimDiskMode> {};

std::vector<std::string> run_until_crash(SimulatedLog::Life& life, int first, int count) {
    std::vector<std::string> acknowledged;
    if (!life.open(small_options())) return acknowledged;
    life.start();
    for (int i = first; i < first + count; ++i) {
        const std::string body = "g" + std::to_string(i);
        if (life.commit(group_of(body, std::string(6000, 'c')))) acknowledged.push_back(body);
    }
    life.stop();
    return acknowledged;
}

void expect_prefix(const std::vector<std::string>& acknowledged, const RecordingTarget& target,
                   std::size_t in_flight_max) {
    std::vector<std::string> found;
    for (const auto& group : target.groups) found.push_back(group.body);
    ASSERT_GE(found.size(), acknowledged.size());
    ASSERT_LE(found.size(), acknowledged.size() + in_flight_max);
    std::size_t at = 0;
    for (const std::string& body : acknowledged) {
        while (at < found.size() && found[at] != body) ++at;
        ASSERT_LT(at, found.size()) << body << " is lost";
    }
}

TEST_P(CrashEverywhere, NothingAcknowledgedIsLost) {
    constexpr int kGroups = 12;  // enough for a new segment
    bool reached_end = false;
    for (std::uint64_t boundary = 1; !reached_end; ++boundary) {
        sim::SimDisk local{GetParam()};
        std::vector<std::string> acknowledged;
        {
            Life life{local, boundary, 0, {.crash_at = boundary, .faults = {}, .read_only = false}};
            acknowledged = run_until_crash(life, 0, kGroups);
            reached_end = !life.io().crashed();
        }
        bool recovered = false;
        for (std::uint64_t again = 1; !recovered; ++again) {
            Life life{local,
                      boundary * 1000 + again,
                      0,
                      {.crash_at = again, .faults = {}, .read_only = false}};
            const auto opened = life.open(small_options());
            recovered = opened.has_value();
            if (recovered) {
                expect_prefix(acknowledged, life.target, 1);
                life.log.reset();
            } else {
                ASSERT_TRUE(life.io().crashed())
                    << opened.error().message() << " at " << boundary << "/" << again;
            }
            if (HasFatalFailure()) {
                FAIL() << "boundary " << boundary << " and " << again;
            }
        }
        Life life{local, boundary + 7, 0, {}};
        ASSERT_TRUE(life.open(small_options()));
        expect_prefix(acknowledged, life.target, 1);
        life.start();
        ASSERT_TRUE(life.commit(group_of("after")));
    }
}

INSTANTIATE_TEST_SUITE_P(Disks, CrashEverywhere,
                         testing::Values(sim::SimDiskMode::strict, sim::SimDiskMode::ordered));

}  // namespace
}  // namespace orbitalreg::cas
