#pragma once
// The first page of a log segment says whose it is and which place it takes; frames follow it.
// docs/on-disk-format.md, "Log segment", is normative. The file's name is only a hint.
//
//   offset  size  field        notes
//        0     8  magic        `ORBLOGSG`
//        8     8  checksum     XXH3-64 of bytes 16..4095, seed addr(log, segment, 0)
//       16     2  version      1
//       18     2  zero
//       20     4  segment id   from 1
//       24     8  incarnation  that made the file
//       32    16  store uuid
//       48     4  size in pages, this one included
//       52        zero to 4095

#include "base/bytes.h"
#include "base/result.h"
#include "cas/io.h"
#include "format/address.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace orbitalreg::cas {

inline constexpr std::uint32_t kSegmentPagesMin = 16;          // 64 KiB, for the simulator
inline constexpr std::uint32_t kSegmentPagesMax = 256 * 1024;  // 1 GiB
inline constexpr std::uint64_t kFirstFrameOffset = kPageSize;

struct LogSegmentHeader {
    std::uint32_t segment = 0;
    std::uint64_t incarnation = 0;
    StoreUuid uuid{};
    std::uint32_t size_pages = 0;

    std::uint64_t size_bytes() const noexcept { return std::uint64_t{size_pages} * kPageSize; }
    friend bool operator==(const LogSegmentHeader&, const LogSegmentHeader&) = default;
};

// Fills `page`, kPageSize bytes.
void encode_log_segment_header(const LogSegmentHeader& header, const AddressSeed& seed,
                               MutableByteView page) noexcept;

// Errc::wrong_store for a header of another store, version_unsupported, else bad_format. The caller
// names the segment it expects: a header copied from another place fails.
Result<LogSegmentHeader> decode_log_segment_header(ByteView page, std::uint32_t segment,
                                                   const StoreUuid& uuid,
                                                   const AddressSeed& seed) noexcept;

// log/<16 hex digits>.olog
std::string log_segment_path(std::uint32_t segment);
// The id in a name of that form without the folder; 0 for any other name.
std::uint32_t parse_log_segment_name(std::string_view name) noexcept;

}  // namespace orbitalreg::cas
