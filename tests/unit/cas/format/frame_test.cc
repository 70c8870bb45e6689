#include "format/frame.h"

#include "cas/errors.h"
#include "format/log_segment_header.h"
#include "format/page_buffer.h"

#include <gtest/gtest.h>

namespace orbitalreg::cas {
namespace {

constexpr std::uint32_t kSegment = 5;
constexpr std::uint64_t kOffset = 3 * kPageSize;

StoreUuid sample_uuid() {
    StoreUuid uuid;
    uuid.fill(std::byte{0x77});
    return uuid;
}

AddressSeed sample_seed() {
    AddressSeed::Secret secret;
    secret.fill(std::byte{0x42});
    return AddressSeed{secret};
}

FrameHeader sample_header() {
    FrameHeader header;
    header.record_count = 2;
    header.payload_bytes = 5000;
    header.segment = kSegment;
    header.lsn = 99;
    header.incarnation = 0xabcdef;
    header.store_time_ms = 123456;
    header.wall_ns = -5;
    header.prev = 0x1234;
    header.uuid = sample_uuid();
    return header;
}

struct Sealed {
    FrameHeader header = sample_header();
    PageBuffer frame{static_cast<std::size_t>(sample_header().size_bytes())};
    std::uint64_t chain = 0;
    Sealed() {
        std::memset(frame.data() + kFrameHeaderSize, 0x11, header.payload_bytes);
        chain = seal_frame(header, sample_seed(), kOffset, frame.bytes());
    }
};

auto decode(ByteView bytes, std::uint32_t segment = kSegment, std::uint64_t offset = kOffset) {
    return decode_frame_header(bytes, segment, offset, sample_uuid(), sample_seed());
}

TEST(Frame, RoundTrip) {
    const Sealed sealed;
    EXPECT_EQ(sealed.header.size_bytes(), 2 * kPageSize);
    const auto decoded = decode(sealed.frame.bytes());
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded.value(), sealed.header);
    EXPECT_TRUE(frame_payload_intact(decoded.value(), sealed.frame.bytes()));
    EXPECT_EQ(frame_chain_checksum(sealed.frame.bytes()), sealed.chain);
}

TEST(Frame, RefusesEveryFlippedBitOfTheHeader) {
    const Sealed sealed;
    for (std::size_t bit = 0; bit < kFrameHeaderSize * 8; ++bit) {
        sealed.frame.data()[bit / 8] ^= std::byte{1} << (bit % 8);
        ASSERT_FALSE(decode(sealed.frame.bytes())) << "bit " << bit;
        sealed.frame.data()[bit / 8] ^= std::byte{1} << (bit % 8);
    }
    EXPECT_TRUE(decode(sealed.frame.bytes()));
}

TEST(Frame, SeesEveryFlippedByteOfPayloadAndPadding) {
    const Sealed sealed;
    for (std::size_t at = kFrameHeaderSize; at < sealed.frame.size(); ++at) {
        sealed.frame.data()[at] ^= std::byte{0x10};
        ASSERT_FALSE(frame_payload_intact(sealed.header, sealed.frame.bytes())) << "byte " << at;
        sealed.frame.data()[at] ^= std::byte{0x10};
    }
}

TEST(Frame, BelongsToItsPlaceAndStore) {
    const Sealed sealed;
    const ErrorCode bad = Errc::bad_format;
    EXPECT_EQ(decode(sealed.frame.bytes(), kSegment + 1).error(), bad);
    EXPECT_EQ(decode(sealed.frame.bytes(), kSegment, kOffset + kPageSize).error(), bad);
    StoreUuid other = sample_uuid();
    other[3] = std::byte{0};
    EXPECT_EQ(
        decode_frame_header(sealed.frame.bytes(), kSegment, kOffset, other, sample_seed()).error(),
        bad);
    EXPECT_EQ(
        decode_frame_header(sealed.frame.bytes(), kSegment, kOffset, sample_uuid(), AddressSeed{})
            .error(),
        bad);
    EXPECT_EQ(decode(sealed.frame.first(kFrameHeaderSize - 1)).error(), bad);
}

// A header that is genuine but not of this version must stop a reader, not pass for a torn one.
TEST(Frame, AGenuineHeaderOfANewerVersionIsUnsupported) {
    const Sealed sealed;
    for (const std::size_t field : {std::size_t{16}, std::size_t{18}}) {
        PageBuffer page{kPageSize};
        std::memcpy(page.data(), sealed.frame.data(), kFrameHeaderSize);
        page.data()[field] = std::byte{9};
        const std::uint64_t seed = sample_seed().at(AddressKind::log, kSegment, kOffset);
        store_le(page.data() + 8, checksum64(page.subspan(16, kFrameHeaderSize - 16), seed));
        EXPECT_EQ(decode(page.bytes()).error(), make_error_code(Errc::version_unsupported));
    }
}

TEST(LogSegmentHeader, RoundTripAndFlips) {
    const LogSegmentHeader header{kSegment, 0xfeed, sample_uuid(), 1024};
    const PageBuffer page{kPageSize};
    encode_log_segment_header(header, sample_seed(), page.bytes());
    const auto decoded =
        decode_log_segment_header(page.bytes(), kSegment, sample_uuid(), sample_seed());
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded.value(), header);
    for (std::size_t at = 0; at < kPageSize; ++at) {
        page.data()[at] ^= std::byte{1};
        ASSERT_FALSE(
            decode_log_segment_header(page.bytes(), kSegment, sample_uuid(), sample_seed()))
            << at;
        page.data()[at] ^= std::byte{1};
    }
    EXPECT_EQ(
        decode_log_segment_header(page.bytes(), kSegment + 1, sample_uuid(), sample_seed()).error(),
        make_error_code(Errc::bad_format));
    EXPECT_EQ(decode_log_segment_header(page.bytes(), kSegment, StoreUuid{}, sample_seed()).error(),
              make_error_code(Errc::wrong_store));
}

TEST(LogSegmentHeader, Names) {
    EXPECT_EQ(log_segment_path(0x1a2b), "log/0000000000001a2b.olog");
    EXPECT_EQ(parse_log_segment_name("0000000000001a2b.olog"), 0x1a2bu);
    for (const char* name : {"0000000000001A2B.olog", "1a2b.olog", "0000000000001a2b.olane",
                             "0000000100000000.olog", "0000000000001a2b.olog.new", ""}) {
        EXPECT_EQ(parse_log_segment_name(name), 0u) << name;
    }
}

}  // namespace
}  // namespace orbitalreg::cas
