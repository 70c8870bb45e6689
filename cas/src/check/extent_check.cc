#include "check/extent_check.h"

#include "base/assert.h"
#include "base/checksum.h"
#include "base/planted_bug.h"
#include "cas/errors.h"
#include "log/log_segment.h"

#include <algorithm>

namespace orbitalreg::cas {
namespace {

constexpr int kReads = 2;

// A read that the device refused is tried once more.
Result<std::size_t> read_stubbornly(File& file, std::uint64_t offset, MutableByteView to) noexcept {
    auto read = file.read(offset, to);
    if (!read) read = file.read(offset, to);
    return read;
}

}  // namespace

ExtentCheck::ExtentCheck(Io& io, const StoreIdentity& store, std::size_t piece_size)
    : io_{io},
      store_{store},
      piece_size_{piece_size},
      buffer_{piece_size + kChunkSize},
      descriptor_{std::make_unique<Page>()},
      table_{std::make_unique<Page>()} {
    ORB_ASSERT(piece_size > 0 && piece_size % kChunkSize == 0);
}

void ExtentCheck::begin(const BlobView& blob, bool digest) {
    blob_ = blob;
    stage_ = blob.extent.in_lane ? Stage::pages : Stage::inline_bytes;
    offset_ = 0;
    hasher_.reset();
    if (digest) hasher_.emplace(blob.digest.algorithm());
    second_hash_ = false;
    loaded_table_.reset();
    header_sound_ = true;
    bytes_read_ = 0;
    trouble_ = {};
}

ExtentVerdict ExtentCheck::step() {
    if (const auto opened = open_file(); opened != ExtentVerdict::more) return opened;
    switch (stage_) {
        case Stage::inline_bytes:
            return check_inline();
        case Stage::pages:
            return check_pages();
        case Stage::payload:
            return check_payload();
    }
    return ExtentVerdict::unreadable;
}

ExtentVerdict ExtentCheck::damaged(const char* code, std::uint64_t page, std::string detail) {
    trouble_ = {code, page, std::move(detail)};
    return ExtentVerdict::damaged;
}

ExtentVerdict ExtentCheck::unreadable(std::uint64_t page, const ErrorCode& error) {
    trouble_ = {"read_failed", page, "the device cannot read it: " + error.message()};
    return ORB_PLANTED(eio_marks_damaged) ? ExtentVerdict::damaged : ExtentVerdict::unreadable;
}

ExtentVerdict ExtentCheck::open_file() {
    const Extent& extent = blob_.extent;
    if (file_ != nullptr && file_in_lane_ == extent.in_lane && file_number_ == extent.file) {
        return ExtentVerdict::more;
    }
    file_.reset();
    const std::string path =
        extent.in_lane ? lane_path(extent.file) : log_segment_path(extent.file);
    auto opened = io_.open(path, {.direct = true, .random_access = true});
    if (!opened) return unreadable(0, opened.error());
    file_ = std::move(opened).value();
    file_in_lane_ = extent.in_lane;
    file_number_ = extent.file;
    return ExtentVerdict::more;
}

ExtentVerdict ExtentCheck::read_until(std::uint64_t page, MutableByteView to, const char* code,
                                      const Agrees& agrees) {
    trouble_ = {};
    for (int attempt = 0; attempt < kReads; ++attempt) {
        const auto read = read_stubbornly(*file_, page * kPageSize, to);
        if (!read) return unreadable(page, read.error());
        bytes_read_ += read.value();
        // What lies behind the end of the file is not there.
        std::fill(to.begin() + static_cast<std::ptrdiff_t>(read.value()), to.end(), std::byte{0});
        if (agrees()) return ExtentVerdict::more;
    }
    if (!trouble_.code.empty()) return ExtentVerdict::damaged;  // `agrees` knew more
    return damaged(code, page, "what is there fails its checksum");
}

// The digest is the only sum of its own that a small blob has.
ExtentVerdict ExtentCheck::check_inline() {
    const std::uint64_t begin = blob_.extent.log_offset_bytes();
    const std::uint64_t page = begin / kPageSize;
    const auto skip = static_cast<std::size_t>(begin % kPageSize);
    const auto size = static_cast<std::size_t>(blob_.extent.size_bytes);
    if (skip + size > buffer_.size()) return unreadable(page, make_error_code(Errc::bad_format));
    const MutableByteView pages = buffer_.first(round_up(skip + size, kPageSize));
    const auto verdict = read_until(page, pages, "digest_mismatch", [&] {
        return Digest::of(blob_.digest.algorithm(), ByteView{pages}.subspan(skip, size)) ==
               blob_.digest;
    });
    return verdict == ExtentVerdict::more ? ExtentVerdict::sound : verdict;
}

bool ExtentCheck::is_descriptor() const noexcept {
    const Extent& extent = blob_.extent;
    const std::uint64_t at = descriptor_page_number(extent.position, extent.size_bytes);
    const auto found = decode_descriptor(*descriptor_, extent.file, at, store_);
    return found && found.value().uid == extent.uid &&
           found.value().size_bytes == extent.size_bytes &&
           found.value().base_page == extent.position && found.value().digest == blob_.digest;
}

ExtentVerdict ExtentCheck::check_pages() {
    const Extent& extent = blob_.extent;
    const MutablePageView page{buffer_.data(), kPageSize};
    const auto header = read_until(extent.position, page, "record_header_invalid", [&] {
        const auto found = decode_record_header(page, extent.file, extent.position, store_);
        return found && found.value().uid == extent.uid;
    });
    if (header == ExtentVerdict::unreadable) return header;
    header_sound_ = header == ExtentVerdict::more;
    const std::uint64_t at = descriptor_page_number(extent.position, extent.size_bytes);
    const auto verdict = read_until(at, descriptor_->bytes, "descriptor_invalid",
                                    [this] { return is_descriptor(); });
    if (verdict != ExtentVerdict::more) return verdict;
    stage_ = Stage::payload;
    return extent.size_bytes == 0 ? check_digest() : ExtentVerdict::more;
}

// The table page that has the sum of `first_chunk`, and no other: a piece ends where a table page does.
ExtentVerdict ExtentCheck::load_sums(std::uint64_t first_chunk) {
    if (first_chunk < kDescriptorSumsMax) return ExtentVerdict::more;
    const std::uint64_t table = (first_chunk - kDescriptorSumsMax) / kTableSumsMax;
    if (loaded_table_ == table) return ExtentVerdict::more;
    const Extent& extent = blob_.extent;
    const std::uint64_t at = table_page_number(extent.position, extent.size_bytes, table);
    loaded_table_.reset();
    const auto verdict = read_until(at, table_->bytes, "table_page_invalid", [&] {
        const auto number = static_cast<std::uint32_t>(table);
        return decode_table_page(*table_, extent.uid, number, extent.size_bytes).has_value();
    });
    if (verdict == ExtentVerdict::more) loaded_table_ = table;
    return verdict;
}

bool ExtentCheck::chunks_agree(std::uint64_t first_chunk, ByteView bytes) {
    for (std::size_t at = 0; at < bytes.size(); at += kChunkSize) {
        const std::uint64_t number = first_chunk + at / kChunkSize;
        const ByteView chunk =
            bytes.subspan(at, std::min<std::size_t>(kChunkSize, bytes.size() - at));
        const std::uint64_t sum =
            number < kDescriptorSumsMax
                ? descriptor_sum(*descriptor_, static_cast<std::uint32_t>(number))
                : table_sum(*table_, static_cast<std::uint32_t>((number - kDescriptorSumsMax) %
                                                                kTableSumsMax));
        if (checksum64(chunk, chunk_seed(blob_.extent.uid, number)) == sum) continue;
        trouble_ = {"chunk_damaged", blob_.extent.position + 1 + number * (kChunkSize / kPageSize),
                    "chunk " + std::to_string(number) + " fails its checksum"};
        return false;
    }
    return true;
}

ExtentVerdict ExtentCheck::check_payload() {
    const Extent& extent = blob_.extent;
    const std::uint64_t chunk = offset_ / kChunkSize;
    if (const auto loaded = load_sums(chunk); loaded != ExtentVerdict::more) return loaded;
    const std::uint64_t sums_end =
        chunk < kDescriptorSumsMax
            ? kDescriptorSumsMax
            : kDescriptorSumsMax +
                  ((chunk - kDescriptorSumsMax) / kTableSumsMax + 1) * std::uint64_t{kTableSumsMax};
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(
        {piece_size_, extent.size_bytes - offset_, (sums_end - chunk) * kChunkSize}));
    const MutableByteView pages = buffer_.first(round_up(size, kPageSize));
    const std::uint64_t page = extent.position + 1 + offset_ / kPageSize;
    const auto verdict = read_until(page, pages, "chunk_damaged", [&] {
        return chunks_agree(chunk, ByteView{pages}.first(size));
    });
    if (verdict != ExtentVerdict::more) return verdict;
    if (hasher_) hasher_->update(ByteView{pages}.first(size));
    offset_ += size;
    return offset_ == extent.size_bytes ? check_digest() : ExtentVerdict::more;
}

ExtentVerdict ExtentCheck::check_digest() {
    if (!hasher_ || hasher_->digest() == blob_.digest) return ExtentVerdict::sound;
    if (second_hash_) {
        return damaged("digest_mismatch", blob_.extent.position,
                       "every checksum is right, but the bytes have another digest");
    }
    second_hash_ = true;
    hasher_.emplace(blob_.digest.algorithm());
    offset_ = 0;
    return blob_.extent.size_bytes == 0 ? check_digest() : ExtentVerdict::more;
}

}  // namespace orbitalreg::cas
