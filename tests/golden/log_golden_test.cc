// The bytes of the log that version 1 of the format wrote, kept in golden/data: they mean today
// what they meant, and the same input makes the same bytes. To make the files anew after a change
// of format (code-style, section 9): ORB_WRITE_GOLDEN=1 log_golden_test

#include "cas/errors.h"
#include "format/frame.h"
#include "format/log_segment_header.h"
#include "format/page_buffer.h"
#include "format/record.h"
#include "format/superblock.h"
#include "schema/records_generated.h"

#include <flatbuffers/flatbuffers.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

namespace orbitalreg::cas {
namespace {

constexpr std::uint32_t kSegmentPages = 16;
constexpr std::uint64_t kIncarnation = 0x0102030405060708;

std::string data_path(const char* name) { return std::string{ORB_GOLDEN_DATA} + "/" + name; }

std::vector<std::byte> read_golden(const char* name) {
    std::ifstream file{data_path(name), std::ios::binary};
    const std::string text{std::istreambuf_iterator<char>{file}, {}};
    const ByteView bytes = as_bytes(text);
    return {bytes.begin(), bytes.end()};
}

void write_golden(const char* name, ByteView bytes) {
    std::ofstream file{data_path(name), std::ios::binary};
    file << as_text(bytes);
}

template <class Array>
void count_up(Array& bytes, int first) {
    for (std::size_t i = 0; i < bytes.size(); ++i)
        bytes[i] = static_cast<std::byte>(first + static_cast<int>(i));
}

Superblock golden_superblock() {
    Superblock s;
    s.sequence = 3;
    s.previous_checksum = {0x1111111111111111, 0x2222222222222222};
    count_up(s.uuid, 0x10);
    count_up(s.secret, 0x40);
    s.clean_lsn = 5;
    s.segment_size_pages = kSegmentPages;
    s.lane_target_pages = 262144;
    s.incarnation = kIncarnation;
    return s;
}

PageBuffer make_superblock_file() {
    PageBuffer pages{kSuperblockFileSize};
    for (unsigned copy = 0; copy < kSuperblockCopies; ++copy) {
        encode_superblock(golden_superblock(), copy, pages.subspan(copy * kPageSize, kPageSize));
    }
    return pages;
}

template <class Build>
GroupRecord cas_record(RecordType type, Build build) {
    flatbuffers::FlatBufferBuilder builder;
    builder.Finish(build(builder));
    const auto* const data = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
    GroupRecord record;
    record.type = static_cast<std::uint16_t>(type);
    record.body.assign(data, data + builder.GetSize());
    return record;
}

std::vector<std::uint8_t> digest_of(std::uint8_t algorithm) {
    std::vector<std::uint8_t> digest(algorithm == 2 ? 65 : 33,
                                     static_cast<std::uint8_t>(0xd0 + algorithm));
    digest[0] = algorithm;
    return digest;
}

std::vector<std::uint8_t> some(std::size_t size, std::uint8_t value) {
    return std::vector<std::uint8_t>(size, value);
}

// One record of each kind that this version writes, in three groups.
std::vector<std::vector<GroupRecord>> golden_groups() {
    GroupRecord blob = cas_record(RecordType::blob_commit, [](auto& b) {
        return records::CreateBlobCommit(b, b.CreateVector(digest_of(1)), 11);
    });
    blob.blob = BlobId{1};
    blob.uid = 100;
    const ByteView content = as_bytes("hello world");
    blob.raw.assign(content.begin(), content.end());
    GroupRecord link;
    link.type = 3;
    link.owner = RecordOwner::catalog;
    link.body = std::vector<std::byte>(20, std::byte{0x77});
    GroupRecord mark = cas_record(RecordType::upload_mark, [](auto& b) {
        const auto session = b.CreateVector(some(16, 0x51));
        const auto owner = b.CreateVector(some(5, 0x6f));
        const auto state = b.CreateVector(some(41, 0x68));
        return records::CreateUploadMark(b, session, 1234, owner, 70000, 2, 1, 69632, state, 0,
                                         0xabcdef);
    });
    mark.uid = 101;
    mark.raw = std::vector<std::byte>(8 + 368, std::byte{0x99});
    return {
        {blob, link},
        {cas_record(
             RecordType::id_block,
             [](auto& b) { return records::CreateIdBlock(b, records::IdKind::uid, 1, 1 << 20); }),
         cas_record(RecordType::lane_state,
                    [](auto& b) {
                        return records::CreateLaneState(b, 2, records::LanePhase::sealed, 40, 1);
                    }),
         cas_record(RecordType::lease,
                    [](auto& b) { return records::CreateLease(b, b.CreateVector(digest_of(2))); })},
        {mark,
         cas_record(RecordType::upload_close,
                    [](auto& b) {
                        return records::CreateUploadClose(
                            b, b.CreateVector(some(16, 0x51)), records::UploadOutcome::finished,
                            b.CreateVector(digest_of(1)), 1234, 2, 40);
                    }),
         cas_record(
             RecordType::blob_damaged,
             [](auto& b) { return records::CreateBlobDamaged(b, b.CreateVector(digest_of(1))); }),
         cas_record(RecordType::blob_delete, [](auto& b) {
             return records::CreateBlobDelete(b, b.CreateVector(std::vector<std::uint32_t>{1}),
                                              b.CreateVector(digest_of(1)));
         })}};
}

// The kinds that came after those: a frame of their own, so that the ones before it stay as they are.
std::vector<std::vector<GroupRecord>> later_groups() {
    GroupRecord healed = cas_record(RecordType::blob_healed, [](auto& b) {
        return records::CreateBlobHealed(b, b.CreateVector(digest_of(2)));
    });
    healed.blob = BlobId{1};
    healed.uid = 100;
    GroupRecord moved = cas_record(RecordType::blob_relocate, [](auto& b) {
        return records::CreateBlobRelocate(b, b.CreateVector(digest_of(1)), 11, 1, 83, 100);
    });
    moved.blob = BlobId{1};
    moved.uid = 102;
    const ByteView content = as_bytes("hello world");
    moved.raw.assign(content.begin(), content.end());
    GroupRecord mark = cas_record(RecordType::mark_relocate, [](auto& b) {
        return records::CreateMarkRelocate(b, b.CreateVector(some(16, 0x51)), 1, 160);
    });
    mark.uid = 101;
    mark.raw = std::vector<std::byte>(8 + 368, std::byte{0x99});
    return {{healed}, {moved, mark}, {cas_record(RecordType::scrub_position, [](auto& b) {
                return records::CreateScrubPosition(b, 3, true, true, 7, 640, 5000, 12, 34567, 2,
                                                    1000, 4000);
            })}};
}

class SegmentBuilder {
public:
    SegmentBuilder() : uuid_{golden_superblock().uuid}, seed_{golden_superblock().secret} {
        encode_log_segment_header({1, kIncarnation, uuid_, kSegmentPages}, seed_,
                                  pages_.first(kPageSize));
    }
    void add(FrameKind kind, const std::vector<std::vector<GroupRecord>>& groups = {}) {
        PayloadWriter writer{pages_.subspan(offset_, pages_.size() - offset_)};
        for (const auto& group : groups) writer.add(group);
        writer.finish();
        FrameHeader header;
        header.kind = kind;
        header.record_count = writer.record_count();
        header.payload_bytes = writer.payload_bytes();
        header.segment = 1;
        header.lsn = ++lsn_;
        header.incarnation = kIncarnation;
        header.store_time_ms = 1000 + lsn_;
        header.wall_ns = 1'700'000'000'000'000'000 + static_cast<std::int64_t>(lsn_);
        header.prev = prev_;
        header.uuid = uuid_;
        prev_ = seal_frame(header, seed_, offset_, pages_.subspan(offset_, header.size_bytes()));
        offset_ += header.size_bytes();
    }
    ByteView bytes() const { return pages_.bytes(); }

private:
    PageBuffer pages_{kSegmentPages * kPageSize};
    StoreUuid uuid_;
    AddressSeed seed_;
    std::size_t offset_ = kFirstFrameOffset;
    std::uint64_t lsn_ = 0;
    std::uint64_t prev_ = 0;
};

SegmentBuilder make_segment() {
    SegmentBuilder segment;
    segment.add(FrameKind::opened);
    segment.add(FrameKind::data, golden_groups());
    segment.add(FrameKind::data, {golden_groups().front()});
    segment.add(FrameKind::data, later_groups());
    segment.add(FrameKind::idle);
    segment.add(FrameKind::closed);
    return segment;
}

TEST(LogGolden, SuperblockOfVersion1) {
    const auto file = read_golden("superblock.bin");
    const auto chosen = choose_superblock(file);
    ASSERT_TRUE(chosen);
    EXPECT_EQ(chosen.value().superblock, golden_superblock());
    for (const auto& copy : chosen.value().copies) EXPECT_TRUE(copy);
    EXPECT_TRUE(check_superblock_supported(chosen.value().superblock, true));
    EXPECT_TRUE(std::ranges::equal(file, make_superblock_file().bytes()))
        << "the same superblock is other bytes now";
}

void expect_golden_records(const FrameHeader& header, std::uint64_t offset, ByteView frame,
                           const std::vector<std::vector<GroupRecord>>& groups) {
    const auto decoded = decode_records(header, offset, frame);
    ASSERT_TRUE(decoded);
    std::size_t at = 0;
    for (const auto& group : groups) {
        for (const GroupRecord& expected : group) {
            const AppliedRecord& found = decoded.value().at(at++).record;
            EXPECT_EQ(found.type, expected.type);
            EXPECT_EQ(found.owner, expected.owner);
            EXPECT_EQ(found.blob, expected.blob);
            EXPECT_EQ(found.uid, expected.uid);
            EXPECT_TRUE(std::ranges::equal(found.body, expected.body));
            EXPECT_TRUE(std::ranges::equal(found.raw, expected.raw));
            if (found.owner != RecordOwner::cas) continue;
            EXPECT_TRUE(verify_cas_body(static_cast<RecordType>(found.type), found.body))
                << found.type;
        }
    }
    EXPECT_EQ(at, decoded.value().size());
}

TEST(LogGolden, SegmentOfVersion1) {
    const auto file = read_golden("log_segment.bin");
    ASSERT_EQ(file.size(), kSegmentPages * kPageSize);
    const Superblock super = golden_superblock();
    const AddressSeed seed{super.secret};
    const auto header =
        decode_log_segment_header(ByteView{file}.first(kPageSize), 1, super.uuid, seed);
    ASSERT_TRUE(header);
    EXPECT_EQ(header.value().size_pages, kSegmentPages);
    EXPECT_EQ(header.value().incarnation, kIncarnation);
    const FrameKind kinds[] = {FrameKind::opened, FrameKind::data, FrameKind::data,
                               FrameKind::data,   FrameKind::idle, FrameKind::closed};
    std::uint64_t offset = kFirstFrameOffset;
    std::uint64_t lsn = 0;
    std::uint64_t prev = 0;
    for (const FrameKind kind : kinds) {
        const ByteView rest = ByteView{file}.subspan(offset);
        const auto frame = decode_frame_header(rest, 1, offset, super.uuid, seed);
        ASSERT_TRUE(frame) << lsn;
        EXPECT_EQ(frame.value().kind, kind);
        EXPECT_EQ(frame.value().lsn, ++lsn);
        EXPECT_EQ(frame.value().prev, prev);
        EXPECT_EQ(frame.value().store_time_ms, 1000 + lsn);
        const ByteView whole = rest.first(frame.value().size_bytes());
        EXPECT_TRUE(frame_payload_intact(frame.value(), whole));
        if (lsn == 2) expect_golden_records(frame.value(), offset, whole, golden_groups());
        if (lsn == 3)
            expect_golden_records(frame.value(), offset, whole, {golden_groups().front()});
        if (lsn == 4) expect_golden_records(frame.value(), offset, whole, later_groups());
        prev = frame_chain_checksum(whole);
        offset += frame.value().size_bytes();
    }
    EXPECT_TRUE(all_zero(ByteView{file}.subspan(offset)));
    EXPECT_TRUE(std::ranges::equal(file, make_segment().bytes()))
        << "the same frames are other bytes now";
}

}  // namespace
}  // namespace orbitalreg::cas

int main(int argc, char** argv) {
    if (std::getenv("ORB_WRITE_GOLDEN") != nullptr) {
        orbitalreg::cas::write_golden("superblock.bin",
                                      orbitalreg::cas::make_superblock_file().bytes());
        orbitalreg::cas::write_golden("log_segment.bin", orbitalreg::cas::make_segment().bytes());
    }
    testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
