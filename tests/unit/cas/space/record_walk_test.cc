// The second witness of a punch: a lane is laid out by hand, the index is told of some of its records, and the walk is
// asked about ranges that a wrong map would call dead.

#include "space/record_walk.h"

#include "support/sim_clock.h"
#include "support/sim_executor.h"
#include "support/sim_io.h"

#include <gtest/gtest.h>

#include <vector>

namespace orbitalreg::cas {
namespace {

constexpr std::uint32_t kLane = 7;
constexpr std::uint64_t kSize = 20'000;  // 5 pages of payload

class Walk : public testing::Test {
protected:
    struct Record {
        std::uint32_t base = 0;
        std::uint32_t end = 0;
        Digest digest;
    };

    void SetUp() override {
        file = io.open("lane", {.write = true, .create = true, .direct = true}).value();
        Page page;
        encode_lane_header({.lane = kLane, .incarnation = 1}, identity, page);
        put(0, page);
    }

    void put(std::uint32_t number, const Page& page) {
        ASSERT_TRUE(file->write(std::uint64_t{number} * kPageSize, page.bytes));
    }

    // A record behind all others; an upload that was never finished has no descriptor.
    Record add(bool finished = true) {
        Record record;
        record.base = next;
        record.end = next + static_cast<std::uint32_t>(record_pages(kSize));
        record.digest = Digest::of(DigestAlgorithm::sha256, as_bytes(std::to_string(next)));
        Page page;
        encode_record_header(
            {.lane = kLane, .base_page = next, .uid = next, .previous_base_page = last}, identity,
            page);
        put(next, page);
        page.bytes.fill(std::byte{0x5a});
        for (std::uint32_t number = next + 1; number < record.end; ++number) put(number, page);
        if (finished) {
            encode_descriptor({.lane = kLane,
                               .base_page = next,
                               .uid = next,
                               .size_bytes = kSize,
                               .digest = record.digest},
                              std::vector<std::uint64_t>(descriptor_sums(kSize)), identity, page);
            put(record.end - 1, page);
        }
        last = next;
        next = record.end;
        return record;
    }

    void make_live(const Record& record) {
        const Extent extent{true, kLane, record.base, kSize, record.base};
        blobs.insert(blobs.allocate_id(), record.digest, extent, 1);
    }

    void punch(PageRange range) {
        ASSERT_TRUE(file->punch(std::uint64_t{range.begin} * kPageSize,
                                std::uint64_t{range.pages()} * kPageSize));
    }

    // The base that find_live() objects with; 0 for none.
    std::uint32_t objection(PageRange range, std::optional<std::uint32_t> last_base) {
        std::uint32_t found = ~0U;
        asio::co_spawn(scheduler.executor(), ask(range, last_base, found), asio::detached);
        scheduler.run_until([&] { return found != ~0U; }, 10'000);
        return found;
    }
    Awaitable<void> ask(PageRange range, std::optional<std::uint32_t> last_base,
                        std::uint32_t& found) {
        RecordWalk walk{*file, kLane, identity, blobs, pacer};
        const auto live = co_await walk.find_live(range, last_base);
        EXPECT_TRUE(live);
        found = live ? live.value().value_or(0) : 0;
    }

    sim::SimDisk disk{sim::SimDiskMode::strict};
    sim::SimRandom random{1};
    sim::SimTrace trace;
    sim::SimIo io{disk, random, trace, {}};
    sim::SimScheduler scheduler{1};
    sim::SimClock clock{scheduler};
    Pacer pacer{clock, 0, nullptr};
    StoreIdentity identity{};
    BlobTable blobs;
    std::unique_ptr<File> file;
    std::uint32_t next = 1;
    std::uint32_t last = 0;
};

TEST_F(Walk, DeadRecordsObjectNot) {
    const Record first = add();
    const Record second = add();
    EXPECT_EQ(objection({first.base, second.end}, second.base), 0U);
}

TEST_F(Walk, ALiveRecordObjectsWhereverItLies) {
    std::vector<Record> records;
    for (int i = 0; i < 5; ++i) records.push_back(add());
    for (const Record& live : records) {
        BlobTable table;
        table.insert(table.allocate_id(), live.digest, {true, kLane, live.base, kSize, live.base},
                     1);
        RecordWalk walk{*file, kLane, identity, table, pacer};
        std::optional<std::uint32_t> found;
        const auto keep = [](RecordWalk& w, PageRange range, std::uint32_t base,
                             std::optional<std::uint32_t>& to) -> Awaitable<void> {
            const auto live_base = co_await w.find_live(range, base);
            if (live_base) to = live_base.value();
        };
        asio::co_spawn(scheduler.executor(),
                       keep(walk, {1, records.back().end}, records.back().base, found),
                       asio::detached);
        scheduler.run_until([] { return false; }, 10'000);
        EXPECT_EQ(found, live.base);
    }
}

TEST_F(Walk, ALiveRecordBeforeAnUnfinishedOneObjects) {
    const Record live = add();
    const Record unfinished = add(false);
    make_live(live);
    EXPECT_EQ(objection({live.base, unfinished.end}, unfinished.base), live.base);
    EXPECT_EQ(objection({unfinished.base, unfinished.end}, unfinished.base), 0U);
}

// An upload that was resumed before its last written page: garbage behind the descriptor.
TEST_F(Walk, ALiveRecordWithGarbageBehindItsDescriptorObjects) {
    const Record live = add();
    make_live(live);
    Page garbage;
    garbage.bytes.fill(std::byte{0x11});
    put(live.end, garbage);
    put(live.end + 1, garbage);
    EXPECT_EQ(objection({live.base, live.end + 2}, live.base), live.base);
}

TEST_F(Walk, ALiveRecordBehindAPunchedOneObjects) {
    const Record live = add();
    const Record gone = add();
    const Record end = add();
    make_live(live);
    punch({gone.base, gone.end});
    // The next record's header names one that is a hole now.
    EXPECT_EQ(objection({live.base, end.base}, gone.base), live.base);
    EXPECT_EQ(objection({live.base, end.base}, std::nullopt), live.base);
}

TEST_F(Walk, ARecordThatBeginsBeforeTheRangeObjects) {
    const Record record = add();
    EXPECT_EQ(objection({record.base + 2, record.end}, record.base), record.base);
}

TEST_F(Walk, ALostChainMakesItLookAtEveryPage) {
    const Record live = add();
    const Record unfinished = add(false);
    make_live(live);
    Page broken;
    broken.bytes.fill(std::byte{0x77});
    put(unfinished.base, broken);
    EXPECT_EQ(objection({live.base, unfinished.end}, std::nullopt), live.base);
}

TEST_F(Walk, HolesObjectNot) {
    const Record record = add();
    punch({record.base, record.end});
    EXPECT_EQ(objection({record.base, record.end}, std::nullopt), 0U);
    EXPECT_EQ(objection({record.base, record.end + 500}, record.base), 0U);
}

// The same digest lives elsewhere: this copy is dead.
TEST_F(Walk, ABlobThatLivesElsewhereObjectsNot) {
    const Record record = add();
    blobs.insert(blobs.allocate_id(), record.digest, {true, kLane + 1, record.base, kSize, 99}, 1);
    EXPECT_EQ(objection({record.base, record.end}, record.base), 0U);
}

TEST_F(Walk, ADeviceThatFailsIsAnError) {
    const Record record = add();
    io.set_faults({.read_error = 1});
    RecordWalk walk{*file, kLane, identity, blobs, pacer};
    EXPECT_FALSE(walk.previous_base(record.base));
}

}  // namespace
}  // namespace orbitalreg::cas
