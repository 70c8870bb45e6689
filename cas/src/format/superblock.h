#pragma once
// Superblock is the root of a store: who it is, where recovery starts, which incarnation wrote
// last. docs/on-disk-format.md, "Superblock", is normative.
//
// SUPER holds four copies of one page each. A copy stands alone: it is valid when its checksum, its
// magic and its copy number are right, and the valid copy with the highest sequence is the
// superblock. What a superblock names is durable before it is written, so one copy suffices.
//
//   offset  size  field               notes
//        0    16  checksum            XXH3-128 of bytes 32..4095
//       16     2  copy                0..3; outside the checksum, compared with the position
//       18    14  zero
//       32     8  magic               `ORBSUPER`
//       40     4  format_version      1
//       44     4  page_size           4096
//       48     8  sequence            one more than the superblock before
//       56    16  previous_checksum   checksum of the superblock before; 0 in the first
//       72    16  store_uuid
//       88     8  compat_features     unknown bits are ignored
//       96     8  ro_compat_features  unknown bits: opened for reading only
//      104    32  secret              seeds every address checksum; never printed
//      136     8  checkpoint_id       0: none, replay starts with segment 1
//      144     8  checkpoint_lsn      C
//      152     4  replay_segment      where frame C+1 is
//      156     4  replay_page
//      160     8  checkpoint_frame_checksum  XXH3-64 of the header of frame C
//      168     8  checkpoint_size_bytes
//      176    16  checkpoint_footer_checksum XXH3-128
//      192     8  clean_lsn           LSN of the `closed` frame, else 0
//      200     8  log_end_lsn         set in a backup's copy, else 0
//      208     8  incompat_features   unknown bits: not opened
//      216     4  segment_size_pages
//      220     4  lane_target_pages
//      224     8  incarnation         last begun
//      232        zero to 4095

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/result.h"
#include "cas/io.h"
#include "format/address.h"

#include <array>
#include <cstdint>
#include <optional>

namespace orbitalreg::cas {

inline constexpr std::uint32_t kFormatVersion = 1;
inline constexpr unsigned kSuperblockCopies = 4;
inline constexpr std::size_t kSuperblockFileSize = kSuperblockCopies * kPageSize;
// A store of this version sets none and knows none.
inline constexpr std::uint64_t kKnownRoCompatFeatures = 0;
inline constexpr std::uint64_t kKnownIncompatFeatures = 0;

struct Superblock {
    std::uint32_t format_version = kFormatVersion;
    std::uint32_t page_size = kPageSize;
    std::uint64_t sequence = 0;
    Checksum128 previous_checksum;
    StoreUuid uuid{};
    std::uint64_t compat_features = 0;
    std::uint64_t ro_compat_features = 0;
    AddressSeed::Secret secret{};
    std::uint64_t checkpoint_id = 0;
    std::uint64_t checkpoint_lsn = 0;
    std::uint32_t replay_segment = 1;
    std::uint32_t replay_page = 1;
    std::uint64_t checkpoint_frame_checksum = 0;
    std::uint64_t checkpoint_size_bytes = 0;
    Checksum128 checkpoint_footer_checksum;
    std::uint64_t clean_lsn = 0;
    std::uint64_t log_end_lsn = 0;
    std::uint64_t incompat_features = 0;
    std::uint32_t segment_size_pages = 0;
    std::uint32_t lane_target_pages = 0;
    std::uint64_t incarnation = 0;

    std::uint64_t segment_size_bytes() const noexcept {
        return std::uint64_t{segment_size_pages} * kPageSize;
    }
    std::uint64_t lane_target_bytes() const noexcept {
        return std::uint64_t{lane_target_pages} * kPageSize;
    }
    friend bool operator==(const Superblock&, const Superblock&) = default;
};

// Fills `page`, kPageSize bytes, and returns the checksum that stands in it.
Checksum128 encode_superblock(const Superblock& superblock, unsigned copy,
                              MutableByteView page) noexcept;

// Errc::bad_format when the copy is not valid. Says nothing about versions and features.
Result<Superblock> decode_superblock(ByteView page, unsigned copy) noexcept;

// Whether this version may open a store with that superblock: Errc::version_unsupported, or
// Errc::bad_format for values that no version writes.
Result<void> check_superblock_supported(const Superblock& superblock, bool for_writing) noexcept;

struct SuperblockChoice {
    Superblock superblock;
    Checksum128 checksum;                                             // of the chosen copy
    std::array<std::optional<Superblock>, kSuperblockCopies> copies;  // the valid ones
};

// From the whole of SUPER; missing bytes count as invalid. Errc::superblock_corrupt without a valid
// copy, Errc::wrong_store when valid copies belong to different stores.
Result<SuperblockChoice> choose_superblock(ByteView file) noexcept;

}  // namespace orbitalreg::cas
