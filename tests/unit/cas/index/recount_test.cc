#include "references/recount.h"

#include "base/fields.h"
#include "cas/no_catalog.h"
#include "cas/walked_table.h"
#include "references/recounter.h"
#include "support/sim_clock.h"
#include "support/sim_io.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace orbitalreg::cas {
namespace {

// A catalog whose rows are one reference each: from a number to a blob.
class Edges final : public NoCatalog {
public:
    struct Rows {
        using Key = std::uint32_t;
        Edges* edges;

        std::optional<Key> next(const std::optional<Key>& after) const {
            const auto row = after ? edges->to.upper_bound(*after) : edges->to.begin();
            if (row == edges->to.end()) return std::nullopt;
            return row->first;
        }
        void encode(Key key, std::vector<std::byte>& row) const {
            const auto found = edges->to.find(key);
            if (found != edges->to.end()) FieldWriter{row}.number(found->second.value);
        }
        Result<void> load(ByteView) const { return ok(); }
        Result<void> loaded() const { return ok(); }
    };

    std::vector<CheckpointTable*> recount_tables() override { return {&table}; }
    void visit_row_references(std::uint16_t, ByteView row,
                              const std::function<void(BlobId)>& edge) const override {
        edge(BlobId{load_le<std::uint32_t>(row.data())});
    }

    std::map<std::uint32_t, BlobId> to;
    WalkedTable<Rows> table{kFirstCatalogTable, Rows{this}};
};

class RecountOfMany : public testing::Test {
protected:
    static constexpr std::uint32_t kBlobs = 900;

    void SetUp() override {
        for (std::uint32_t i = 1; i <= kBlobs; ++i) {
            const auto digest = Digest::of(DigestAlgorithm::sha256, as_bytes(std::to_string(i)));
            blobs.insert(blobs.allocate_id(), digest, {true, 1, i, 1, i}, 0);
        }
        for (int i = 0; i < 3000; ++i) change_one();
    }
    // An edge comes or goes, and the count with it.
    void change_one() {
        const auto key = static_cast<std::uint32_t>(random() % 2000);
        edges.table.before_change(key);
        if (const auto found = edges.to.find(key); found != edges.to.end()) {
            blobs.release(found->second, 0);
            edges.to.erase(found);
        } else {
            const BlobId blob{1 + static_cast<std::uint32_t>(random() % kBlobs)};
            blobs.hold(blob);
            edges.to.emplace(key, blob);
        }
    }

    std::mt19937 random{11};
    BlobTable blobs;
    Edges edges;
};

TEST_F(RecountOfMany, AgreesWhateverChangesMeanwhile) {
    Recount recount{blobs, edges};
    const std::size_t references = edges.to.size();
    recount.begin();
    int steps = 0;
    do {
        for (int i = 0; i < 100; ++i) change_one();
        ++steps;
    } while (recount.step());
    EXPECT_GT(steps, 5);
    EXPECT_EQ(recount.finding().mismatches, 0u);
    EXPECT_EQ(recount.finding().references, references);
    EXPECT_EQ(recount.finding().blobs, kBlobs);
    EXPECT_EQ(recount.side_bytes(), 0u);
}

TEST_F(RecountOfMany, FindsEachCountThatIsWrong) {
    const std::uint32_t kept = blobs.get(BlobId{7})->references;
    blobs.hold(BlobId{7});
    for (std::uint32_t i = 100; i < 140; ++i) blobs.hold(BlobId{i});
    Recount recount{blobs, edges};
    recount.begin();
    while (recount.step()) {
    }
    EXPECT_EQ(recount.finding().mismatches, 41u);
    ASSERT_EQ(recount.finding().first.size(), Recount::kMismatchesKept);
    EXPECT_EQ(recount.finding().first[0].blob, BlobId{7});
    EXPECT_EQ(recount.finding().first[0].counted, kept);
    EXPECT_EQ(recount.finding().first[0].kept, kept + 1);
}

TEST_F(RecountOfMany, GivenUpItLeavesNothingBehind) {
    Recount recount{blobs, edges};
    recount.begin();
    EXPECT_TRUE(recount.step());
    for (int i = 0; i < 500; ++i) change_one();
    EXPECT_GT(recount.side_bytes(), 0u);
    recount.end();
    EXPECT_EQ(recount.side_bytes(), 0u);
    Recount again{blobs, edges};
    again.begin();
    while (again.step()) {
    }
    EXPECT_EQ(again.finding().mismatches, 0u);
}

// Steps between frames, each a while after it was asked for.
class LaterSteps final : public Committer {
public:
    explicit LaterSteps(sim::SimClock& clock) : clock_{clock} {}
    Awaitable<Result<Committed>> commit(Group) override { co_return fail(Errc::read_only); }
    Awaitable<Result<void>> between_frames(std::function<void()> step) override {
        co_await clock_.sleep_until(clock_.steady_ns() + 1'000'000);
        step();
        co_return ok();
    }

private:
    sim::SimClock& clock_;
};

// Goal: a recount in the background outlives each of its steps. Method: rows that take many steps, and an interval so short
// that the store's own coroutine runs it.
TEST_F(RecountOfMany, RunsInTheBackgroundToItsEnd) {
    sim::SimRandom chance{3};
    sim::SimDisk disk{sim::SimDiskMode::strict};
    sim::SimTrace trace;
    sim::SimIo io{disk, chance, trace, {}};
    sim::SimScheduler scheduler{5};
    sim::SimClock clock{scheduler};
    Metrics metrics;
    LaterSteps steps{clock};
    StoreOptions options;
    options.recount_interval_ms = 1;
    const auto executor = scheduler.executor();
    blobs.hold(BlobId{7});  // counted wrong
    std::string reason;
    const auto recounter = std::make_shared<Recounter>(
        StoreEnvironment{io, clock, chance, null_log(), metrics, {executor}, executor, true},
        options, blobs, edges);
    recounter->on_mismatch = [&reason](std::string what) { reason = std::move(what); };
    recounter->start(steps);
    EXPECT_TRUE(scheduler.run_until([&reason] { return !reason.empty(); }, 100'000));
    EXPECT_EQ(reason, "the recount found 1 blobs whose references are counted wrong");
    recounter->abandon();
}

}  // namespace
}  // namespace orbitalreg::cas
