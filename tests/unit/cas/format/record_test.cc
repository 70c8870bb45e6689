#include "format/record.h"

#include "cas/errors.h"
#include "format/page_buffer.h"
#include "schema/records_generated.h"

#include <flatbuffers/flatbuffers.h>
#include <gtest/gtest.h>

namespace orbitalreg::cas {
namespace {

constexpr std::uint64_t kOffset = 7 * kPageSize;

std::vector<std::byte> filled(std::size_t size, int value) {
    return std::vector<std::byte>(size, static_cast<std::byte>(value));
}

GroupRecord record(std::uint16_t type, std::size_t body, std::size_t raw) {
    GroupRecord made;
    made.type = type;
    made.owner = type % 2 == 0 ? RecordOwner::cas : RecordOwner::catalog;
    made.blob = BlobId{type * 10u};
    made.uid = type * 100u;
    made.body = filled(body, type);
    made.raw = filled(raw, type + 100);
    return made;
}

struct Encoded {
    PageBuffer buffer{16 * kPageSize};
    FrameHeader header;
    ByteView frame;

    explicit Encoded(const std::vector<std::vector<GroupRecord>>& groups) {
        std::memset(buffer.data(), 0xee, buffer.size());  // what an earlier frame left
        PayloadWriter writer{buffer.bytes()};
        for (const auto& group : groups) writer.add(group);
        writer.finish();
        header.payload_bytes = writer.payload_bytes();
        header.record_count = writer.record_count();
        header.segment = 3;
        frame = buffer.first(static_cast<std::size_t>(header.size_bytes()));
    }
};

TEST(Record, RoundTripOfGroups) {
    const std::vector<std::vector<GroupRecord>> groups{
        {record(1, 24, 0), record(2, 7, 1)},
        {record(3, 0, 65)},
        {record(4, 64, 64), record(5, 1, 0), record(6, 0, 0)}};
    const Encoded encoded{groups};
    const auto decoded = decode_records(encoded.header, kOffset, encoded.frame);
    ASSERT_TRUE(decoded);
    std::size_t at = 0;
    for (const auto& group : groups) {
        for (std::size_t i = 0; i < group.size(); ++i, ++at) {
            const FrameRecord& found = decoded.value().at(at);
            EXPECT_EQ(found.record.type, group[i].type);
            EXPECT_EQ(found.record.owner, group[i].owner);
            EXPECT_EQ(found.record.blob, group[i].blob);
            EXPECT_EQ(found.record.uid, group[i].uid);
            EXPECT_TRUE(std::ranges::equal(found.record.body, group[i].body));
            EXPECT_TRUE(std::ranges::equal(found.record.raw, group[i].raw));
            EXPECT_EQ(found.last_of_group, i + 1 == group.size());
            EXPECT_FALSE(found.ignorable);
            EXPECT_EQ(found.record.segment, 3u);
            if (group[i].raw.empty()) continue;
            EXPECT_EQ(found.record.raw_offset % kRawAlignment, 0u);
            EXPECT_EQ(found.record.raw_offset - kOffset,
                      static_cast<std::uint64_t>(found.record.raw.data() - encoded.frame.data()));
        }
    }
    EXPECT_EQ(at, decoded.value().size());
}

TEST(Record, SizeBoundHolds) {
    for (std::size_t body = 0; body < 70; ++body) {
        for (const std::size_t raw :
             {std::size_t{0}, std::size_t{1}, std::size_t{64}, std::size_t{100}}) {
            const std::vector<GroupRecord> group{record(1, body, raw)};
            const Encoded first{{group}};
            EXPECT_LE(first.header.payload_bytes, encoded_size_max(group));
            const Encoded second{{{record(1, 3, 0)}, group}};
            const Encoded alone{{{record(1, 3, 0)}}};
            EXPECT_LE(second.header.payload_bytes,
                      alone.header.payload_bytes + encoded_size_max(group));
        }
    }
}

// With the checksum gone (a defect of ours, or a collision) the reader still never leaves the
// payload.
TEST(Record, EveryFlippedBitIsRefusedOrStaysInside) {
    const Encoded encoded{{{record(1, 24, 10), record(2, 7, 0)}, {record(3, 8, 3)}}};
    for (std::size_t bit = kFrameHeaderSize * 8;
         bit < (kFrameHeaderSize + encoded.header.payload_bytes) * 8; ++bit) {
        encoded.buffer.data()[bit / 8] ^= std::byte{1} << (bit % 8);
        const auto decoded = decode_records(encoded.header, kOffset, encoded.frame);
        if (decoded) {
            for (const FrameRecord& found : decoded.value()) {
                ASSERT_GE(found.record.body.data(), encoded.frame.data());
                ASSERT_LE(found.record.body.data() + found.record.body.size(),
                          encoded.frame.data() + encoded.frame.size());
            }
        } else {
            ASSERT_EQ(decoded.error(), make_error_code(Errc::bad_format));
        }
        encoded.buffer.data()[bit / 8] ^= std::byte{1} << (bit % 8);
    }
}

TEST(Record, RefusesWhatTheFormatForbids) {
    struct Damage {
        std::size_t offset;
        std::uint8_t value;
        const char* what;
    };
    // The envelope of the second record, the last of group 1: behind 32 + 24 bytes, aligned.
    constexpr std::size_t kSecond = kFrameHeaderSize + 56;
    const Damage damages[] = {{kFrameHeaderSize + 4, 0, "type 0"},
                              {kFrameHeaderSize + 6, 0, "owner 0"},
                              {kFrameHeaderSize + 7, 8, "unknown flag"},
                              {kFrameHeaderSize + 7, 4, "raw flag without raw bytes"},
                              {kFrameHeaderSize + 12, 2, "group out of order"},
                              {kFrameHeaderSize + 20, 1, "a byte that must be zero"},
                              {kFrameHeaderSize + 3, 0xff, "a body that is too long"},
                              {kSecond + 7, 0, "a last record that does not end its group"}};
    for (const Damage& damage : damages) {
        const Encoded encoded{{{record(1, 24, 0), record(2, 8, 0)}}};
        encoded.buffer.data()[damage.offset] = std::byte{damage.value};
        const auto decoded = decode_records(encoded.header, kOffset, encoded.frame);
        ASSERT_FALSE(decoded) << damage.what;
        EXPECT_EQ(decoded.error(), make_error_code(Errc::bad_format)) << damage.what;
    }
    Encoded encoded{{{record(1, 24, 0), record(2, 8, 0)}}};
    encoded.header.record_count = 3;
    EXPECT_FALSE(decode_records(encoded.header, kOffset, encoded.frame));
    encoded.header.record_count = 0xffffffff;
    EXPECT_FALSE(decode_records(encoded.header, kOffset, encoded.frame));
}

template <class Build>
std::vector<std::byte> body_of(Build build) {
    flatbuffers::FlatBufferBuilder builder;
    builder.Finish(build(builder));
    const auto* const data = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
    return {data, data + builder.GetSize()};
}

std::vector<std::uint8_t> digest_bytes(std::uint8_t algorithm = 1) {
    std::vector<std::uint8_t> bytes(algorithm == 2 ? 65 : 33, 0xab);
    bytes[0] = algorithm;
    return bytes;
}

std::vector<std::byte> blob_commit(const std::vector<std::uint8_t>& digest, std::uint32_t lane,
                                   std::uint32_t pages) {
    return body_of([&](auto& builder) {
        return records::CreateBlobCommit(builder, builder.CreateVector(digest), 100, lane,
                                         lane == 0 ? 0 : 8, pages);
    });
}

TEST(Record, BodiesAreVerified) {
    EXPECT_TRUE(verify_cas_body(RecordType::blob_commit, blob_commit(digest_bytes(), 0, 0)));
    EXPECT_TRUE(verify_cas_body(RecordType::blob_commit, blob_commit(digest_bytes(2), 1, 3)));
    const ErrorCode bad = Errc::bad_format;
    EXPECT_EQ(verify_cas_body(RecordType::blob_commit, blob_commit(digest_bytes(3), 0, 0)).error(),
              bad);
    EXPECT_EQ(verify_cas_body(RecordType::blob_commit, blob_commit({}, 0, 0)).error(), bad);
    EXPECT_EQ(verify_cas_body(RecordType::blob_commit, blob_commit(digest_bytes(), 1, 0)).error(),
              bad);
    EXPECT_EQ(verify_cas_body(RecordType::blob_commit, {}).error(), bad);
    EXPECT_EQ(verify_cas_body(RecordType::snapshot_hold, blob_commit(digest_bytes(), 0, 0)).error(),
              bad);
    const auto close = [](records::UploadOutcome outcome, std::size_t session, bool digest) {
        return body_of([&](auto& builder) {
            const auto id = builder.CreateVector(std::vector<std::uint8_t>(session, 1));
            const auto name = digest ? builder.CreateVector(digest_bytes()) : 0;
            return records::CreateUploadClose(builder, id, outcome, name, 5);
        });
    };
    using Outcome = records::UploadOutcome;
    EXPECT_TRUE(verify_cas_body(RecordType::upload_close, close(Outcome::finished, 16, true)));
    EXPECT_TRUE(verify_cas_body(RecordType::upload_close, close(Outcome::cancelled, 16, false)));
    EXPECT_FALSE(verify_cas_body(RecordType::upload_close, close(Outcome::finished, 16, false)));
    EXPECT_FALSE(verify_cas_body(RecordType::upload_close, close(Outcome::cancelled, 15, false)));
    EXPECT_FALSE(verify_cas_body(RecordType::upload_close, close(Outcome::none, 16, false)));
    const auto block = [](std::uint64_t first, std::uint64_t count) {
        return body_of([&](auto& builder) {
            return records::CreateIdBlock(builder, records::IdKind::uid, first, count);
        });
    };
    EXPECT_TRUE(verify_cas_body(RecordType::id_block, block(1, 1 << 20)));
    EXPECT_FALSE(verify_cas_body(RecordType::id_block, block(0, 1)));
    EXPECT_FALSE(verify_cas_body(RecordType::id_block, block(UINT64_MAX, 2)));
}

TEST(Record, ACutBodyIsRefused) {
    const auto whole = blob_commit(digest_bytes(), 1, 3);
    // The last three bytes are padding behind the digest.
    for (std::size_t size = 0; size + 3 < whole.size(); ++size) {
        // An allocation of exactly that size, so that a sanitizer sees a step beyond it.
        const std::vector<std::byte> cut(whole.begin(),
                                         whole.begin() + static_cast<std::ptrdiff_t>(size));
        EXPECT_FALSE(verify_cas_body(RecordType::blob_commit, cut)) << size;
    }
}

}  // namespace
}  // namespace orbitalreg::cas
