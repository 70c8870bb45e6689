#include "checkpoint/checkpoint_writer.h"

#include "base/assert.h"
#include "cas/errors.h"

#include <zstd.h>

#include <algorithm>
#include <cstring>

namespace orbitalreg::cas {
namespace {

// Half the rows are digests, which nothing shortens: more than level 1 gains little.
constexpr int kZstdLevel = 1;

}  // namespace

Result<void> CheckpointWriter::make_folders() {
    ORB_TRY(io_.make_directory("ckpt"));
    for (const CheckpointCopy copy : kCheckpointCopies) {
        ORB_TRY(io_.make_directory(checkpoint_folder(copy)));
    }
    if (durability_ == Durability::none) return ok();
    ORB_TRY(io_.sync_directory("ckpt"));
    return io_.sync_directory("");
}

Result<void> CheckpointWriter::begin(const CheckpointHeader& header) {
    header_ = header;
    ORB_TRY(make_folders());
    for (const CheckpointCopy copy : kCheckpointCopies) {
        auto& file = files_[static_cast<std::size_t>(copy)];
        if (file != nullptr) continue;  // of the call before, which met a full disk
        ORB_TRY(file, io_.open(checkpoint_path(copy, header.id),
                               {.write = true, .create = true, .exclusive = true, .direct = true}));
    }
    const PageBuffer page{kPageSize};
    encode_checkpoint_header(header_, identity_.seed, page.bytes());
    return append(page.bytes());
}

Result<void> CheckpointWriter::append(MutableByteView bytes) {
    for (const auto& file : files_) {
        ORB_TRY(file->write(offset_, bytes));
    }
    offset_ += bytes.size();
    return ok();
}

// Into block_, behind the block's header; the padding is zero afterwards. Returns the stored size.
std::uint32_t CheckpointWriter::compress(ByteView raw, CheckpointCodec& codec) {
    const std::size_t room = kCheckpointBlockHeaderSize + ZSTD_compressBound(raw.size());
    if (block_.size() < room) block_ = PageBuffer{round_up(room, kPageSize)};
    std::byte* const to = block_.data() + kCheckpointBlockHeaderSize;
    std::size_t stored = ZSTD_compress(to, block_.size() - kCheckpointBlockHeaderSize, raw.data(),
                                       raw.size(), kZstdLevel);
    codec = CheckpointCodec::zstd;
    if (ZSTD_isError(stored) != 0 || stored >= raw.size()) {
        codec = CheckpointCodec::raw;
        std::memcpy(to, raw.data(), raw.size());
        stored = raw.size();
    }
    const std::size_t end = round_up(kCheckpointBlockHeaderSize + stored, kPageSize);
    std::fill(to + stored, block_.data() + end, std::byte{0});
    return static_cast<std::uint32_t>(stored);
}

Result<void> CheckpointWriter::add(std::uint16_t table, const RowBatch& rows) {
    ORB_ASSERT(rows.rows() != 0);
    if (rows.bytes().size() > kCheckpointBlockBytesMax) return fail(Errc::change_too_large);
    if (table != table_) table_rows_ = 0;
    table_ = table;
    CheckpointBlockHeader header;
    header.table = table;
    header.raw_bytes = static_cast<std::uint32_t>(rows.bytes().size());
    header.stored_bytes = compress(rows.bytes(), header.codec);
    header.block = static_cast<std::uint32_t>(entries_.size());
    header.rows = rows.rows();
    header.first_row = table_rows_;
    const MutableByteView block = block_.first(header.size_bytes());
    const Checksum128 checksum =
        seal_checkpoint_block(header, header_.id, offset_, identity_.seed, block);
    const std::uint64_t offset = offset_;
    ORB_TRY(append(block));
    entries_.push_back({offset, header.stored_bytes, header.raw_bytes, checksum});
    table_rows_ += rows.rows();
    rows_ += rows.rows();
    return ok();
}

Result<CheckpointName> CheckpointWriter::finish() {
    CheckpointFooter footer;
    footer.id = header_.id;
    footer.lsn = header_.lsn;
    footer.rows = rows_;
    footer.index_offset = offset_;
    footer.uuid = header_.uuid;
    const std::uint64_t index_bytes = entries_.size() * kCheckpointIndexEntrySize;
    const std::uint64_t index_pages = round_up(index_bytes, kPageSize);
    const PageBuffer pages{index_pages + kPageSize};
    encode_checkpoint_index(entries_, identity_.seed, pages.first(index_pages), footer);
    CheckpointName name{header_.id, header_.lsn, offset_ + pages.size(), {}};
    name.footer_checksum = encode_checkpoint_footer(footer, offset_ + index_pages, identity_.seed,
                                                    pages.subspan(index_pages, kPageSize));
    ORB_TRY(append(pages.bytes()));
    return name;
}

Result<void> CheckpointWriter::sync() {
    if (durability_ == Durability::none) return ok();
    for (const auto& file : files_) {
        ORB_TRY(file->datasync());
    }
    for (const CheckpointCopy copy : kCheckpointCopies) {
        ORB_TRY(io_.sync_directory(checkpoint_folder(copy)));
    }
    return ok();
}

void CheckpointWriter::abandon() noexcept {
    for (const CheckpointCopy copy : kCheckpointCopies) {
        auto& file = files_[static_cast<std::size_t>(copy)];
        if (file == nullptr) continue;
        file.reset();
        // Left behind it costs space, and goes when the store opens.
        static_cast<void>(io_.remove(checkpoint_path(copy, header_.id)));
    }
}

}  // namespace orbitalreg::cas
