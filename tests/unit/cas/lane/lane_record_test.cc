#include "format/lane_record.h"

#include "cas/errors.h"

#include <gtest/gtest.h>

#include <vector>

namespace orbitalreg::cas {
namespace {

StoreIdentity store_of(std::uint8_t number) {
    StoreIdentity store;
    store.uuid.fill(std::byte{number});
    AddressSeed::Secret secret;
    secret.fill(std::byte{number});
    store.seed = AddressSeed{secret};
    return store;
}

RecordDescriptor descriptor_of(std::uint64_t size) {
    return {.lane = 3,
            .base_page = 7,
            .uid = 99,
            .size_bytes = size,
            .digest = Digest::of(DigestAlgorithm::sha512, as_bytes("x"))};
}

TEST(LaneRecord, ItsPagesFollowFromItsSize) {
    EXPECT_EQ(table_pages(448 * kChunkSize), 0u);
    EXPECT_EQ(table_pages(448 * kChunkSize + 1), 1u);
    EXPECT_EQ(table_pages((448 + 509) * kChunkSize), 1u);
    EXPECT_EQ(table_pages((448 + 509) * kChunkSize + 1), 2u);
    EXPECT_EQ(record_pages(0), 2u);
    EXPECT_EQ(record_pages(4097), 4u);
}

TEST(LaneRecord, NamesGoBothWays) {
    EXPECT_EQ(lane_path(0xabc), "lane/0000000000000abc.olane");
    EXPECT_EQ(lane_of_name("0000000000000abc.olane"), 0xabcu);
    EXPECT_EQ(lane_of_name("00000000ffffffff.olane"), 0xffffffffu);
    for (const char* name : {"", "abc.olane", "0000000000000ABC.olane", "0000000100000000.olane",
                             "0000000000000abc.olog", "0000000000000abc.olane.tmp"}) {
        EXPECT_EQ(lane_of_name(name), 0u) << name;
    }
}

// Goal: no page that differs in one bit passes. Method: every byte of a descriptor, one bit each.
TEST(LaneRecord, ADescriptorWithOneBitFlippedIsRefused) {
    const StoreIdentity store = store_of(1);
    Page page;
    const RecordDescriptor descriptor = descriptor_of(3 * kChunkSize);
    const std::uint64_t at = descriptor_page_number(7, 3 * kChunkSize);
    encode_descriptor(descriptor, std::vector<std::uint64_t>{1, 2, 3}, store, page);
    ASSERT_EQ(decode_descriptor(page, 3, at, store).value(), descriptor);
    for (std::size_t i = 0; i < kPageSize; ++i) {
        page.bytes[i] ^= static_cast<std::byte>(1 << i % 8);
        EXPECT_FALSE(decode_descriptor(page, 3, at, store)) << i;
        page.bytes[i] ^= static_cast<std::byte>(1 << i % 8);
    }
}

TEST(LaneRecord, APageOfAnotherPlaceIsRefused) {
    const StoreIdentity store = store_of(1);
    Page page;
    encode_record_header({.lane = 3, .base_page = 7, .uid = 99}, store, page);
    EXPECT_TRUE(decode_record_header(page, 3, 7, store));
    EXPECT_EQ(decode_record_header(page, 3, 8, store).error(), Errc::bad_format);
    EXPECT_EQ(decode_record_header(page, 4, 7, store).error(), Errc::bad_format);
    EXPECT_EQ(decode_record_header(page, 3, 7, store_of(2)).error(), Errc::wrong_store);
    EXPECT_EQ(decode_lane_header(page, 3, store).error(), Errc::bad_format);
}

TEST(LaneRecord, ATablePageVouchesForItsUidAndNumberOnly) {
    const std::uint64_t size = (kDescriptorSumsMax + 2 * kTableSumsMax) * kChunkSize;
    Page page;
    encode_table_page(99, 1, std::vector<std::uint64_t>(kTableSumsMax, 5), page);
    EXPECT_EQ(decode_table_page(page, 99, 1, size).value(), kTableSumsMax);
    EXPECT_EQ(table_sum(page, kTableSumsMax - 1), 5u);
    EXPECT_FALSE(decode_table_page(page, 98, 1, size));
    EXPECT_FALSE(decode_table_page(page, 99, 0, size));
    EXPECT_FALSE(decode_table_page(page, 99, 1, size - kChunkSize));
    EXPECT_FALSE(decode_table_page(page, 99, 2, size));
}

}  // namespace
}  // namespace orbitalreg::cas
