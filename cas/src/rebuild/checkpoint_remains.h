#pragma once
// CheckpointRemains is what can still be read of a checkpoint's two files: each block bears its own checksum, seeded by the
// checkpoint's id and the place, so that blocks are found without index, footer or header.
//
// Life     open() -> visit()*.
// Threads  one; blocking.
// Memory   one block, stored and raw; a bit a block.
// Errors   none: what cannot be read in either copy is missing().

#include "cas/io.h"
#include "checkpoint/checkpoint_reader.h"
#include "format/checkpoint_file.h"
#include "format/page_buffer.h"
#include "log/log_segment.h"

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace orbitalreg::cas {

class CheckpointRemains {
public:
    using Visit = std::function<void(const CheckpointBlockHeader& header, ByteView rows)>;

    CheckpointRemains(Io& io, const LogIdentity& identity, std::uint64_t id) noexcept
        : io_{io}, identity_{identity}, id_{id} {}

    // False when neither copy has as much as a header, a footer or a block.
    bool open();
    // Each readable block, in order.
    void visit(const Visit& visit);

    std::uint64_t id() const noexcept { return id_; }
    const std::optional<CheckpointHeader>& header() const noexcept { return header_; }
    bool finished() const noexcept { return footer_.has_value(); }  // its footer is readable
    // C; 0: neither header nor footer is readable.
    std::uint64_t lsn() const noexcept;
    std::uint64_t blocks() const noexcept { return blocks_; }
    std::uint64_t rows() const noexcept { return rows_; }
    // Every block that there was has been read.
    bool whole() const noexcept;
    // Whether a row of that table may be missing.
    bool table_whole(std::uint16_t table) const noexcept;
    // Rows that there were and that no block has; nothing when the footer is lost too.
    std::optional<std::uint64_t> rows_missing() const noexcept;
    // Blocks known to be missing.
    std::uint64_t blocks_missing() const noexcept;

private:
    struct Seen {
        std::uint16_t table = 0;
        std::uint64_t first_row = 0;
        std::uint32_t rows = 0;
    };

    bool read(CheckpointCopy copy, std::uint64_t offset, MutableByteView to);
    std::optional<CheckpointBlockHeader> block_at(CheckpointCopy copy, std::uint64_t offset);
    void find_header(CheckpointCopy copy);
    void find_footer(CheckpointCopy copy);

    Io& io_;
    const LogIdentity identity_;
    const std::uint64_t id_;
    std::array<std::unique_ptr<File>, 2> files_;
    std::uint64_t size_bytes_ = 0;  // of the longer copy
    std::optional<CheckpointHeader> header_;
    std::optional<CheckpointFooter> footer_;
    std::vector<std::optional<Seen>> seen_;  // by block number
    std::uint64_t blocks_ = 0;
    std::uint64_t rows_ = 0;
    PageBuffer block_;
    PageBuffer raw_;
};

// What there is of the store's checkpoint: the one that the superblock names, else the latest one in the directory that has
// its footer: without that it may have been cut short while it was written. Null when there is none.
std::unique_ptr<CheckpointRemains> find_checkpoint_remains(Io& io, const LogIdentity& identity,
                                                           std::uint64_t named_id);

}  // namespace orbitalreg::cas
