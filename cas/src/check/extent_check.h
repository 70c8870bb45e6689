#pragma once
// ExtentCheck reads the bytes of one blob past the page cache, piece by piece, and holds them against every sum there is:
// the record's header and descriptor, the pages of chunk sums, each chunk; and, when asked, the digest. Bytes that fail
// are read a second time before they count as damaged. Scrub and deep fsck are made of it.
//
// Life     begin() -> step() until it answers something other than `more`. Then it may begin with another blob.
// Threads  one; blocking. The caller keeps the extent in place: by a pin, or because nobody writes.
// Limits   piece_size bytes and two pages of memory; one open file.
// Errors   none of its own: what is wrong is the verdict, and trouble() tells it. What the device refuses to read, twice,
//          is `unreadable` and never `damaged`.

#include "base/hasher.h"
#include "cas/io.h"
#include "format/lane_record.h"
#include "format/page_buffer.h"
#include "index/blob_table.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace orbitalreg::cas {

enum class ExtentVerdict : std::uint8_t { more, sound, damaged, unreadable };

struct ExtentTrouble {
    std::string code;        // as in a finding of fsck: chunk_damaged, descriptor_invalid, ...
    std::uint64_t page = 0;  // of the file
    std::string detail;
};

class ExtentCheck {
public:
    // `piece_size` is a multiple of kChunkSize.
    ExtentCheck(Io& io, const StoreIdentity& store, std::size_t piece_size);

    void begin(const BlobView& blob, bool digest);
    // At most one piece, or the pages around the payload.
    ExtentVerdict step();

    // Of the steps since begin().
    std::uint64_t bytes_read() const noexcept { return bytes_read_; }
    // Whether the record's header is that of this extent. Reads do not need it: it is no damage to the blob.
    bool header_sound() const noexcept { return header_sound_; }
    // After `damaged` or `unreadable`.
    const ExtentTrouble& trouble() const noexcept { return trouble_; }

private:
    enum class Stage : std::uint8_t { inline_bytes, pages, payload };
    using Agrees = std::function<bool()>;

    ExtentVerdict open_file();
    ExtentVerdict check_inline();
    ExtentVerdict check_pages();
    ExtentVerdict check_payload();
    ExtentVerdict check_digest();
    ExtentVerdict load_sums(std::uint64_t first_chunk);
    // Up to two reads of whole pages until `agrees`; else `damaged` with that code.
    ExtentVerdict read_until(std::uint64_t page, MutableByteView to, const char* code,
                             const Agrees& agrees);
    bool chunks_agree(std::uint64_t first_chunk, ByteView bytes);
    bool is_descriptor() const noexcept;
    ExtentVerdict damaged(const char* code, std::uint64_t page, std::string detail);
    ExtentVerdict unreadable(std::uint64_t page, const ErrorCode& error);

    Io& io_;
    const StoreIdentity store_;
    const std::size_t piece_size_;
    const PageBuffer buffer_;
    std::unique_ptr<Page> descriptor_;
    std::unique_ptr<Page> table_;

    std::unique_ptr<File> file_;
    bool file_in_lane_ = false;
    std::uint32_t file_number_ = 0;

    BlobView blob_;
    Stage stage_ = Stage::pages;
    std::uint64_t offset_ = 0;  // of the payload: all before it is verified
    std::optional<Hasher> hasher_;
    bool second_hash_ = false;                   // the digest failed once
    std::optional<std::uint64_t> loaded_table_;  // number of the table page in table_
    bool header_sound_ = true;
    std::uint64_t bytes_read_ = 0;
    ExtentTrouble trouble_;
};

}  // namespace orbitalreg::cas
