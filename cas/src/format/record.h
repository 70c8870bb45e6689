#pragma once
// Records are the changes inside a frame: an envelope of 32 bytes, a FlatBuffers body, raw bytes.
// docs/on-disk-format.md, "Record", is normative.
//
//   offset  size  field       notes
//        0     4  body bytes  the body follows the envelope at once
//        4     2  type        numbered by the owner, from 1
//        6     1  owner       RecordOwner
//        7     1  flags       1 ignorable, 2 last of its group, 4 raw bytes follow
//        8     4  raw bytes   at the next multiple of 64 behind the body
//       12     4  group       from 1 in each frame
//       16     4  blob id     0: none
//       20     4  zero
//       24     8  uid         0: none
//
// Records start at multiples of 8 in the frame, so that a body may be read in place; what is
// skipped is zero.

#include "base/bytes.h"
#include "base/digest.h"
#include "base/result.h"
#include "format/frame.h"
#include "log/group.h"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace orbitalreg::cas {

inline constexpr std::size_t kRecordEnvelopeSize = 32;
inline constexpr std::size_t kRecordAlignment = 8;
inline constexpr std::size_t kRawAlignment = 64;

// What the records take at most, wherever in a frame they start.
std::size_t encoded_size_max(std::span<const GroupRecord> records) noexcept;

// PayloadWriter lays groups behind each other into the buffer of one frame.
class PayloadWriter {
public:
    // `frame` is the frame's buffer, header included; its content need not be zero.
    explicit PayloadWriter(MutableByteView frame) noexcept : frame_{frame} {}

    // Whether a group of at most `size_max` encoded bytes fits, with its padding.
    bool fits(std::size_t size_max) const noexcept;
    // The group must fit and have a record.
    void add(std::span<const GroupRecord> records) noexcept;
    // Zeroes the padding and says what was written.
    void finish() noexcept;

    std::uint32_t payload_bytes() const noexcept {
        return static_cast<std::uint32_t>(position_ - kFrameHeaderSize);
    }
    std::uint32_t record_count() const noexcept { return record_count_; }
    std::uint32_t group_count() const noexcept { return group_count_; }

private:
    void zero_to(std::size_t position) noexcept;
    void add(const GroupRecord& record, bool last) noexcept;

    MutableByteView frame_;
    std::size_t position_ = kFrameHeaderSize;
    std::uint32_t record_count_ = 0;
    std::uint32_t group_count_ = 0;
};

struct FrameRecord {
    AppliedRecord record;
    bool ignorable = false;
    bool last_of_group = false;
};

// The records of an intact data frame that starts at `offset` of its segment; views into `frame`.
// Errc::bad_format when they do not follow the format.
Result<std::vector<FrameRecord>> decode_records(const FrameHeader& header, std::uint64_t offset,
                                                ByteView frame);

// Whether `body` is the FlatBuffer that `type` names, with digests and session ids of the right
// size and enumerators this version knows. Run before any access. Errc::bad_format; also for a type
// that is only reserved.
Result<void> verify_cas_body(RecordType type, ByteView body) noexcept;

// A digest as records carry it is one byte of algorithm, then the hash.
// The digest at the start of `bytes`, which then starts behind it. Errc::bad_format.
Result<Digest> take_digest(ByteView& bytes) noexcept;

}  // namespace orbitalreg::cas
