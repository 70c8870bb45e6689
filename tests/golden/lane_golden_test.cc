// The bytes of a lane that version 1 of the format wrote, kept in golden/data: they mean today what
// they meant, and the same input makes the same bytes. To make the files anew after a change of
// format: ORB_WRITE_GOLDEN=1 lane_golden_test

#include "cas/errors.h"
#include "format/lane_record.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <numeric>
#include <string>
#include <vector>

namespace orbitalreg::cas {
namespace {

constexpr std::uint32_t kLane = 0x2a;
constexpr std::uint64_t kUid = 0x0a0b0c0d;
constexpr std::size_t kPayloadSize = 70'000;  // two chunks
constexpr std::uint64_t kLargeSize = (kDescriptorSumsMax + kTableSumsMax + 3) * kChunkSize;

std::string data_path(const char* name) { return std::string{ORB_GOLDEN_DATA} + "/" + name; }

std::vector<std::byte> read_golden(const char* name) {
    std::ifstream file{data_path(name), std::ios::binary};
    const std::string text{std::istreambuf_iterator<char>{file}, {}};
    const ByteView bytes = as_bytes(text);
    return {bytes.begin(), bytes.end()};
}

StoreIdentity golden_store() {
    StoreIdentity store;
    AddressSeed::Secret secret{};
    for (std::size_t i = 0; i < secret.size(); ++i) secret[i] = static_cast<std::byte>(0x40 + i);
    for (std::size_t i = 0; i < store.uuid.size(); ++i) {
        store.uuid[i] = static_cast<std::byte>(0x10 + i);
    }
    store.seed = AddressSeed{secret};
    return store;
}

std::vector<std::byte> golden_payload() {
    std::vector<std::byte> payload(kPayloadSize);
    for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<std::byte>(i % 251);
    return payload;
}

RecordHeader golden_header() {
    RecordHeader header{.lane = kLane, .base_page = 1, .uid = kUid};
    for (std::size_t i = 0; i < header.session.size(); ++i) {
        header.session[i] = static_cast<std::byte>(0x70 + i);
    }
    header.incarnation = 0x0102030405060708;
    header.store_time_ms = 123'456;
    return header;
}

RecordDescriptor golden_descriptor() {
    return {.lane = kLane,
            .base_page = 1,
            .uid = kUid,
            .size_bytes = kPayloadSize,
            .digest = Digest::of(DigestAlgorithm::sha256, golden_payload())};
}

std::vector<std::uint64_t> golden_sums() {
    const auto payload = golden_payload();
    const ByteView bytes{payload};
    return {checksum64(bytes.first(kChunkSize), chunk_seed(kUid, 0)),
            checksum64(bytes.subspan(kChunkSize), chunk_seed(kUid, 1))};
}

std::vector<std::byte> make_lane() {
    std::vector<std::byte> file(kPageSize * (1 + record_pages(kPayloadSize)));
    const auto page = [&file](std::uint64_t number) {
        return MutablePageView{file.data() + number * kPageSize, kPageSize};
    };
    encode_lane_header({.lane = kLane, .incarnation = 0x0102030405060708}, golden_store(), page(0));
    encode_record_header(golden_header(), golden_store(), page(1));
    const auto payload = golden_payload();
    std::copy(payload.begin(), payload.end(), page(2).begin());
    encode_descriptor(golden_descriptor(), golden_sums(), golden_store(),
                      page(descriptor_page_number(1, kPayloadSize)));
    return file;
}

std::vector<std::byte> make_table_pages() {
    std::vector<std::byte> file(2 * kPageSize);
    std::vector<std::uint64_t> sums(kTableSumsMax);
    std::iota(sums.begin(), sums.end(), 1'000'000);
    encode_table_page(kUid, 0, sums, MutablePageView{file.data(), kPageSize});
    encode_table_page(kUid, 1, std::span{sums}.first(3),
                      MutablePageView{file.data() + kPageSize, kPageSize});
    return file;
}

void expect_golden(const char* name, const std::vector<std::byte>& made) {
    if (std::getenv("ORB_WRITE_GOLDEN") != nullptr) {
        std::ofstream file{data_path(name), std::ios::binary};
        file << as_text(made);
    }
    EXPECT_TRUE(read_golden(name) == made) << name;
}

TEST(LaneGolden, TheSameInputMakesTheSameBytes) {
    expect_golden("lane.olane", make_lane());
    expect_golden("lane_table_pages.bin", make_table_pages());
}

TEST(LaneGolden, ALaneOfVersionOneIsRead) {
    const auto file = read_golden("lane.olane");
    ASSERT_EQ(file.size(), kPageSize * (1 + record_pages(kPayloadSize)));
    const auto page = [&file](std::uint64_t number) {
        return PageView{file.data() + number * kPageSize, kPageSize};
    };
    const auto header = decode_lane_header(page(0), kLane, golden_store());
    ASSERT_TRUE(header);
    EXPECT_EQ(header.value().incarnation, 0x0102030405060708u);
    EXPECT_EQ(decode_record_header(page(1), kLane, 1, golden_store()).value(), golden_header());
    const std::uint64_t last = descriptor_page_number(1, kPayloadSize);
    EXPECT_EQ(decode_descriptor(page(last), kLane, last, golden_store()).value(),
              golden_descriptor());
    const auto sums = golden_sums();
    EXPECT_EQ(descriptor_sum(page(last), 0), sums[0]);
    EXPECT_EQ(descriptor_sum(page(last), 1), sums[1]);
}

TEST(LaneGolden, TablePagesOfVersionOneAreRead) {
    const auto file = read_golden("lane_table_pages.bin");
    ASSERT_EQ(file.size(), 2 * kPageSize);
    const PageView first{file.data(), kPageSize};
    const PageView second{file.data() + kPageSize, kPageSize};
    EXPECT_EQ(decode_table_page(first, kUid, 0, kLargeSize).value(), kTableSumsMax);
    EXPECT_EQ(decode_table_page(second, kUid, 1, kLargeSize).value(), 3u);
    EXPECT_EQ(table_sum(first, 508), 1'000'508u);
    EXPECT_EQ(table_sum(second, 2), 1'000'002u);
}

}  // namespace
}  // namespace orbitalreg::cas
