#include "checkpoint/checkpoint_reader.h"

#include "base/errors.h"
#include "cas/errors.h"

#include <zstd.h>

#include <algorithm>
#include <cerrno>

namespace orbitalreg::cas {
namespace {

constexpr int kReadAttempts = 3;

std::size_t index_of(CheckpointCopy copy) noexcept { return static_cast<std::size_t>(copy); }

}  // namespace

CheckpointReader::Copies CheckpointReader::wanted() const noexcept {
    if (opened_ || !options_.lend_index) return options_.copies;
    return options_.copies == Copies::only_a ? Copies::both : Copies::both_from_b;
}

std::span<const CheckpointCopy> CheckpointReader::copies() const noexcept {
    static constexpr CheckpointCopy kOrder[] = {CheckpointCopy::a, CheckpointCopy::b,
                                                CheckpointCopy::a};
    const std::span<const CheckpointCopy> order{kOrder};
    switch (wanted()) {
        case Copies::only_a:
            return order.first(1);
        case Copies::only_b:
            return order.subspan(1, 1);
        case Copies::both_from_b:
            return order.subspan(1);
        case Copies::both:
            break;
    }
    return order.first(2);
}

void CheckpointReader::open_files() {
    for (const CheckpointCopy copy : copies()) {
        const std::string path = checkpoint_path(copy, name_.id);
        auto opened = io_.open(path, {.write = options_.repair, .direct = true});
        if (!opened && opened.error() == errno_code(ENOENT) && options_.repair) {
            auto made = io_.open(path, {.write = true, .create = true, .direct = true});
            if (made) files_[index_of(copy)] = std::move(made).value();
        } else if (opened) {
            files_[index_of(copy)] = std::move(opened).value();
        }
        if (!opened) open_errors_[index_of(copy)] = opened.error();
    }
}

Result<void> CheckpointReader::read_from(File* file, std::uint64_t offset, MutableByteView piece,
                                         const Check& check) {
    for (int attempt = 1;; ++attempt) {
        const auto count = file->read(offset, piece);
        if (count) {
            if (count.value() != piece.size()) return fail(Errc::bad_format);
            return check(piece);
        }
        if (attempt == kReadAttempts) return fail(Errc::io_error);
    }
}

// Good bytes end up in `piece`, or an error that no copy could do without.
Result<void> CheckpointReader::read_piece(std::uint64_t offset, MutableByteView piece,
                                          const Check& check) {
    const std::size_t first_flaw = flaws_.size();
    ErrorCode worst = Errc::checkpoint_corrupt;
    for (const CheckpointCopy copy : copies()) {
        File* const file = files_[index_of(copy)].get();
        const Result<void> read = file != nullptr ? read_from(file, offset, piece, check)
                                                  : fail(open_errors_[index_of(copy)]);
        if (read) {
            mend(first_flaw, piece);
            return ok();
        }
        flaws_.push_back({copy, offset, piece.size(), read.error(), false});
        const bool format =
            read.error() == make_error_code(Errc::bad_format) || read.error() == errno_code(ENOENT);
        if (!format) worst = read.error();
    }
    return fail(worst);
}

// `piece` is good; what failed before it is made so. A copy that cannot be written stays as it is.
void CheckpointReader::mend(std::size_t first_flaw, ByteView piece) {
    if (!options_.repair) return;
    for (std::size_t i = first_flaw; i < flaws_.size(); ++i) {
        Flaw& flaw = flaws_[i];
        File* const file = files_[index_of(flaw.copy)].get();
        flaw.repaired = file != nullptr && file->write(flaw.offset, piece).has_value();
        written_[index_of(flaw.copy)] = written_[index_of(flaw.copy)] || flaw.repaired;
    }
}

Result<CheckpointHeader> CheckpointReader::open() {
    if (name_.size_bytes < 2 * kPageSize || name_.size_bytes % kPageSize != 0) {
        return fail(Errc::checkpoint_corrupt);
    }
    open_files();
    const PageBuffer page{kPageSize};
    const std::uint64_t footer_offset = name_.size_bytes - kPageSize;
    ORB_TRY(read_piece(footer_offset, page.bytes(), [&](MutableByteView piece) -> Result<void> {
        ORB_TRY(footer_, decode_checkpoint_footer(piece, name_.id, footer_offset, identity_.uuid,
                                                  identity_.seed));
        const bool named = checksum128(piece) == name_.footer_checksum && footer_.lsn == name_.lsn;
        return named ? ok() : Result<void>{fail(Errc::bad_format)};
    }));
    if (footer_.blocks != 0) {
        const PageBuffer index{round_up(footer_.index_bytes, kPageSize)};
        ORB_TRY(read_piece(
            footer_.index_offset, index.bytes(), [&](MutableByteView piece) -> Result<void> {
                ORB_TRY(entries_, decode_checkpoint_index(piece, footer_, identity_.seed));
                return ok();
            }));
    }
    CheckpointHeader header;
    ORB_TRY(read_piece(0, page.bytes(), [&](MutableByteView piece) -> Result<void> {
        ORB_TRY(header, decode_checkpoint_header(piece, name_.id, identity_.uuid, identity_.seed));
        return header.lsn == name_.lsn ? ok() : Result<void>{fail(Errc::bad_format)};
    }));
    opened_ = true;
    return header;
}

Result<void> unpack_block(const CheckpointBlockHeader& header, ByteView block, PageBuffer& raw) {
    const std::size_t size = round_up(std::max<std::size_t>(header.raw_bytes, 1), kPageSize);
    if (raw.size() < size) raw = PageBuffer{size};
    const std::byte* const stored = block.data() + kCheckpointBlockHeaderSize;
    if (header.codec == CheckpointCodec::raw) {
        std::memcpy(raw.data(), stored, header.raw_bytes);
        return ok();
    }
    const std::size_t unpacked =
        ZSTD_decompress(raw.data(), header.raw_bytes, stored, header.stored_bytes);
    if (ZSTD_isError(unpacked) != 0 || unpacked != header.raw_bytes) return fail(Errc::bad_format);
    return ok();
}

Result<std::optional<CheckpointReader::Block>> CheckpointReader::next() {
    if (next_ == entries_.size()) {
        if (rows_ != footer_.rows) return fail(Errc::checkpoint_corrupt);
        return std::optional<Block>{};
    }
    const std::uint32_t number = next_++;
    const CheckpointIndexEntry& entry = entries_[number];
    const auto size = static_cast<std::size_t>(entry.size_bytes());
    if (block_.size() < size) block_ = PageBuffer{size};
    CheckpointBlockHeader header;
    ORB_TRY(
        read_piece(entry.offset, block_.first(size), [&](MutableByteView piece) -> Result<void> {
            ORB_TRY(header,
                    decode_checkpoint_block(piece, entry, number, name_.id, identity_.seed));
            return unpack_block(header, piece, raw_);
        }));
    rows_ += header.rows;
    return std::optional{Block{header, ByteView{raw_.first(header.raw_bytes)}}};
}

Result<void> CheckpointReader::close() {
    bool any = false;
    for (const CheckpointCopy copy : kCheckpointCopies) {
        const std::size_t i = index_of(copy);
        if (!written_[i]) continue;
        any = true;
        if (options_.durability == Durability::full) {
            ORB_TRY(files_[i]->datasync());
            ORB_TRY(io_.sync_directory(checkpoint_folder(copy)));
        }
    }
    if (any && options_.durability == Durability::full) {
        ORB_TRY(io_.sync_directory("ckpt"));
    }
    for (auto& file : files_) file.reset();
    return ok();
}

}  // namespace orbitalreg::cas
