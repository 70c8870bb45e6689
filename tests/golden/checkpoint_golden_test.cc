// The bytes of a checkpoint that version 1 of the format wrote, kept in golden/data: they mean today what they meant. Blocks
// are raw in it, so that another version of zstd does not make other bytes. To make the file anew after a change of
// format: ORB_WRITE_GOLDEN=1 checkpoint_golden_test

#include "cas/checkpoint.h"
#include "format/checkpoint_file.h"
#include "format/page_buffer.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace orbitalreg::cas {
namespace {

constexpr std::uint64_t kId = 7;

const std::string kPath = std::string{ORB_GOLDEN_DATA} + "/checkpoint.ockp";

std::vector<std::byte> read_golden() {
    std::ifstream file{kPath, std::ios::binary};
    const std::string text{std::istreambuf_iterator<char>{file}, {}};
    const ByteView bytes = as_bytes(text);
    return {bytes.begin(), bytes.end()};
}

StoreUuid golden_uuid() {
    StoreUuid uuid;
    for (std::size_t i = 0; i < uuid.size(); ++i) uuid[i] = static_cast<std::byte>(0x10 + i);
    return uuid;
}

AddressSeed golden_seed() {
    AddressSeed::Secret secret;
    for (std::size_t i = 0; i < secret.size(); ++i) secret[i] = static_cast<std::byte>(0x40 + i);
    return AddressSeed{secret};
}

CheckpointHeader golden_header() {
    return {.id = kId,
            .lsn = 1234,
            .incarnation = 0x0102030405060708,
            .store_time_ms = 5000,
            .wall_ns = 1'700'000'000'000'000'001,
            .frame_checksum = 0x1122334455667788,
            .replay_segment = 3,
            .replay_page = 17,
            .uuid = golden_uuid()};
}

RowBatch golden_rows(std::uint16_t table) {
    RowBatch rows;
    for (std::size_t i = 1; i <= table; ++i) {
        rows.add(std::vector<std::byte>(7 * i, static_cast<std::byte>(i)));
    }
    return rows;
}

constexpr std::uint16_t kTables[] = {1, 2, 64};

struct GoldenFile {
    std::vector<std::byte> bytes;
    Checksum128 footer_checksum;
};

GoldenFile make_file() {
    const AddressSeed seed = golden_seed();
    std::vector<std::byte> file(kPageSize);
    encode_checkpoint_header(golden_header(), seed, file);
    std::vector<CheckpointIndexEntry> entries;
    CheckpointFooter footer;
    footer.id = kId;
    footer.lsn = golden_header().lsn;
    footer.uuid = golden_uuid();
    for (const std::uint16_t table : kTables) {
        const RowBatch rows = golden_rows(table);
        CheckpointBlockHeader header;
        header.table = table;
        header.raw_bytes = static_cast<std::uint32_t>(rows.bytes().size());
        header.stored_bytes = header.raw_bytes;
        header.block = static_cast<std::uint32_t>(entries.size());
        header.rows = rows.rows();
        const std::uint64_t offset = file.size();
        file.resize(offset + header.size_bytes());
        const MutableByteView block = MutableByteView{file}.subspan(offset);
        std::copy(rows.bytes().begin(), rows.bytes().end(),
                  block.begin() + kCheckpointBlockHeaderSize);
        const Checksum128 checksum = seal_checkpoint_block(header, kId, offset, seed, block);
        entries.push_back({offset, header.stored_bytes, header.raw_bytes, checksum});
        footer.rows += rows.rows();
    }
    footer.index_offset = file.size();
    file.resize(file.size() + 2 * kPageSize);
    const MutableByteView tail = MutableByteView{file}.subspan(footer.index_offset);
    encode_checkpoint_index(entries, seed, tail.first(kPageSize), footer);
    const Checksum128 checksum =
        encode_checkpoint_footer(footer, file.size() - kPageSize, seed, tail.subspan(kPageSize));
    return {std::move(file), checksum};
}

TEST(CheckpointGolden, OfVersion1) {
    auto file = read_golden();
    ASSERT_GE(file.size(), 2 * kPageSize);
    const AddressSeed seed = golden_seed();
    const MutableByteView bytes{file};
    const auto header = decode_checkpoint_header(bytes.first(kPageSize), kId, golden_uuid(), seed);
    ASSERT_TRUE(header);
    EXPECT_EQ(header.value(), golden_header());
    const std::uint64_t footer_offset = file.size() - kPageSize;
    const auto footer = decode_checkpoint_footer(bytes.subspan(footer_offset), kId, footer_offset,
                                                 golden_uuid(), seed);
    ASSERT_TRUE(footer);
    const auto index = decode_checkpoint_index(
        bytes.subspan(footer.value().index_offset, kPageSize), footer.value(), seed);
    ASSERT_TRUE(index);
    ASSERT_EQ(index.value().size(), std::size(kTables));
    for (std::uint32_t i = 0; i < index.value().size(); ++i) {
        const CheckpointIndexEntry& entry = index.value()[i];
        const MutableByteView block = bytes.subspan(entry.offset, entry.size_bytes());
        const auto found = decode_checkpoint_block(block, entry, i, kId, seed);
        ASSERT_TRUE(found) << i;
        EXPECT_EQ(found.value().table, kTables[i]);
        const RowBatch rows = golden_rows(kTables[i]);
        EXPECT_EQ(found.value().rows, rows.rows());
        EXPECT_TRUE(std::ranges::equal(
            block.subspan(kCheckpointBlockHeaderSize, found.value().raw_bytes), rows.bytes()));
    }
    const GoldenFile made = make_file();
    EXPECT_EQ(file, made.bytes) << "the same checkpoint is other bytes now";
    EXPECT_EQ(checksum128(bytes.subspan(footer_offset)), made.footer_checksum);
}

}  // namespace
}  // namespace orbitalreg::cas

int main(int argc, char** argv) {
    if (std::getenv("ORB_WRITE_GOLDEN") != nullptr) {
        const auto made = orbitalreg::cas::make_file();
        std::ofstream file{orbitalreg::cas::kPath, std::ios::binary};
        file << orbitalreg::as_text(made.bytes);
    }
    testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
