#include "index/blob_table.h"

#include "cas/errors.h"
#include "index/blob_admission.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace orbitalreg::cas {
namespace {

Digest numbered(std::uint64_t n, DigestAlgorithm algorithm = DigestAlgorithm::sha256) {
    return Digest::of(algorithm, as_bytes(std::to_string(n)));
}

Extent lane_extent(std::uint32_t file, std::uint32_t base, std::uint64_t size, std::uint64_t uid) {
    return Extent{true, file, base, size, uid};
}

TEST(BlobTable, FindsEveryRowOfAnIndexThatGrew) {
    BlobTable table;
    constexpr std::uint64_t kCount = 20'000;
    for (std::uint64_t n = 0; n < kCount; ++n) {
        const BlobId id = table.allocate_id();
        table.insert(id, numbered(n), lane_extent(1, static_cast<std::uint32_t>(n + 1), n, n + 1),
                     7);
    }
    EXPECT_EQ(table.size(), kCount);
    EXPECT_EQ(table.bytes(), kCount * (kCount - 1) / 2);
    for (std::uint64_t n = 0; n < kCount; ++n) {
        const auto blob = table.find(numbered(n));
        ASSERT_TRUE(blob.has_value()) << n;
        EXPECT_EQ(blob->extent, lane_extent(1, static_cast<std::uint32_t>(n + 1), n, n + 1));
        EXPECT_EQ(blob->digest, numbered(n));
        EXPECT_EQ(blob->unreferenced_since_s, 7u);
        EXPECT_EQ(table.get(blob->id)->digest, blob->digest);
    }
    EXPECT_FALSE(table.find(numbered(kCount)).has_value());
}

TEST(BlobTable, TellsDigestsOfTwoAlgorithmsApart) {
    BlobTable table;
    const Digest long_digest = numbered(1, DigestAlgorithm::sha512);
    // The same first 32 bytes under sha256 name other content.
    const Digest cut{DigestAlgorithm::sha256, long_digest.hash().first(32)};
    table.insert(table.allocate_id(), long_digest, lane_extent(1, 1, 10, 1), 0);
    EXPECT_FALSE(table.find(cut).has_value());
    table.insert(table.allocate_id(), cut, lane_extent(1, 9, 20, 2), 0);
    EXPECT_EQ(table.find(long_digest)->extent.size_bytes, 10u);
    EXPECT_EQ(table.find(cut)->extent.size_bytes, 20u);
    EXPECT_EQ(table.find(long_digest)->digest, long_digest);
}

TEST(BlobTable, KeepsLengthsAbove32Bits) {
    BlobTable table;
    const std::uint64_t size = (std::uint64_t{1} << 42) - 5;
    table.insert(table.allocate_id(), numbered(1), lane_extent(3, 4, size, 5), 0);
    EXPECT_EQ(table.find(numbered(1))->extent.size_bytes, size);
}

TEST(BlobTable, CountsReferencesAndRemembersTheLastRelease) {
    BlobTable table;
    const BlobId id = table.allocate_id();
    table.insert(id, numbered(1), lane_extent(1, 1, 1, 1), 10);
    table.hold(id);
    table.hold(id);
    table.release(id, 20);
    EXPECT_EQ(table.get(id)->references, 1u);
    EXPECT_EQ(table.get(id)->unreferenced_since_s, 10u);
    table.release(id, 30);
    EXPECT_EQ(table.get(id)->references, 0u);
    EXPECT_EQ(table.get(id)->unreferenced_since_s, 30u);
}

TEST(BlobTable, ADamagedBlobCannotBePinnedUntilItsBytesAreReplaced) {
    BlobTable table;
    const BlobId id = table.allocate_id();
    table.insert(id, numbered(1), lane_extent(1, 1, 1, 1), 0);
    table.set_damaged(id);
    table.set_damaged(id);
    EXPECT_EQ(table.damaged(), 1u);
    EXPECT_FALSE(table.pin(numbered(1)).has_value());
    EXPECT_TRUE(table.find(numbered(1))->damaged);
    table.replace_extent(id, lane_extent(2, 1, 1, 9));
    EXPECT_EQ(table.damaged(), 0u);
    ASSERT_TRUE(table.pin(numbered(1)).has_value());
    EXPECT_EQ(table.find(numbered(1))->extent.uid, 9u);
}

TEST(BlobTable, APinBelongsToTheExtentThatWasLookedUp) {
    BlobTable table;
    const BlobId id = table.allocate_id();
    table.insert(id, numbered(1), lane_extent(1, 1, 1, 1), 0);
    {
        auto first = table.pin(numbered(1));
        auto second = table.pin(numbered(1));
        EXPECT_EQ(table.pinned_extents(), 1u);
        table.set_damaged(id);
        table.replace_extent(id, lane_extent(2, 1, 1, 2));
        auto third = table.pin(numbered(1));
        EXPECT_EQ(table.pinned_extents(), 2u);
        first.reset();
        EXPECT_EQ(table.pinned_extents(), 2u);
        second.reset();
        EXPECT_EQ(table.pinned_extents(), 1u);
    }
    EXPECT_EQ(table.pinned_extents(), 0u);
}

TEST(BlobAdmission, LeavesOutWhatIsStoredAndReplacesWhatIsDamaged) {
    BlobTable table;
    const BlobId id = table.allocate_id();
    table.insert(id, numbered(1), lane_extent(1, 1, 1, 1), 0);
    Group group;
    EXPECT_FALSE(admit_blob(table, group, numbered(1), lane_extent(5, 5, 1, 5), {}));
    EXPECT_TRUE(group.records.empty());
    table.set_damaged(id);
    EXPECT_TRUE(admit_blob(table, group, numbered(1), lane_extent(5, 5, 1, 5), {}));
    ASSERT_EQ(group.records.size(), 1u);
    EXPECT_EQ(group.records[0].blob, id);
    EXPECT_EQ(group.records[0].uid, 5u);
    EXPECT_TRUE(admit_blob(table, group, numbered(2), lane_extent(6, 6, 1, 6), {}));
    EXPECT_NE(group.records[1].blob, id);
}

TEST(BlobAdmission, ARefusedCheckLeavesNoRecord) {
    BlobTable table;
    Group group;
    Change change;
    change.records.push_back({1, {std::byte{1}}, {}});
    change.check = [](Change&, const FrameContext&) -> Result<void> {
        return fail(Errc::precondition_failed);
    };
    const auto result =
        admit_change(table, group, change, FrameContext{}, [] { return std::uint64_t{1}; });
    EXPECT_EQ(result.error(), ErrorCode{Errc::precondition_failed});
    EXPECT_TRUE(group.records.empty());
}

}  // namespace
}  // namespace orbitalreg::cas
