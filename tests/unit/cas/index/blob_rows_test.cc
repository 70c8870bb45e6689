#include "cas/errors.h"
#include "index/blob_table.h"
#include "support/loaded_rows.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

namespace orbitalreg::cas {
namespace {

// RandomBlobs changes a table as applied frames do, and knows how many references each blob has.
class RandomBlobs {
public:
    explicit RandomBlobs(unsigned seed) : random_{seed} {}

    unsigned below(unsigned n) { return static_cast<unsigned>(random_() % n); }
    void change_one() {
        ++time_s_;
        const BlobId id{1 + below(next_)};
        if (ids_.empty() || below(4) == 0) {
            insert();
        } else if (!ids_.contains(id.value)) {
            return;
        } else {
            change(id);
        }
    }

    BlobTable table;

private:
    void insert() {
        const BlobId id = table.allocate_id();
        const auto algorithm = below(4) == 0 ? DigestAlgorithm::sha512 : DigestAlgorithm::sha256;
        table.insert(id, Digest::of(algorithm, as_bytes(std::to_string(time_s_))),
                     extent(std::uint64_t{below(1000)} << below(37)), time_s_);
        ids_[id.value] = 0;
        next_ = std::max(next_, id.value);
    }
    void change(BlobId id) {
        switch (below(6)) {
            case 0:
            case 1:
                table.hold(id);
                ++ids_[id.value];
                break;
            case 2:
                if (ids_[id.value] == 0) break;
                table.release(id, time_s_);
                --ids_[id.value];
                break;
            case 3:
                table.set_damaged(id);
                break;
            case 4:
                if (!table.get(id)->damaged) break;
                table.replace_extent(id, extent(table.get(id)->extent.size_bytes), time_s_);
                break;
            case 5:
                if (ids_[id.value] == 0 && below(3) == 0) {
                    table.remove(id, time_s_);
                    ids_.erase(id.value);
                } else {
                    table.renew_grace(id, time_s_);
                }
                break;
        }
    }
    Extent extent(std::uint64_t size_bytes) {
        return {below(2) == 0, 1 + below(9), below(1000), size_bytes, 1 + time_s_};
    }

    std::mt19937 random_;
    std::map<std::uint32_t, int> ids_;
    std::uint32_t next_ = 1;
    std::uint64_t time_s_ = 0;
};

void count_again(BlobTable& loaded, const std::map<std::uint32_t, std::uint32_t>& counts) {
    for (const auto& [id, count] : counts) {
        for (std::uint32_t i = 0; i < count; ++i) ASSERT_TRUE(loaded.load_reference(BlobId{id}));
    }
}

// Goal: a checkpoint has the rows of one moment, whatever changes between the slices in which it is written.
TEST(BlobRows, TheLoadedTableIsTheOneTheWalkBeganWith) {
    for (unsigned seed = 1; seed <= 100; ++seed) {
        RandomBlobs blobs{seed};
        for (int i = 0; i < 300; ++i) blobs.change_one();
        const std::uint64_t fingerprint = blobs.table.fingerprint();
        const std::uint64_t bytes = blobs.table.bytes();
        std::map<std::uint32_t, std::uint32_t> counts;
        blobs.table.for_each([&](const BlobView& b) { counts[b.id.value] = b.references; });

        CheckpointTable& walked = blobs.table.checkpoint_table();
        RowBatch rows;
        walked.begin_walk();
        do {
            for (unsigned n = blobs.below(6); n > 0; --n) blobs.change_one();
        } while (walked.walk(rows, 1 + blobs.below(20), 10'000'000));

        BlobTable loaded;
        ASSERT_TRUE(load_rows(loaded.checkpoint_table(), rows));
        count_again(loaded, counts);
        loaded.derive();
        ASSERT_EQ(loaded.fingerprint(), fingerprint) << "seed " << seed;
        EXPECT_EQ(loaded.size(), counts.size());
        EXPECT_EQ(loaded.bytes(), bytes);
        loaded.for_each(
            [&](const BlobView& blob) { EXPECT_EQ(loaded.find(blob.digest)->id, blob.id); });
        EXPECT_FALSE(counts.contains(loaded.allocate_id().value));
    }
}

TEST(BlobRows, CountsAreWalkedAsTheyWere) {
    RandomBlobs blobs{7};
    for (int i = 0; i < 300; ++i) blobs.change_one();
    std::map<std::uint32_t, std::uint32_t> counts;
    blobs.table.for_each([&](const BlobView& b) { counts[b.id.value] = b.references; });
    CheckpointTable& walked = blobs.table.count_table();
    RowBatch rows;
    walked.begin_walk();
    do {
        blobs.change_one();
    } while (walked.walk(rows, 3, 1'000'000));
    ByteView rest = rows.bytes();
    for (std::uint32_t i = 0; i < rows.rows(); ++i, rest = rest.subspan(16)) {
        EXPECT_EQ(counts.at(load_le<std::uint32_t>(rest.data() + 8)),
                  load_le<std::uint32_t>(rest.data() + 12));
    }
    EXPECT_EQ(rows.rows(), counts.size());
}

TEST(BlobRows, RefuseWhatNoTableWrites) {
    RandomBlobs blobs{3};
    for (int i = 0; i < 100; ++i) blobs.change_one();
    RowBatch rows;
    blobs.table.checkpoint_table().begin_walk();
    EXPECT_FALSE(blobs.table.checkpoint_table().walk(rows, 100, 1'000'000));
    ByteView row = rows.bytes().subspan(8, load_le<std::uint32_t>(rows.bytes().data()));
    const auto refused = [&](ByteView bytes) {
        BlobTable table;
        const auto result = table.checkpoint_table().load(bytes);
        return !result && result.error() == ErrorCode{Errc::bad_format};
    };
    for (std::size_t size = 0; size < row.size(); ++size) EXPECT_TRUE(refused(row.first(size)));
    std::vector<std::byte> changed{row.begin(), row.end()};
    changed.push_back(std::byte{0});
    EXPECT_TRUE(refused(changed)) << "longer than it says";
    changed.assign(row.begin(), row.end());
    changed[22] |= std::byte{0x10};
    EXPECT_TRUE(refused(changed)) << "a flag of a later version";

    BlobTable table;
    ASSERT_TRUE(table.checkpoint_table().load(row));
    EXPECT_FALSE(table.checkpoint_table().load(row)) << "an id twice";
    changed.assign(row.begin(), row.end());
    changed[0] = std::byte{0xff};
    ASSERT_TRUE(table.checkpoint_table().load(changed));
    EXPECT_EQ(table.checkpoint_table().loaded().error(), ErrorCode{Errc::bad_format})
        << "a digest twice";
    EXPECT_FALSE(table.load_reference(BlobId{0xfe}));
}

// A right checksum does not make a number right: memory goes with the largest id.
TEST(BlobRows, AnIdThatWasNeverGivenOutIsRefused) {
    BlobTable blobs;
    blobs.insert(BlobId{9}, Digest::of(DigestAlgorithm::sha256, as_bytes("a")), {true, 1, 1, 5, 1},
                 1);
    RowBatch rows;
    blobs.checkpoint_table().begin_walk();
    while (blobs.checkpoint_table().walk(rows, 100, 1'000'000)) {
    }
    BlobTable bounded;
    BlobId end;
    bounded.id_plausible = [](BlobId id) { return id.value < 10; };
    bounded.on_loaded = [&end](BlobId below) { end = below; };
    EXPECT_TRUE(load_rows(bounded.checkpoint_table(), rows));
    EXPECT_EQ(end, BlobId{10});
    BlobTable narrow;
    narrow.id_plausible = [](BlobId id) { return id.value < 9; };
    EXPECT_EQ(load_rows(narrow.checkpoint_table(), rows).error(), ErrorCode{Errc::bad_format});
}

}  // namespace
}  // namespace orbitalreg::cas
