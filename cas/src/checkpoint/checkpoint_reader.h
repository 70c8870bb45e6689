#pragma once
// CheckpointReader reads a checkpoint that the superblock names: copy a, and piece by piece from copy b what of a cannot
// be read or fails its checksum. It can write such a piece back to the copy that lacked it.
//
// Life     open() -> next()* until nothing is left -> close().
// Threads  one; blocking.
// Memory   the index and one block, stored and raw.
// Errors   Errc::checkpoint_corrupt: a piece is bad in every copy; io_error: it cannot be read in one and is bad in the
//          others; wrong_store, version_unsupported.

#include "base/result.h"
#include "cas/io.h"
#include "checkpoint/checkpoint_writer.h"
#include "format/checkpoint_file.h"
#include "format/page_buffer.h"
#include "log/log_segment.h"

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace orbitalreg::cas {

// The rows of a block that decode_checkpoint_block() found sound. Errc::bad_format.
Result<void> unpack_block(const CheckpointBlockHeader& header, ByteView block, PageBuffer& raw);

class CheckpointReader {
public:
    enum class Copies : std::uint8_t { both, both_from_b, only_a, only_b };
    struct Options {
        Copies copies = Copies::both;
        // Of a copy read alone: what says where its rows are may come from the other one. flaws() has what it lacks.
        bool lend_index = false;
        bool repair = false;  // write good pieces over bad ones
        Durability durability = Durability::full;
    };
    // A piece of one copy that another copy had to supply.
    struct Flaw {
        CheckpointCopy copy = CheckpointCopy::a;
        std::uint64_t offset = 0;
        std::uint64_t size_bytes = 0;
        ErrorCode error;
        bool repaired = false;
    };
    struct Block {
        CheckpointBlockHeader header;
        ByteView rows;  // valid until the next call
    };

    CheckpointReader(Io& io, const LogIdentity& identity, const CheckpointName& name,
                     const Options& options) noexcept
        : io_{io}, identity_{identity}, name_{name}, options_{options} {}

    Result<CheckpointHeader> open();
    // After an error the block behind it may be asked for.
    Result<std::optional<Block>> next();
    // What was repaired is durable afterwards.
    Result<void> close();

    const std::vector<Flaw>& flaws() const noexcept { return flaws_; }
    const CheckpointFooter& footer() const noexcept { return footer_; }
    const std::vector<CheckpointIndexEntry>& blocks() const noexcept { return entries_; }

private:
    using Check = std::function<Result<void>(MutableByteView piece)>;

    // Those wanted, the one to read from first.
    Copies wanted() const noexcept;
    std::span<const CheckpointCopy> copies() const noexcept;
    void open_files();
    Result<void> read_piece(std::uint64_t offset, MutableByteView piece, const Check& check);
    Result<void> read_from(File* file, std::uint64_t offset, MutableByteView piece,
                           const Check& check);
    void mend(std::size_t first_flaw, ByteView piece);

    Io& io_;
    const LogIdentity identity_;
    const CheckpointName name_;
    const Options options_;
    std::array<std::unique_ptr<File>, 2> files_;
    std::array<ErrorCode, 2> open_errors_;
    std::array<bool, 2> written_{};
    bool opened_ = false;  // header, index and footer are read
    CheckpointFooter footer_;
    std::vector<CheckpointIndexEntry> entries_;
    std::uint32_t next_ = 0;
    std::uint64_t rows_ = 0;
    PageBuffer block_;
    PageBuffer raw_;  // aligned, so that a row may be read in place
    std::vector<Flaw> flaws_;
};

}  // namespace orbitalreg::cas
