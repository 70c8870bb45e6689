#include "format/frame.h"

#include "base/assert.h"
#include "cas/errors.h"
#include "format/magic.h"

#include <algorithm>

namespace orbitalreg::cas {
namespace {

constexpr std::uint64_t kMagic = magic("ORBFRAME");
constexpr std::uint16_t kVersion = 1;
constexpr std::size_t kChecksum = 8;
constexpr std::size_t kCovered = 16;
constexpr std::size_t kVersionAt = 16;
constexpr std::size_t kKind = 18;
constexpr std::size_t kRecordCount = 20;
constexpr std::size_t kPayloadBytes = 24;
constexpr std::size_t kSegment = 28;
constexpr std::size_t kLsn = 32;
constexpr std::size_t kIncarnation = 40;
constexpr std::size_t kStoreTime = 48;
constexpr std::size_t kWall = 56;
constexpr std::size_t kPrev = 64;
constexpr std::size_t kZero = 72;
constexpr std::size_t kPayloadChecksum = 80;
constexpr std::size_t kUuid = 96;
constexpr std::size_t kEnd = 112;
static_assert(kPayloadChecksum + 16 == kUuid && kUuid + sizeof(StoreUuid) == kEnd);
static_assert(kEnd + 16 == kFrameHeaderSize);

std::uint64_t header_checksum(ByteView bytes, std::uint32_t segment, std::uint64_t offset,
                              const AddressSeed& seed) noexcept {
    return checksum64(bytes.subspan(kCovered, kFrameHeaderSize - kCovered),
                      seed.at(AddressKind::log, segment, offset));
}

bool known(std::uint16_t kind) noexcept {
    return kind >= static_cast<std::uint16_t>(FrameKind::data) &&
           kind <= static_cast<std::uint16_t>(FrameKind::closed);
}

bool sane(const FrameHeader& header) noexcept {
    const bool has_records = header.record_count != 0 && header.payload_bytes != 0;
    const bool is_empty = header.record_count == 0 && header.payload_bytes == 0;
    return header.lsn != 0 && header.incarnation != 0 && header.size_bytes() <= kFrameSizeMax &&
           (header.kind == FrameKind::data ? has_records : is_empty);
}

}  // namespace

std::string_view to_string(FrameKind kind) noexcept {
    switch (kind) {
        case FrameKind::data:
            return "data";
        case FrameKind::opened:
            return "opened";
        case FrameKind::idle:
            return "idle";
        case FrameKind::segment_end:
            return "segment_end";
        case FrameKind::closed:
            return "closed";
    }
    return "unknown";
}

std::uint64_t seal_frame(FrameHeader& header, const AddressSeed& seed, std::uint64_t offset,
                         MutableByteView frame) noexcept {
    ORB_ASSERT(sane(header));
    ORB_ASSERT(frame.size() == header.size_bytes());
    ORB_ASSERT(offset % kPageSize == 0);
    ORB_ASSERT_SLOW(all_zero(frame.subspan(kFrameHeaderSize + header.payload_bytes)));
    header.payload_checksum = checksum128(frame.subspan(kFrameHeaderSize));
    std::byte* const p = frame.data();
    std::fill_n(p, kFrameHeaderSize, std::byte{0});
    store_le(p, kMagic);
    store_le(p + kVersionAt, kVersion);
    store_le(p + kKind, static_cast<std::uint16_t>(header.kind));
    store_le(p + kRecordCount, header.record_count);
    store_le(p + kPayloadBytes, header.payload_bytes);
    store_le(p + kSegment, header.segment);
    store_le(p + kLsn, header.lsn);
    store_le(p + kIncarnation, header.incarnation);
    store_le(p + kStoreTime, header.store_time_ms);
    store_le(p + kWall, static_cast<std::uint64_t>(header.wall_ns));
    store_le(p + kPrev, header.prev);
    store_le(p + kPayloadChecksum, header.payload_checksum.low);
    store_le(p + kPayloadChecksum + 8, header.payload_checksum.high);
    std::copy(header.uuid.begin(), header.uuid.end(), p + kUuid);
    store_le(p + kChecksum, header_checksum(frame, header.segment, offset, seed));
    return frame_chain_checksum(frame);
}

Result<FrameHeader> decode_frame_header(ByteView bytes, std::uint32_t segment, std::uint64_t offset,
                                        const StoreUuid& uuid, const AddressSeed& seed) noexcept {
    if (bytes.size() < kFrameHeaderSize) return fail(Errc::bad_format);
    const std::byte* const p = bytes.data();
    if (load_le<std::uint64_t>(p) != kMagic) return fail(Errc::bad_format);
    if (load_le<std::uint64_t>(p + kChecksum) != header_checksum(bytes, segment, offset, seed)) {
        return fail(Errc::bad_format);
    }
    const auto kind = load_le<std::uint16_t>(p + kKind);
    if (load_le<std::uint16_t>(p + kVersionAt) != kVersion || !known(kind)) {
        return fail(Errc::version_unsupported);
    }
    FrameHeader header;
    header.kind = static_cast<FrameKind>(kind);
    header.record_count = load_le<std::uint32_t>(p + kRecordCount);
    header.payload_bytes = load_le<std::uint32_t>(p + kPayloadBytes);
    header.segment = load_le<std::uint32_t>(p + kSegment);
    header.lsn = load_le<std::uint64_t>(p + kLsn);
    header.incarnation = load_le<std::uint64_t>(p + kIncarnation);
    header.store_time_ms = load_le<std::uint64_t>(p + kStoreTime);
    header.wall_ns = static_cast<std::int64_t>(load_le<std::uint64_t>(p + kWall));
    header.prev = load_le<std::uint64_t>(p + kPrev);
    header.payload_checksum = {load_le<std::uint64_t>(p + kPayloadChecksum),
                               load_le<std::uint64_t>(p + kPayloadChecksum + 8)};
    std::copy_n(p + kUuid, header.uuid.size(), header.uuid.begin());
    const bool zeros = all_zero(bytes.subspan(kZero, kPayloadChecksum - kZero)) &&
                       all_zero(bytes.subspan(kEnd, kFrameHeaderSize - kEnd));
    if (!zeros || !sane(header) || header.segment != segment || header.uuid != uuid) {
        return fail(Errc::bad_format);
    }
    return header;
}

bool frame_payload_intact(const FrameHeader& header, ByteView frame) noexcept {
    return frame.size() == header.size_bytes() &&
           checksum128(frame.subspan(kFrameHeaderSize)) == header.payload_checksum;
}

std::uint64_t frame_chain_checksum(ByteView bytes) noexcept {
    return checksum64(bytes.first(kFrameHeaderSize));
}

}  // namespace orbitalreg::cas
