// The rows of lanes, sessions and ids in a checkpoint.
//
// Goal    whatever is applied between slices of a walk, the walk writes the tables as they were when it began, and what
//         is loaded from that is the same state again.
// Method  a table walked in one go beside it gives the expected rows.

#include "cas/errors.h"
#include "lane/id_blocks.h"
#include "lane/lane_table.h"
#include "lane/upload_table.h"
#include "support/loaded_rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace orbitalreg::cas {
namespace {

class RandomFrames {
public:
    explicit RandomFrames(unsigned seed) : random_{seed} {}

    unsigned below(unsigned n) { return static_cast<unsigned>(random_() % n); }
    SessionId session() {
        SessionId id{};
        id[0] = static_cast<std::byte>(below(12));
        return id;
    }

private:
    std::mt19937 random_;
};

MarkRecord mark_of(const SessionId& session, std::uint64_t offset, std::uint32_t lane,
                   std::uint32_t base_page) {
    MarkRecord mark;
    mark.session = session;
    mark.offset = offset;
    mark.lane = lane;
    mark.base_page = base_page;
    return mark;
}

CloseRecord close_of(const SessionId& session, std::uint32_t lane, std::uint32_t end_page) {
    CloseRecord close;
    close.session = session;
    close.outcome = UploadOutcome::cancelled;
    close.lane = lane;
    close.end_page = end_page;
    return close;
}

RowBatch walk_all(CheckpointTable& table) {
    RowBatch rows;
    table.begin_walk();
    while (table.walk(rows, 1000, SIZE_MAX)) {
    }
    return rows;
}

// Returns what the walk wrote, having compared it.
template <class Change>
RowBatch walk_while_changing(CheckpointTable& table, RandomFrames& random, const Change& change) {
    const RowBatch expected = walk_all(table);
    RowBatch written;
    table.begin_walk();
    do {
        for (unsigned n = random.below(6); n > 0; --n) change();
    } while (table.walk(written, 1 + random.below(5), SIZE_MAX));
    EXPECT_TRUE(std::ranges::equal(expected.bytes(), written.bytes()));
    EXPECT_EQ(expected.rows(), written.rows());
    EXPECT_EQ(table.side_bytes(), 0u);
    return written;
}

void expect_loads(CheckpointTable& empty, const RowBatch& rows) {
    ASSERT_TRUE(load_rows(empty, rows));
    const RowBatch loaded = walk_all(empty);
    EXPECT_TRUE(std::ranges::equal(rows.bytes(), loaded.bytes()));
}

TEST(LaneRows, OfLanes) {
    for (unsigned seed = 1; seed <= 100; ++seed) {
        RandomFrames random{seed};
        LaneTable lanes;
        const auto change = [&] {
            const std::uint32_t lane = 1 + random.below(20);
            const std::uint32_t page = 1 + random.below(100);
            switch (random.below(4)) {
                case 0:
                    return lanes.apply(LaneStateRecord{.lane = lane,
                                                       .phase = LanePhase::sealed,
                                                       .frontier_page = page,
                                                       .last_base_page = 1});
                case 1:
                    return lanes.apply(LaneCommit{lane, page, 3});
                case 2:
                    return lanes.apply(mark_of({}, 0, lane, page));
                default:
                    return lanes.apply(close_of({}, lane, page));
            }
        };
        for (int i = 0; i < 15; ++i) change();
        for (int round = 0; round < 3; ++round) {
            const RowBatch rows = walk_while_changing(lanes.checkpoint_table(), random, change);
            LaneTable loaded;
            expect_loads(loaded.checkpoint_table(), rows);
        }
    }
}

class Sessions {
public:
    explicit Sessions(unsigned seed) : random{seed} {}

    void change() {
        ++store_time_ms_;
        const FrameContext frame{Lsn{store_time_ms_}, store_time_ms_ * 1000};
        if (random.below(4) == 0) {
            const CloseRecord close = close_of(random.session(), 0, 0);
            // Forgotten after an hour at least; at most five are kept.
            static_cast<void>(uploads.apply(frame, close, 10, 5));
            return;
        }
        const std::vector<std::byte> raw(64 * random.below(3), std::byte{7});
        const std::vector<std::byte> owner(random.below(20), std::byte{8});
        MarkRecord mark = mark_of(random.session(), 0, 0, 0);
        mark.owner = owner;
        mark.offset = raw.size() + random.below(1000);
        mark.hash_state = owner;
        mark.lane = random.below(2) * 3;
        AppliedRecord record;
        record.uid = 1 + random.below(100);
        record.segment = 1 + random.below(9);
        record.raw = raw;
        uploads.apply(frame, record, mark);
    }

    RandomFrames random;
    BlobTable blobs;
    UploadTable uploads{blobs};

private:
    std::uint64_t store_time_ms_ = 1000;
};

TEST(LaneRows, OfSessions) {
    for (unsigned seed = 1; seed <= 100; ++seed) {
        Sessions sessions{seed};
        for (int i = 0; i < 30; ++i) sessions.change();
        for (int round = 0; round < 3; ++round) {
            BlobTable blobs;
            UploadTable loaded{blobs};
            for (std::size_t table = 0; table < 2; ++table) {
                const RowBatch rows =
                    walk_while_changing(*sessions.uploads.checkpoint_tables()[table],
                                        sessions.random, [&] { sessions.change(); });
                expect_loads(*loaded.checkpoint_tables()[table], rows);
            }
        }
        // What is live in the log's segments is known after loading too.
        BlobTable blobs;
        UploadTable loaded{blobs};
        expect_loads(*loaded.checkpoint_tables()[0],
                     walk_all(*sessions.uploads.checkpoint_tables()[0]));
        EXPECT_TRUE(blobs.space() == sessions.blobs.space());
    }
}

TEST(LaneRows, OfASessionWithManyMarks) {
    BlobTable blobs;
    UploadTable uploads{blobs};
    const std::vector<std::byte> raw(64, std::byte{7});
    constexpr std::size_t kMarks = 3 * UploadRows::kPartsPerRow;
    for (std::size_t i = 1; i <= kMarks; ++i) {
        AppliedRecord record;
        record.uid = 5;
        record.segment = 1;
        record.raw_offset = 64 * i;
        record.raw = raw;
        uploads.apply({Lsn{i}, i}, record, mark_of({}, 64 * i, 0, 0));
    }
    CheckpointTable& table = *uploads.checkpoint_tables()[0];
    const RowBatch rows = walk_all(table);
    EXPECT_EQ(rows.rows(), 4u);
    UploadTable loaded{blobs};
    expect_loads(*loaded.checkpoint_tables()[0], rows);
    EXPECT_EQ(loaded.row(SessionId{})->parts.size(), kMarks);
    // One mark more, between two slices, makes a row of its own.
    RowBatch written;
    table.begin_walk();
    ASSERT_TRUE(table.walk(written, 1, SIZE_MAX));
    AppliedRecord record;
    record.uid = 5;
    record.segment = 1;
    record.raw = raw;
    uploads.apply({Lsn{kMarks + 1}, 1}, record, mark_of({}, 64 * (kMarks + 1), 0, 0));
    while (table.walk(written, 1, SIZE_MAX)) {
    }
    EXPECT_TRUE(std::ranges::equal(rows.bytes(), written.bytes()));
}

TEST(LaneRows, OfIds) {
    IdBlocks ids;
    ids.apply({.kind = IdKind::uid, .first = 1, .count = 100});
    CheckpointTable& table = ids.checkpoint_table();
    RowBatch rows;
    table.begin_walk();
    ids.apply({.kind = IdKind::uid, .first = 101, .count = 100});
    ASSERT_TRUE(table.walk(rows, 1, SIZE_MAX));
    ids.apply({.kind = IdKind::lane, .first = 1, .count = 10});
    while (table.walk(rows, 1, SIZE_MAX)) {
    }
    IdBlocks loaded;
    ASSERT_TRUE(load_rows(loaded.checkpoint_table(), rows));
    EXPECT_EQ(loaded.end(IdKind::uid), 101u);
    EXPECT_EQ(loaded.end(IdKind::lane), 1u);
    EXPECT_EQ(ids.end(IdKind::uid), 201u);
}

TEST(LaneRows, RefusesWhatIsNone) {
    LaneTable lanes;
    IdBlocks ids;
    BlobTable blobs;
    UploadTable uploads{blobs};
    for (CheckpointTable* table :
         {&lanes.checkpoint_table(), &ids.checkpoint_table(), uploads.checkpoint_tables()[0],
          uploads.checkpoint_tables()[1]}) {
        for (const std::size_t size : {0u, 1u, 8u, 13u, 19u, 40u}) {
            const std::vector<std::byte> row(size);
            EXPECT_EQ(table->load(row).error(), make_error_code(Errc::bad_format)) << size;
        }
    }
}

}  // namespace
}  // namespace orbitalreg::cas
