#include "check/checkpoint_check.h"

#include "base/errors.h"
#include "cas/errors.h"
#include "check/findings.h"
#include "check/json_line.h"
#include "checkpoint/checkpoint_files.h"
#include "log/recovery.h"

#include <cerrno>
#include <set>
#include <string>

namespace orbitalreg::cas {
namespace {

using Copies = CheckpointReader::Copies;
using Severity = FsckFinding::Severity;

// Offsets of what is bad in one copy; the whole copy counts as the piece at 0 when it cannot be opened.
struct CopyCheck {
    std::set<std::uint64_t> bad;
    bool unusable = false;
    ErrorCode error;
};

CopyCheck check_copy(Io& io, const Superblock& superblock, Copies copies) {
    CopyCheck check;
    CheckpointReader reader{
        io, log_identity(superblock), checkpoint_name(superblock), {.copies = copies}};
    if (const auto opened = reader.open(); !opened) {
        check.unusable = true;
        check.error = reader.flaws().empty() ? opened.error() : reader.flaws().front().error;
        return check;
    }
    for (std::size_t i = 0; i < reader.blocks().size(); ++i) {
        const auto block = reader.next();
        if (!block) check.bad.insert(reader.blocks()[i].offset);
    }
    return check;
}

std::string place(const Superblock& superblock, CheckpointCopy copy, std::uint64_t offset) {
    return checkpoint_path(copy, superblock.checkpoint_id) + " offset " + std::to_string(offset);
}

void report_copy(const Superblock& superblock, CheckpointCopy copy, const CopyCheck& own,
                 const CopyCheck& other, FsckReport& report) {
    static constexpr std::string_view kMended =
        "the other copy has it, and the next start for writing writes it back";
    if (own.unusable) {
        const bool missing = own.error == errno_code(ENOENT);
        add_finding(
            report, other.unusable ? Severity::loss : Severity::repairable,
            missing ? "checkpoint_copy_missing" : "checkpoint_copy_invalid",
            place(superblock, copy, 0),
            own.error.message() + ": " +
                (other.unusable ? "no copy is left to read the rows from" : std::string{kMended}));
    }
    for (const std::uint64_t offset : own.bad) {
        const bool lost = other.unusable || other.bad.contains(offset);
        add_finding(report, lost ? Severity::loss : Severity::repairable,
                    lost ? "checkpoint_block_lost" : "checkpoint_block_invalid",
                    place(superblock, copy, offset),
                    lost ? "a block of rows is bad in both copies: what the log no longer holds of "
                           "them is lost"
                         : std::string{kMended});
    }
}

Result<void> dump_copy(Io& io, const Superblock& superblock, CheckpointCopy copy,
                       const std::function<void(std::string_view)>& line) {
    const Copies copies = copy == CheckpointCopy::a ? Copies::only_a : Copies::only_b;
    const std::string file = checkpoint_path(copy, superblock.checkpoint_id);
    CheckpointReader reader{
        io, log_identity(superblock), checkpoint_name(superblock), {.copies = copies}};
    const auto header = reader.open();
    if (!header) {
        line(JsonLine{}.text("file", file).flag("valid", false).end());
        return ok();
    }
    line(JsonLine{}
             .text("file", file)
             .flag("valid", true)
             .number("checkpoint", header.value().id)
             .number("lsn", header.value().lsn)
             .number("store_time_ms", header.value().store_time_ms)
             .number("replay_segment", header.value().replay_segment)
             .number("replay_page", header.value().replay_page)
             .number("blocks", reader.footer().blocks)
             .number("rows", reader.footer().rows)
             .number("bytes", superblock.checkpoint_size_bytes)
             .end());
    for (std::size_t i = 0; i < reader.blocks().size(); ++i) {
        const CheckpointIndexEntry& entry = reader.blocks()[i];
        JsonLine json;
        json.text("file", file).number("block", i).number("offset", entry.offset);
        const auto block = reader.next();
        json.flag("valid", block.has_value());
        if (block) {
            const CheckpointBlockHeader& found = block.value()->header;
            json.number("table", found.table)
                .number("first_row", found.first_row)
                .number("rows", found.rows)
                .text("codec", found.codec == CheckpointCodec::zstd ? "zstd" : "raw");
        }
        json.number("stored_bytes", entry.stored_bytes).number("raw_bytes", entry.raw_bytes);
        line(json.end());
    }
    return ok();
}

}  // namespace

void check_checkpoint(Io& io, const Superblock& superblock, FsckReport& report) {
    if (superblock.checkpoint_id == 0) return;
    const CopyCheck a = check_copy(io, superblock, Copies::only_a);
    const CopyCheck b = check_copy(io, superblock, Copies::only_b);
    report_copy(superblock, CheckpointCopy::a, a, b, report);
    report_copy(superblock, CheckpointCopy::b, b, a, report);
}

Result<void> dump_checkpoint(Io& io, const Superblock& superblock,
                             const std::function<void(std::string_view)>& line) {
    if (superblock.checkpoint_id == 0) return ok();
    for (const CheckpointCopy copy : kCheckpointCopies) {
        ORB_TRY(dump_copy(io, superblock, copy, line));
    }
    return ok();
}

}  // namespace orbitalreg::cas
