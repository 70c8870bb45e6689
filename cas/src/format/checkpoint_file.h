#pragma once
// A checkpoint file holds all rows as they were at one LSN, C: a header page, blocks of rows, the index of the blocks,
// the footer page. It is written twice, in ckpt/a and ckpt/b, byte for byte the same. The superblock names it by id,
// size and the checksum of its footer; the footer vouches for the index, the index for each block: a block that was
// lost, or is an older one's, is found even where its own checksum agrees.
// docs/on-disk-format.md, "Checkpoint", is normative.
//
// Header page
//   offset  size  field             notes
//        0     8  magic             `ORBCKPT1`
//        8     8  checksum          XXH3-64 of bytes 16..4095, seed addr(checkpoint, id, 0)
//       16     2  version           1
//       18     2  kind              1 base; 2, a delta, is reserved
//       20     4  replay segment    where frame C+1 is
//       24     4  replay page
//       28     4  zero
//       32    16  store uuid
//       48     8  id                from 1, never used twice
//       56     8  C
//       64     8  incarnation       of frame C
//       72     8  store time        of frame C, ms
//       80     8  wall time         of frame C, ns
//       88     8  checksum of the header of frame C
//       96        zero to 4095
//
// Block, from a page boundary
//        0     4  magic             `ORBB`
//        4     2  table
//        6     2  codec             1 raw, 2 zstd
//        8     4  stored bytes
//       12     4  raw bytes
//       16     4  block number      from 0
//       20     4  rows
//       24     8  first row         its number in the table
//       32    16  checksum          XXH3-128 of header, bytes and padding with this field zero, seed addr(checkpoint, id,
//                                   offset)
//       48        stored bytes, zeros to the next page
//
// Index entry
//        0     8  offset of the block
//        8     4  stored bytes
//       12     4  raw bytes
//       16    16  checksum of the block
//
// Footer page, the last of the file
//        0     8  magic             `ORBCKEND`
//        8     8  checksum          XXH3-64 of bytes 16..4095, seed addr(checkpoint, id, offset)
//       16    16  store uuid
//       32     8  id
//       40     8  C
//       48     4  blocks
//       52     4  zero
//       56     8  rows
//       64     8  offset of the index
//       72     8  index bytes       without padding
//       80    16  checksum of the index   XXH3-128 with padding, seed addr(checkpoint, id, its offset)
//       96        zero to 4095

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/result.h"
#include "cas/io.h"
#include "format/address.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orbitalreg::cas {

inline constexpr std::size_t kCheckpointBlockHeaderSize = 48;
inline constexpr std::size_t kCheckpointIndexEntrySize = 32;
// A block takes whole rows until it is full, and the last one, of at most kRowSizeMax, may stick out.
inline constexpr std::uint64_t kCheckpointBlockBytesMax = 4_MiB;

struct CheckpointHeader {
    std::uint64_t id = 0;
    std::uint64_t lsn = 0;  // C
    std::uint64_t incarnation = 0;
    std::uint64_t store_time_ms = 0;
    std::int64_t wall_ns = 0;
    std::uint64_t frame_checksum = 0;
    std::uint32_t replay_segment = 0;
    std::uint32_t replay_page = 0;
    StoreUuid uuid{};
    friend bool operator==(const CheckpointHeader&, const CheckpointHeader&) = default;
};

enum class CheckpointCodec : std::uint16_t { raw = 1, zstd = 2 };

struct CheckpointBlockHeader {
    std::uint16_t table = 0;
    CheckpointCodec codec = CheckpointCodec::raw;
    std::uint32_t stored_bytes = 0;
    std::uint32_t raw_bytes = 0;
    std::uint32_t block = 0;
    std::uint32_t rows = 0;
    std::uint64_t first_row = 0;

    // In the file: header, bytes and padding.
    std::uint64_t size_bytes() const noexcept {
        return round_up(kCheckpointBlockHeaderSize + stored_bytes, kPageSize);
    }
    friend bool operator==(const CheckpointBlockHeader&, const CheckpointBlockHeader&) = default;
};

struct CheckpointIndexEntry {
    std::uint64_t offset = 0;
    std::uint32_t stored_bytes = 0;
    std::uint32_t raw_bytes = 0;
    Checksum128 checksum;

    std::uint64_t size_bytes() const noexcept {
        return round_up(kCheckpointBlockHeaderSize + stored_bytes, kPageSize);
    }
    friend bool operator==(const CheckpointIndexEntry&, const CheckpointIndexEntry&) = default;
};

struct CheckpointFooter {
    std::uint64_t id = 0;
    std::uint64_t lsn = 0;
    std::uint32_t blocks = 0;
    std::uint64_t rows = 0;
    std::uint64_t index_offset = 0;
    std::uint64_t index_bytes = 0;
    Checksum128 index_checksum;
    StoreUuid uuid{};
    friend bool operator==(const CheckpointFooter&, const CheckpointFooter&) = default;
};

// Each fills `page`, kPageSize bytes. `offset` is the page's own.
void encode_checkpoint_header(const CheckpointHeader& header, const AddressSeed& seed,
                              MutableByteView page) noexcept;
// Returns what the superblock keeps of the footer.
Checksum128 encode_checkpoint_footer(const CheckpointFooter& footer, std::uint64_t offset,
                                     const AddressSeed& seed, MutableByteView page) noexcept;

// Errc::wrong_store, version_unsupported, else bad_format.
Result<CheckpointHeader> decode_checkpoint_header(ByteView page, std::uint64_t id,
                                                  const StoreUuid& uuid,
                                                  const AddressSeed& seed) noexcept;
Result<CheckpointFooter> decode_checkpoint_footer(ByteView page, std::uint64_t id,
                                                  std::uint64_t offset, const StoreUuid& uuid,
                                                  const AddressSeed& seed) noexcept;

// `block` is header.size_bytes() long, stored bytes and padding in place. Returns the checksum that the index keeps.
Checksum128 seal_checkpoint_block(const CheckpointBlockHeader& header, std::uint64_t id,
                                  std::uint64_t offset, const AddressSeed& seed,
                                  MutableByteView block) noexcept;
// What an index would say of a block that begins with `page`, not verified. Nothing when none begins there.
std::optional<CheckpointIndexEntry> peek_checkpoint_block(ByteView page, std::uint64_t offset,
                                                          std::uint32_t& number) noexcept;
// The block that `entry` names. Clears the block's checksum field while it is summed. Errc::bad_format.
Result<CheckpointBlockHeader> decode_checkpoint_block(MutableByteView block,
                                                      const CheckpointIndexEntry& entry,
                                                      std::uint32_t number, std::uint64_t id,
                                                      const AddressSeed& seed) noexcept;

// `pages` has room for all entries and is zero behind them; it will stand at footer.index_offset. Sets what the footer
// says of the index.
void encode_checkpoint_index(const std::vector<CheckpointIndexEntry>& entries,
                             const AddressSeed& seed, MutableByteView pages,
                             CheckpointFooter& footer) noexcept;
// Entries that follow each other without gaps from the second page to `footer.index_offset`. Errc::bad_format.
Result<std::vector<CheckpointIndexEntry>> decode_checkpoint_index(ByteView pages,
                                                                  const CheckpointFooter& footer,
                                                                  const AddressSeed& seed);

enum class CheckpointCopy : std::uint8_t { a = 0, b = 1 };
inline constexpr CheckpointCopy kCheckpointCopies[] = {CheckpointCopy::a, CheckpointCopy::b};

std::string_view checkpoint_folder(CheckpointCopy copy) noexcept;  // ckpt/a, ckpt/b
// ckpt/a/<16 hex digits>.ockp
std::string checkpoint_path(CheckpointCopy copy, std::uint64_t id);
// The id in a name of that form without the folder; 0 for any other name.
std::uint64_t parse_checkpoint_name(std::string_view name) noexcept;

}  // namespace orbitalreg::cas
