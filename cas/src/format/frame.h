#pragma once
// A frame is one group commit in the log: a header of 128 bytes, the payload (records), zeros up to
// the next page. docs/on-disk-format.md, "Frame", is normative.
//
//   offset  size  field             notes
//        0     8  magic             `ORBFRAME`
//        8     8  header_checksum   XXH3-64 of bytes 16..127, seed addr(log, segment, offset)
//       16     2  version           1
//       18     2  kind              FrameKind
//       20     4  record_count
//       24     4  payload_bytes
//       28     4  segment
//       32     8  lsn               that of the frame before + 1; the first is 1
//       40     8  incarnation
//       48     8  store_time_ms
//       56     8  wall_ns           for people; two's complement
//       64     8  prev              XXH3-64 of the 128 bytes of the header before; 0 in frame 1
//       72     8  zero
//       80    16  payload_checksum  XXH3-128 of payload and padding
//       96    16  store_uuid
//      112    16  zero

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/result.h"
#include "cas/io.h"
#include "format/address.h"

#include <cstdint>

namespace orbitalreg::cas {

inline constexpr std::size_t kFrameHeaderSize = 128;
inline constexpr std::size_t kFrameSizeMax = 8_MiB;
static_assert(kFrameHeaderSize % 64 == 0, "raw bytes at 64 in the frame are at 64 in the segment");

enum class FrameKind : std::uint16_t {
    data = 1,
    opened = 2,
    idle = 3,
    segment_end = 4,
    closed = 5
};

std::string_view to_string(FrameKind kind) noexcept;

struct FrameHeader {
    FrameKind kind = FrameKind::data;
    std::uint32_t record_count = 0;
    std::uint32_t payload_bytes = 0;
    std::uint32_t segment = 0;
    std::uint64_t lsn = 0;
    std::uint64_t incarnation = 0;
    std::uint64_t store_time_ms = 0;
    std::int64_t wall_ns = 0;
    std::uint64_t prev = 0;
    Checksum128 payload_checksum;
    StoreUuid uuid{};

    // In the log: header, payload and padding.
    std::uint64_t size_bytes() const noexcept {
        return round_up(kFrameHeaderSize + payload_bytes, kPageSize);
    }
    friend bool operator==(const FrameHeader&, const FrameHeader&) = default;
};

// `frame` is the whole frame, header.size_bytes() long, its payload and zero padding in place. Sets
// the payload checksum and returns the checksum of the header, the `prev` of the next frame.
std::uint64_t seal_frame(FrameHeader& header, const AddressSeed& seed, std::uint64_t offset,
                         MutableByteView frame) noexcept;

// The header at `offset` of `segment`, from its first 128 bytes. Errc::bad_format when there is
// none that was written for this place; version_unsupported for a genuine one of a newer version.
// Payload and successor rule are not looked at.
Result<FrameHeader> decode_frame_header(ByteView bytes, std::uint32_t segment, std::uint64_t offset,
                                        const StoreUuid& uuid, const AddressSeed& seed) noexcept;

// Whether payload and padding are those the header was made for. `frame` is the whole frame.
bool frame_payload_intact(const FrameHeader& header, ByteView frame) noexcept;

// The `prev` of the frame behind this one. `bytes` starts with its 128 bytes.
std::uint64_t frame_chain_checksum(ByteView bytes) noexcept;

}  // namespace orbitalreg::cas
