// A checkpoint with damage in one copy or the other: what fsck says, and what its repair leaves.

#include "cas/inspect.h"
#include "unit/cas/lane/lane_fixture.h"

#include <string>

namespace orbitalreg::cas {
namespace {

const std::string kCopies[] = {"ckpt/a/0000000000000001.ockp", "ckpt/b/0000000000000001.ockp"};

// A table of a catalog that never has a row: without one no checkpoint is made.
class TableWithoutRows final : public CheckpointTable {
public:
    std::uint16_t number() const noexcept override { return kFirstCatalogTable; }
    void begin_walk() override {}
    bool walk(RowBatch&, std::uint32_t, std::size_t) override { return false; }
    void end_walk() noexcept override {}
    std::uint64_t side_bytes() const noexcept override { return 0; }
    Result<void> load(ByteView) override { return fail(Errc::bad_format); }
};

class StoredCatalog final : public NoCatalog {
public:
    std::vector<CheckpointTable*> checkpoint_tables() override { return {&table_}; }

private:
    TableWithoutRows table_;
};

class CheckpointRepair : public SimulatedStore {
public:
    std::unique_ptr<Life> live() {
        auto life = std::make_unique<Life>(disk, ++seed, std::make_unique<StoredCatalog>());
        const auto opened = life->open(lane_options());
        EXPECT_TRUE(opened) << opened.error().message();
        return life;
    }
    void fill() {
        auto life = live();
        digest_ = life->put(content_of(1000, 1));
        life->put(content_of(100'000, 2));
        ASSERT_TRUE(life->run(life->store->make_checkpoint()));
        life->stop();
    }
    FsckReport check() {
        Life life{disk, ++seed};
        StoredCatalog catalog;
        auto report =
            fsck(life.io(), FsckLevel::quick, catalog, null_log(), [](std::string_view) {});
        EXPECT_TRUE(report) << report.error().message();
        return report ? report.value() : FsckReport{};
    }
    Result<RepairReport> mend() {
        Life life{disk, ++seed};
        StoredCatalog catalog;
        return repair(life.io(), catalog, null_log());
    }
    void flip(const std::string& path, std::uint64_t offset) {
        const auto file = disk.find(path);
        ASSERT_NE(file, nullptr) << path;
        disk.flip_bit(*file, offset, 3);
    }
    void expect_sound() {
        EXPECT_TRUE(check().findings.empty());
        auto life = live();
        EXPECT_EQ(life->get(digest_).value(), content_of(1000, 1));
    }

    Digest digest_;
};

TEST_F(CheckpointRepair, MendsEachCopyFromTheOther) {
    fill();
    flip(kCopies[0], 0 + 60);              // the header of one
    flip(kCopies[0], 2 * kPageSize + 60);  // a block of one, another of the other
    flip(kCopies[1], kPageSize + 60);
    const FsckReport report = check();
    EXPECT_FALSE(report.clean());
    for (const FsckFinding& finding : report.findings) {
        EXPECT_EQ(finding.severity, FsckFinding::Severity::repairable) << finding.detail;
    }
    const auto repaired = mend();
    ASSERT_TRUE(repaired) << repaired.error().message();
    EXPECT_EQ(repaired.value().done.size(), 3u);
    EXPECT_TRUE(repaired.value().left.empty());
    expect_sound();
}

TEST_F(CheckpointRepair, MakesACopyThatIsGone) {
    fill();
    for (const std::string& path : kCopies) {
        SCOPED_TRACE(path);
        disk.remove(disk.place(path));
        ASSERT_TRUE(mend());
        ASSERT_NE(disk.find(path), nullptr);
        expect_sound();
    }
}

// What is gone from one copy does not keep what is left of the other from being of use.
TEST_F(CheckpointRepair, NamesWhatIsLostInBothAndMendsTheRest) {
    fill();
    for (const std::string& path : kCopies) flip(path, kPageSize + 60);
    flip(kCopies[1], 2 * kPageSize + 60);
    EXPECT_EQ(check().findings.size(), 4u);  // and that the rows cannot be loaded
    EXPECT_EQ(mend().error(), ErrorCode{Errc::checkpoint_corrupt});
    EXPECT_EQ(check().findings.size(), 3u);
}

}  // namespace
}  // namespace orbitalreg::cas
