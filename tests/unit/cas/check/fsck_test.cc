// fsck and dump on stores with known damage: what is found, at which level, and what a reader gets.

#include "cas/inspect.h"
#include "unit/cas/lane/lane_fixture.h"

#include <boost/json/parse.hpp>

namespace orbitalreg::cas {
namespace {

class Fsck : public SimulatedStore {
public:
    static constexpr std::size_t kLargeSize = 200'000;
    static constexpr std::size_t kSmallSize = 1000;

    // Blobs in the log and in a lane, an open upload, a clean stop.
    void fill() {
        auto life = live();
        large_ = life->put(content_of(kLargeSize, 1));
        small_ = life->put(content_of(kSmallSize, 2));
        life->put(content_of(70'000, 3));
        Writer writer = life->resume(session_of(7));
        ASSERT_TRUE(life->write(writer, content_of(50'000, 4)));
        ASSERT_TRUE(life->mark(writer));
        writer.reset();
        life->stop();
    }

    FsckReport check(FsckLevel level) {
        Life life{disk, ++seed};
        NoCatalog catalog;
        auto report = fsck(life.io(), level, catalog, null_log(), [](std::string_view) {});
        EXPECT_TRUE(report) << report.error().message();
        return report ? report.value() : FsckReport{};
    }
    static bool has(const FsckReport& report, std::string_view code) {
        return std::ranges::any_of(report.findings,
                                   [&](const FsckFinding& f) { return f.code == code; });
    }
    std::vector<std::string> dump_lines(DumpWhat what) {
        Life life{disk, ++seed};
        std::vector<std::string> lines;
        const auto dumped = dump(
            life.io(), what, [](const CatalogRecordView&) { return std::string{"{}"}; },
            [&](std::string_view line) { lines.emplace_back(line); });
        EXPECT_TRUE(dumped) << dumped.error().message();
        return lines;
    }
    // Where the dump says that the bytes of the blob are.
    std::pair<std::string, std::uint64_t> place_of(const Digest& digest) {
        for (const std::string& line : dump_lines(DumpWhat::blobs)) {
            const auto blob = boost::json::parse(line).as_object();
            if (blob.at("digest").as_string() == digest.to_string()) {
                return {std::string{blob.at("file").as_string()},
                        blob.at("offset").to_number<std::uint64_t>()};
            }
        }
        ADD_FAILURE() << "no such blob";
        return {};
    }
    void flip(const std::string& path, std::uint64_t offset, unsigned bit = 3) {
        const auto file = disk.find(path);
        ASSERT_NE(file, nullptr) << path;
        disk.flip_bit(*file, offset, bit);
    }

    Digest large_;
    Digest small_;
};

TEST_F(Fsck, FindsNothingInASoundStore) {
    fill();
    for (const FsckLevel level : {FsckLevel::quick, FsckLevel::normal, FsckLevel::deep}) {
        const FsckReport report = check(level);
        EXPECT_TRUE(report.clean())
            << report.findings.front().code << ' ' << report.findings.front().detail;
        EXPECT_TRUE(report.findings.empty());
        EXPECT_EQ(report.blobs, 3u);
        EXPECT_EQ(report.bytes, kLargeSize + kSmallSize + 70'000);
        EXPECT_GT(report.frames, 3u);
    }
}

TEST_F(Fsck, FindsNothingAfterAPowerCut) {
    for (int round = 0; round < 20; ++round) {
        {
            auto life = live();
            life->put(content_of(10'000, static_cast<std::uint64_t>(round)));
            Writer writer = life->resume(session_of(static_cast<std::uint8_t>(round + 1)));
            ASSERT_TRUE(life->write(writer, content_of(30'000, 4)));
            if (round % 2 == 0) {
                ASSERT_TRUE(life->mark(writer));
            }
        }
        cut_power();
        const FsckReport report = check(FsckLevel::deep);
        ASSERT_TRUE(report.clean())
            << round << ": " << report.findings.front().code << ' ' << report.findings.front().where
            << ' ' << report.findings.front().detail;
    }
}

TEST_F(Fsck, ADirectoryWithoutAStoreIsNoStore) {
    Life life{disk, ++seed};
    NoCatalog catalog;
    const auto report =
        fsck(life.io(), FsckLevel::quick, catalog, null_log(), [](std::string_view) {});
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error(), ErrorCode{Errc::not_a_store});
}

TEST_F(Fsck, RefusesWhileTheStoreIsOpenForWriting) {
    auto life = live();
    NoCatalog catalog;
    const auto report =
        fsck(life->io(), FsckLevel::quick, catalog, null_log(), [](std::string_view) {});
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error(), ErrorCode{Errc::locked});
}

// What a server changes meanwhile is no finding; what is damaged is one.
TEST_F(Fsck, LooksBesideAServer) {
    fill();
    const auto [path, offset] = place_of(large_);
    auto life = live();
    life->put(content_of(30'000, 9));
    const auto make = [] { return std::make_unique<NoCatalog>(); };
    const auto look = [&] {
        return fsck_online(life->io(), {.level = FsckLevel::deep}, make, null_log(),
                           [&](std::string_view) {});
    };
    const auto sound = look();
    ASSERT_TRUE(sound) << sound.error().message();
    EXPECT_TRUE(sound.value().findings.empty()) << sound.value().findings.front().code;
    EXPECT_EQ(sound.value().blobs, 4u);
    flip(path, offset + 30);
    const auto damaged = look();
    ASSERT_TRUE(damaged);
    EXPECT_TRUE(has(damaged.value(), "chunk_damaged"));
    life->put(content_of(1000, 10));
    EXPECT_TRUE(life->get(small_));  // the server did not notice
}

// REL-13: three of four copies may be lost.
TEST_F(Fsck, NamesEachDamagedCopyOfTheSuperblock) {
    fill();
    for (std::uint64_t copy = 0; copy < 3; ++copy) {
        flip("SUPER", copy * kPageSize + 80);
        const FsckReport report = check(FsckLevel::quick);
        EXPECT_EQ(report.findings.size(), copy + 1);
        EXPECT_TRUE(has(report, "superblock_copy_invalid"));
        EXPECT_FALSE(report.clean());
    }
    {
        auto life = live();  // opening for writing rewrites all four
        EXPECT_TRUE(life->get(large_));
        life->stop();
    }
    EXPECT_TRUE(check(FsckLevel::quick).clean());
    for (std::uint64_t copy = 0; copy < 4; ++copy) flip("SUPER", copy * kPageSize + 80);
    EXPECT_TRUE(has(check(FsckLevel::quick), "superblock_corrupt"));
}

// REL-05: an acknowledged frame in the middle is damaged; nothing is dropped in silence.
TEST_F(Fsck, ADamagedFrameIsNamedAndTheStoreStaysShut) {
    fill();
    const auto [path, offset] = place_of(small_);
    flip(path, offset + 10);
    const FsckReport report = check(FsckLevel::quick);
    EXPECT_TRUE(has(report, "frame_corrupt"));
    EXPECT_FALSE(report.clean());
    Life life{disk, ++seed};
    const auto opened = life.open(lane_options());
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error(), ErrorCode{Errc::log_corrupt});
}

// REL-10, REL-11: a rotten chunk is found by the deep level and never handed to a reader.
TEST_F(Fsck, ADamagedChunkIsFoundByTheDeepLevelAndHealedByAnotherPush) {
    fill();
    const auto [path, offset] = place_of(large_);
    flip(path, offset + 130'000);
    EXPECT_TRUE(check(FsckLevel::normal).clean());
    EXPECT_TRUE(has(check(FsckLevel::deep), "chunk_damaged"));
    {
        auto life = live();
        const auto sound = life->get(large_, 0, 65'536);
        ASSERT_TRUE(sound);
        const auto read = life->get(large_);
        ASSERT_FALSE(read);
        EXPECT_EQ(read.error(), ErrorCode{Errc::blob_damaged});
        life->settle();
        EXPECT_EQ(life->get(large_).error(), ErrorCode{Errc::blob_not_found});
        life->stop();
    }
    EXPECT_TRUE(has(check(FsckLevel::quick), "blob_damaged"));
    {
        auto life = live();
        EXPECT_EQ(life->get(large_).error(), ErrorCode{Errc::blob_not_found});
        life->put(content_of(kLargeSize, 1));
        const auto healed = life->get(large_);
        ASSERT_TRUE(healed) << healed.error().message();
        EXPECT_EQ(healed.value(), content_of(kLargeSize, 1));
        life->stop();
    }
    EXPECT_TRUE(check(FsckLevel::deep).clean());
}

TEST_F(Fsck, EveryPageOfALaneRecordIsHeldAgainstItsRow) {
    fill();
    const auto [path, offset] = place_of(large_);
    const std::uint64_t payload_pages = (kLargeSize + kPageSize - 1) / kPageSize;
    flip(path, offset - kPageSize + 3000);
    EXPECT_TRUE(has(check(FsckLevel::normal), "record_header_invalid"));
    flip(path, offset - kPageSize + 3000);
    EXPECT_TRUE(check(FsckLevel::normal).clean());
    flip(path, offset + payload_pages * kPageSize + 2000);
    EXPECT_TRUE(has(check(FsckLevel::normal), "descriptor_invalid"));
    auto life = live();
    const auto read = life->get(large_);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error(), ErrorCode{Errc::blob_damaged});
}

TEST_F(Fsck, RepairWritesARecordHeaderAnewAndKeepsTheOldPage) {
    fill();
    const auto [path, offset] = place_of(large_);
    flip(path, offset - kPageSize + 30);
    flip("SUPER", 2 * kPageSize + 80);
    EXPECT_TRUE(has(check(FsckLevel::normal), "record_header_invalid"));
    {
        Life life{disk, ++seed};
        NoCatalog catalog;
        const auto repaired = repair(life.io(), catalog, null_log());
        ASSERT_TRUE(repaired) << repaired.error().message();
        EXPECT_EQ(repaired.value().done.size(), 2u);
        EXPECT_TRUE(repaired.value().left.empty());
    }
    EXPECT_TRUE(check(FsckLevel::deep).findings.empty());
    const auto kept = disk.find("lost+found");
    ASSERT_NE(kept, nullptr);
    EXPECT_EQ(kept->entries.size(), 1u);
    auto life = live();
    EXPECT_EQ(life->get(large_).value(), content_of(kLargeSize, 1));
}

TEST_F(Fsck, RepairLeavesAHeaderWhoseBlobDoesNotVerify) {
    fill();
    const auto [path, offset] = place_of(large_);
    flip(path, offset - kPageSize + 30);
    flip(path, offset + 30);
    Life life{disk, ++seed};
    NoCatalog catalog;
    const auto repaired = repair(life.io(), catalog, null_log());
    ASSERT_TRUE(repaired);
    EXPECT_TRUE(repaired.value().done.empty());
    EXPECT_EQ(repaired.value().left.size(), 1u);
}

TEST_F(Fsck, MissesALaneThatIsGone) {
    fill();
    const auto [path, offset] = place_of(large_);
    disk.remove(disk.place(path));
    const FsckReport report = check(FsckLevel::normal);
    EXPECT_TRUE(has(report, "lane_missing"));
    EXPECT_FALSE(report.clean());
}

TEST_F(Fsck, DumpPrintsOneJsonObjectALine) {
    fill();
    for (const DumpWhat what : {DumpWhat::superblock, DumpWhat::frames, DumpWhat::records,
                                DumpWhat::blobs, DumpWhat::lanes, DumpWhat::uploads}) {
        const auto lines = dump_lines(what);
        EXPECT_FALSE(lines.empty());
        for (const std::string& line : lines) {
            boost::system::error_code error;
            const auto value = boost::json::parse(line, error);
            ASSERT_FALSE(error) << line;
            EXPECT_TRUE(value.is_object()) << line;
        }
    }
    EXPECT_EQ(dump_lines(DumpWhat::uploads).size(), 1u);
    EXPECT_EQ(dump_lines(DumpWhat::superblock).size(), 4u);
    // SEC-105: the secret is in no dump.
    for (const std::string& line : dump_lines(DumpWhat::superblock)) {
        EXPECT_EQ(line.find("secret"), std::string::npos);
    }
}

}  // namespace
}  // namespace orbitalreg::cas
