#include "format/checkpoint_file.h"

#include "base/assert.h"
#include "cas/errors.h"
#include "format/magic.h"

#include <algorithm>
#include <charconv>

namespace orbitalreg::cas {
namespace {

constexpr std::uint64_t kHeaderMagic = magic("ORBCKPT1");
constexpr std::uint64_t kFooterMagic = magic("ORBCKEND");
constexpr std::uint32_t kBlockMagic = 0x4242524f;  // `ORBB`
constexpr std::uint16_t kVersion = 1;
constexpr std::uint16_t kBase = 1;
constexpr std::size_t kChecksum = 8;
constexpr std::size_t kCovered = 16;

namespace header_at {
constexpr std::size_t version = 16;
constexpr std::size_t kind = 18;
constexpr std::size_t replay_segment = 20;
constexpr std::size_t replay_page = 24;
constexpr std::size_t zero = 28;
constexpr std::size_t uuid = 32;
constexpr std::size_t id = 48;
constexpr std::size_t lsn = 56;
constexpr std::size_t incarnation = 64;
constexpr std::size_t store_time = 72;
constexpr std::size_t wall = 80;
constexpr std::size_t frame_checksum = 88;
constexpr std::size_t end = 96;
static_assert(uuid + sizeof(StoreUuid) == id && frame_checksum + 8 == end);
}  // namespace header_at

namespace block_at {
constexpr std::size_t table = 4;
constexpr std::size_t codec = 6;
constexpr std::size_t stored = 8;
constexpr std::size_t raw = 12;
constexpr std::size_t number = 16;
constexpr std::size_t rows = 20;
constexpr std::size_t first_row = 24;
constexpr std::size_t checksum = 32;
static_assert(checksum + sizeof(Checksum128) == kCheckpointBlockHeaderSize);
}  // namespace block_at

namespace entry_at {
constexpr std::size_t stored = 8;
constexpr std::size_t raw = 12;
constexpr std::size_t checksum = 16;
static_assert(checksum + sizeof(Checksum128) == kCheckpointIndexEntrySize);
}  // namespace entry_at

namespace footer_at {
constexpr std::size_t uuid = 16;
constexpr std::size_t id = 32;
constexpr std::size_t lsn = 40;
constexpr std::size_t blocks = 48;
constexpr std::size_t zero = 52;
constexpr std::size_t rows = 56;
constexpr std::size_t index_offset = 64;
constexpr std::size_t index_bytes = 72;
constexpr std::size_t index_checksum = 80;
constexpr std::size_t end = 96;
static_assert(uuid + sizeof(StoreUuid) == id && index_checksum + sizeof(Checksum128) == end);
}  // namespace footer_at

constexpr std::string_view kSuffix = ".ockp";
constexpr std::size_t kDigits = 16;

void store_checksum(std::byte* to, const Checksum128& checksum) noexcept {
    store_le(to, checksum.low);
    store_le(to + 8, checksum.high);
}

Checksum128 load_checksum(const std::byte* from) noexcept {
    return {load_le<std::uint64_t>(from), load_le<std::uint64_t>(from + 8)};
}

std::uint64_t page_checksum(ByteView page, std::uint64_t id, std::uint64_t offset,
                            const AddressSeed& seed) noexcept {
    return checksum64(page.subspan(kCovered), seed.at(AddressKind::checkpoint, id, offset));
}

// With its checksum field zero.
Checksum128 block_checksum(ByteView block, std::uint64_t id, std::uint64_t offset,
                           const AddressSeed& seed) noexcept {
    return checksum128(block, seed.at(AddressKind::checkpoint, id, offset));
}

Checksum128 index_checksum(ByteView pages, std::uint64_t id, std::uint64_t offset,
                           const AddressSeed& seed) noexcept {
    return checksum128(pages, seed.at(AddressKind::checkpoint, id, offset));
}

}  // namespace

void encode_checkpoint_header(const CheckpointHeader& header, const AddressSeed& seed,
                              MutableByteView page) noexcept {
    ORB_ASSERT(page.size() == kPageSize);
    ORB_ASSERT(header.id != 0 && header.lsn != 0);
    std::byte* const p = page.data();
    std::fill(page.begin(), page.end(), std::byte{0});
    store_le(p, kHeaderMagic);
    store_le(p + header_at::version, kVersion);
    store_le(p + header_at::kind, kBase);
    store_le(p + header_at::replay_segment, header.replay_segment);
    store_le(p + header_at::replay_page, header.replay_page);
    std::copy(header.uuid.begin(), header.uuid.end(), p + header_at::uuid);
    store_le(p + header_at::id, header.id);
    store_le(p + header_at::lsn, header.lsn);
    store_le(p + header_at::incarnation, header.incarnation);
    store_le(p + header_at::store_time, header.store_time_ms);
    store_le(p + header_at::wall, static_cast<std::uint64_t>(header.wall_ns));
    store_le(p + header_at::frame_checksum, header.frame_checksum);
    store_le(p + kChecksum, page_checksum(page, header.id, 0, seed));
}

Result<CheckpointHeader> decode_checkpoint_header(ByteView page, std::uint64_t id,
                                                  const StoreUuid& uuid,
                                                  const AddressSeed& seed) noexcept {
    if (page.size() != kPageSize) return fail(Errc::bad_format);
    const std::byte* const p = page.data();
    if (load_le<std::uint64_t>(p) != kHeaderMagic) return fail(Errc::bad_format);
    CheckpointHeader header;
    std::copy_n(p + header_at::uuid, header.uuid.size(), header.uuid.begin());
    // Before the checksum: another store's secret makes that fail, and this answer says more.
    if (header.uuid != uuid) return fail(Errc::wrong_store);
    if (load_le<std::uint64_t>(p + kChecksum) != page_checksum(page, id, 0, seed)) {
        return fail(Errc::bad_format);
    }
    if (load_le<std::uint16_t>(p + header_at::version) != kVersion ||
        load_le<std::uint16_t>(p + header_at::kind) != kBase) {
        return fail(Errc::version_unsupported);
    }
    header.replay_segment = load_le<std::uint32_t>(p + header_at::replay_segment);
    header.replay_page = load_le<std::uint32_t>(p + header_at::replay_page);
    header.id = load_le<std::uint64_t>(p + header_at::id);
    header.lsn = load_le<std::uint64_t>(p + header_at::lsn);
    header.incarnation = load_le<std::uint64_t>(p + header_at::incarnation);
    header.store_time_ms = load_le<std::uint64_t>(p + header_at::store_time);
    header.wall_ns = static_cast<std::int64_t>(load_le<std::uint64_t>(p + header_at::wall));
    header.frame_checksum = load_le<std::uint64_t>(p + header_at::frame_checksum);
    const bool sane = header.id == id && header.lsn != 0 && header.replay_segment != 0 &&
                      header.replay_page != 0 && load_le<std::uint32_t>(p + header_at::zero) == 0 &&
                      all_zero(page.subspan(header_at::end));
    if (!sane) return fail(Errc::bad_format);
    return header;
}

Checksum128 encode_checkpoint_footer(const CheckpointFooter& footer, std::uint64_t offset,
                                     const AddressSeed& seed, MutableByteView page) noexcept {
    ORB_ASSERT(page.size() == kPageSize);
    std::byte* const p = page.data();
    std::fill(page.begin(), page.end(), std::byte{0});
    store_le(p, kFooterMagic);
    std::copy(footer.uuid.begin(), footer.uuid.end(), p + footer_at::uuid);
    store_le(p + footer_at::id, footer.id);
    store_le(p + footer_at::lsn, footer.lsn);
    store_le(p + footer_at::blocks, footer.blocks);
    store_le(p + footer_at::rows, footer.rows);
    store_le(p + footer_at::index_offset, footer.index_offset);
    store_le(p + footer_at::index_bytes, footer.index_bytes);
    store_checksum(p + footer_at::index_checksum, footer.index_checksum);
    store_le(p + kChecksum, page_checksum(page, footer.id, offset, seed));
    return checksum128(page);
}

Result<CheckpointFooter> decode_checkpoint_footer(ByteView page, std::uint64_t id,
                                                  std::uint64_t offset, const StoreUuid& uuid,
                                                  const AddressSeed& seed) noexcept {
    if (page.size() != kPageSize) return fail(Errc::bad_format);
    const std::byte* const p = page.data();
    if (load_le<std::uint64_t>(p) != kFooterMagic) return fail(Errc::bad_format);
    CheckpointFooter footer;
    std::copy_n(p + footer_at::uuid, footer.uuid.size(), footer.uuid.begin());
    if (footer.uuid != uuid) return fail(Errc::wrong_store);
    if (load_le<std::uint64_t>(p + kChecksum) != page_checksum(page, id, offset, seed)) {
        return fail(Errc::bad_format);
    }
    footer.id = load_le<std::uint64_t>(p + footer_at::id);
    footer.lsn = load_le<std::uint64_t>(p + footer_at::lsn);
    footer.blocks = load_le<std::uint32_t>(p + footer_at::blocks);
    footer.rows = load_le<std::uint64_t>(p + footer_at::rows);
    footer.index_offset = load_le<std::uint64_t>(p + footer_at::index_offset);
    footer.index_bytes = load_le<std::uint64_t>(p + footer_at::index_bytes);
    footer.index_checksum = load_checksum(p + footer_at::index_checksum);
    const bool sane =
        footer.id == id && footer.lsn != 0 && load_le<std::uint32_t>(p + footer_at::zero) == 0 &&
        footer.index_offset >= kPageSize && footer.index_offset % kPageSize == 0 &&
        footer.index_bytes == std::uint64_t{footer.blocks} * kCheckpointIndexEntrySize &&
        footer.index_offset <= offset &&
        footer.index_offset + round_up(footer.index_bytes, kPageSize) == offset &&
        all_zero(page.subspan(footer_at::end));
    if (!sane) return fail(Errc::bad_format);
    return footer;
}

Checksum128 seal_checkpoint_block(const CheckpointBlockHeader& header, std::uint64_t id,
                                  std::uint64_t offset, const AddressSeed& seed,
                                  MutableByteView block) noexcept {
    ORB_ASSERT(block.size() == header.size_bytes());
    ORB_ASSERT(header.table != 0 && header.rows != 0);
    std::byte* const p = block.data();
    std::fill_n(p, kCheckpointBlockHeaderSize, std::byte{0});
    store_le(p, kBlockMagic);
    store_le(p + block_at::table, header.table);
    store_le(p + block_at::codec, static_cast<std::uint16_t>(header.codec));
    store_le(p + block_at::stored, header.stored_bytes);
    store_le(p + block_at::raw, header.raw_bytes);
    store_le(p + block_at::number, header.block);
    store_le(p + block_at::rows, header.rows);
    store_le(p + block_at::first_row, header.first_row);
    const Checksum128 checksum = block_checksum(block, id, offset, seed);
    store_checksum(p + block_at::checksum, checksum);
    return checksum;
}

std::optional<CheckpointIndexEntry> peek_checkpoint_block(ByteView page, std::uint64_t offset,
                                                          std::uint32_t& number) noexcept {
    const std::byte* const p = page.data();
    if (load_le<std::uint32_t>(p) != kBlockMagic) return std::nullopt;
    number = load_le<std::uint32_t>(p + block_at::number);
    return CheckpointIndexEntry{offset, load_le<std::uint32_t>(p + block_at::stored),
                                load_le<std::uint32_t>(p + block_at::raw),
                                load_checksum(p + block_at::checksum)};
}

Result<CheckpointBlockHeader> decode_checkpoint_block(MutableByteView block,
                                                      const CheckpointIndexEntry& entry,
                                                      std::uint32_t number, std::uint64_t id,
                                                      const AddressSeed& seed) noexcept {
    if (block.size() != entry.size_bytes()) return fail(Errc::bad_format);
    std::byte* const p = block.data();
    const Checksum128 stored = load_checksum(p + block_at::checksum);
    store_checksum(p + block_at::checksum, {});
    const Checksum128 computed = block_checksum(block, id, entry.offset, seed);
    store_checksum(p + block_at::checksum, stored);
    if (!(computed == entry.checksum) || !(stored == entry.checksum)) return fail(Errc::bad_format);
    if (load_le<std::uint32_t>(p) != kBlockMagic) return fail(Errc::bad_format);
    CheckpointBlockHeader header;
    header.table = load_le<std::uint16_t>(p + block_at::table);
    const auto codec = load_le<std::uint16_t>(p + block_at::codec);
    header.stored_bytes = load_le<std::uint32_t>(p + block_at::stored);
    header.raw_bytes = load_le<std::uint32_t>(p + block_at::raw);
    header.block = load_le<std::uint32_t>(p + block_at::number);
    header.rows = load_le<std::uint32_t>(p + block_at::rows);
    header.first_row = load_le<std::uint64_t>(p + block_at::first_row);
    if (codec != static_cast<std::uint16_t>(CheckpointCodec::raw) &&
        codec != static_cast<std::uint16_t>(CheckpointCodec::zstd)) {
        return fail(Errc::version_unsupported);
    }
    header.codec = static_cast<CheckpointCodec>(codec);
    const bool sane =
        header.table != 0 && header.rows != 0 && header.block == number &&
        header.stored_bytes == entry.stored_bytes && header.raw_bytes == entry.raw_bytes &&
        (header.codec == CheckpointCodec::zstd || header.stored_bytes == header.raw_bytes) &&
        all_zero(block.subspan(kCheckpointBlockHeaderSize + header.stored_bytes));
    if (!sane) return fail(Errc::bad_format);
    return header;
}

void encode_checkpoint_index(const std::vector<CheckpointIndexEntry>& entries,
                             const AddressSeed& seed, MutableByteView pages,
                             CheckpointFooter& footer) noexcept {
    footer.blocks = static_cast<std::uint32_t>(entries.size());
    footer.index_bytes = entries.size() * kCheckpointIndexEntrySize;
    ORB_ASSERT(pages.size() == round_up(footer.index_bytes, kPageSize));
    std::byte* p = pages.data();
    for (const CheckpointIndexEntry& entry : entries) {
        store_le(p, entry.offset);
        store_le(p + entry_at::stored, entry.stored_bytes);
        store_le(p + entry_at::raw, entry.raw_bytes);
        store_checksum(p + entry_at::checksum, entry.checksum);
        p += kCheckpointIndexEntrySize;
    }
    footer.index_checksum = index_checksum(pages, footer.id, footer.index_offset, seed);
}

Result<std::vector<CheckpointIndexEntry>> decode_checkpoint_index(ByteView pages,
                                                                  const CheckpointFooter& footer,
                                                                  const AddressSeed& seed) {
    if (pages.size() != round_up(footer.index_bytes, kPageSize)) return fail(Errc::bad_format);
    if (!(index_checksum(pages, footer.id, footer.index_offset, seed) == footer.index_checksum)) {
        return fail(Errc::bad_format);
    }
    std::vector<CheckpointIndexEntry> entries(footer.blocks);
    const std::byte* p = pages.data();
    std::uint64_t offset = kPageSize;
    for (CheckpointIndexEntry& entry : entries) {
        entry.offset = load_le<std::uint64_t>(p);
        entry.stored_bytes = load_le<std::uint32_t>(p + entry_at::stored);
        entry.raw_bytes = load_le<std::uint32_t>(p + entry_at::raw);
        entry.checksum = load_checksum(p + entry_at::checksum);
        const bool sane = entry.offset == offset && entry.raw_bytes <= kCheckpointBlockBytesMax &&
                          entry.stored_bytes <= kCheckpointBlockBytesMax;
        if (!sane) return fail(Errc::bad_format);
        offset += entry.size_bytes();
        p += kCheckpointIndexEntrySize;
    }
    if (offset != footer.index_offset) return fail(Errc::bad_format);
    return entries;
}

std::string_view checkpoint_folder(CheckpointCopy copy) noexcept {
    return copy == CheckpointCopy::a ? "ckpt/a" : "ckpt/b";
}

std::string checkpoint_path(CheckpointCopy copy, std::uint64_t id) {
    static constexpr char kHex[] = "0123456789abcdef";
    std::string path{checkpoint_folder(copy)};
    path += '/';
    for (int shift = 60; shift >= 0; shift -= 4) path += kHex[id >> shift & 0xf];
    path += kSuffix;
    return path;
}

std::uint64_t parse_checkpoint_name(std::string_view name) noexcept {
    if (name.size() != kDigits + kSuffix.size() || !name.ends_with(kSuffix)) return 0;
    const std::string_view digits = name.substr(0, kDigits);
    const bool lower_hex = std::all_of(digits.begin(), digits.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    });
    if (!lower_hex) return 0;
    std::uint64_t value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    return value;
}

}  // namespace orbitalreg::cas
