#pragma once
// CheckpointWriter lays blocks of rows into the two files of a checkpoint.
//
// Life     begin() -> add()* -> finish() -> sync(); abandon() at any time before the superblock names what finish()
//          returned.
// Durable  once sync() returned success both copies are, with their names; then they have to be read back before the
//          superblock names them (CheckpointReader).
// Threads  one; blocking.
// Memory   one block, raw and stored.
// Errors   those of the device. After ENOSPC or EDQUOT the same call may be made once more; after any other error, or one
//          of sync(), the files are not to be used: a later try takes another id.

#include "base/result.h"
#include "cas/checkpoint.h"
#include "cas/io.h"
#include "cas/options.h"
#include "format/checkpoint_file.h"
#include "format/page_buffer.h"
#include "log/log_segment.h"

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

namespace orbitalreg::cas {

// What the superblock says of a checkpoint.
struct CheckpointName {
    std::uint64_t id = 0;
    std::uint64_t lsn = 0;
    std::uint64_t size_bytes = 0;
    Checksum128 footer_checksum;
    friend bool operator==(const CheckpointName&, const CheckpointName&) = default;
};

class CheckpointWriter {
public:
    CheckpointWriter(Io& io, const LogIdentity& identity, Durability durability) noexcept
        : io_{io}, identity_{identity}, durability_{durability} {}

    Result<void> begin(const CheckpointHeader& header);
    // Rows of one table, in the order of the table; not empty.
    Result<void> add(std::uint16_t table, const RowBatch& rows);
    Result<CheckpointName> finish();
    Result<void> sync();
    // Removes what is there of the files. What cannot be removed is when the store opens the next time.
    void abandon() noexcept;

    std::uint64_t size_bytes() const noexcept { return offset_; }  // of one copy, so far
    std::uint64_t rows() const noexcept { return rows_; }

private:
    Result<void> make_folders();
    Result<void> append(MutableByteView bytes);
    std::uint32_t compress(ByteView raw, CheckpointCodec& codec);

    Io& io_;
    const LogIdentity identity_;
    const Durability durability_;
    CheckpointHeader header_;
    std::array<std::unique_ptr<File>, 2> files_;
    PageBuffer block_;
    std::vector<CheckpointIndexEntry> entries_;
    std::uint64_t offset_ = 0;
    std::uint64_t rows_ = 0;
    std::uint16_t table_ = 0;       // of the last block
    std::uint64_t table_rows_ = 0;  // of that table, so far
};

}  // namespace orbitalreg::cas
