#include "cas/walked_table.h"

#include "base/fields.h"
#include "support/loaded_rows.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace orbitalreg::cas {
namespace {

// Rows of a number each, under keys with gaps; names keys without a row too, as a sparse table does.
struct Numbers {
    using Key = std::uint32_t;
    std::map<std::uint32_t, std::uint32_t>* rows;
    std::uint32_t gap_max;

    std::optional<Key> next(const std::optional<Key>& after) const {
        const Key from = after ? *after + 1 : 0;
        const auto row = rows->lower_bound(from);
        if (row == rows->end()) return std::nullopt;
        return std::min(row->first, from + gap_max);
    }
    void encode(Key key, std::vector<std::byte>& row) const {
        if (const auto found = rows->find(key); found != rows->end())
            FieldWriter{row}.number(key).number(found->second);
    }
    Result<void> load(ByteView row) const {
        FieldReader fields{row};
        const auto key = fields.number<std::uint32_t>();
        EXPECT_TRUE(rows->empty() || rows->rbegin()->first < key) << "in the order of keys";
        (*rows)[key] = fields.number<std::uint32_t>();
        EXPECT_TRUE(fields.done());
        return ok();
    }
    Result<void> loaded() const { return ok(); }
};

// Goal: whatever changes between slices of any size, the walk writes the table as it was at its start.
TEST(WalkedTable, WritesTheTableAsItWasWhenTheWalkBegan) {
    for (unsigned seed = 1; seed <= 200; ++seed) {
        std::mt19937 random{seed};
        const auto below = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
        std::map<std::uint32_t, std::uint32_t> rows;
        WalkedTable table{1, Numbers{&rows, 1 + below(5)}};
        const auto change_one = [&] {
            const std::uint32_t key = below(60);
            table.before_change(key);
            if (below(3) == 0) {
                rows.erase(key);
            } else {
                rows[key] = below(1000);
            }
        };
        for (int i = 0; i < 30; ++i) change_one();
        for (int round = 0; round < 2; ++round) {
            const auto expected = rows;
            table.begin_walk();
            EXPECT_EQ(table.side_bytes(), 0u);
            RowBatch written;
            do {
                for (unsigned n = below(8); n > 0; --n) change_one();
            } while (table.walk(written, 1 + below(6), 1 + below(2000)));
            EXPECT_EQ(table.side_bytes(), 0u);
            change_one();
            EXPECT_EQ(table.side_bytes(), 0u) << "the end of the table was written";
            std::map<std::uint32_t, std::uint32_t> copy;
            WalkedTable loaded{1, Numbers{&copy, 1}};
            ASSERT_TRUE(load_rows(loaded, written));
            EXPECT_EQ(copy, expected) << "seed " << seed;
        }
    }
}

TEST(WalkedTable, AWalkThatIsGivenUpKeepsNothing) {
    std::map<std::uint32_t, std::uint32_t> rows{{1, 1}, {2, 2}, {3, 3}};
    WalkedTable table{1, Numbers{&rows, 1}};
    table.begin_walk();
    RowBatch written;
    EXPECT_TRUE(table.walk(written, 2, 1000));
    table.before_change(3);
    table.before_change(1);
    EXPECT_GT(table.side_bytes(), 0u);
    table.end_walk();
    EXPECT_EQ(table.side_bytes(), 0u);
    table.before_change(3);
    EXPECT_EQ(table.side_bytes(), 0u);
    EXPECT_FALSE(table.walk(written, 1, 1000)) << "nothing is walked until it begins";
}

TEST(WalkedTable, ABatchEndsAtItsLimits) {
    std::map<std::uint32_t, std::uint32_t> rows;
    for (std::uint32_t i = 0; i < 10; ++i) rows[i] = i;
    WalkedTable table{1, Numbers{&rows, 1}};
    table.begin_walk();
    RowBatch written;
    EXPECT_TRUE(table.walk(written, 4, 1000));
    EXPECT_EQ(written.rows(), 4u);
    EXPECT_TRUE(table.walk(written, 100, written.bytes().size() + 17));
    EXPECT_EQ(written.rows(), 6u) << "the row that passes the limit is the last one";
    EXPECT_TRUE(table.walk(written, 100, 1));
    EXPECT_EQ(written.rows(), 6u);
    EXPECT_FALSE(table.walk(written, 100, 1000));
    EXPECT_EQ(written.rows(), 10u);
}

}  // namespace
}  // namespace orbitalreg::cas
