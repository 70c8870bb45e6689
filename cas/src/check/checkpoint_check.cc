#include "check/checkpoint_check.h"

#include "base/errors.h"
#include "cas/errors.h"
#include "check/findings.h"
#include "check/json_line.h"
#include "checkpoint/checkpoint_files.h"
#include "log/recovery.h"

#include <cerrno>
#include <map>
#include <string>

namespace orbitalreg::cas {
namespace {

using Copies = CheckpointReader::Copies;
using Severity = FsckFinding::Severity;

Copies only(CheckpointCopy copy) noexcept {
    return copy == CheckpointCopy::a ? Copies::only_a : Copies::only_b;
}

// What one copy lacks, by offset. Without header, index and footer in either copy nothing is known of the rest.
struct CopyCheck {
    std::map<std::uint64_t, ErrorCode> bad;
    bool missing = false;
    ErrorCode unusable;
};

CopyCheck check_copy(Io& io, const Superblock& superblock, CheckpointCopy copy) {
    CopyCheck check;
    CheckpointReader reader{io,
                            log_identity(superblock),
                            checkpoint_name(superblock),
                            {.copies = only(copy), .lend_index = true}};
    if (const auto opened = reader.open(); !opened) check.unusable = opened.error();
    for (std::size_t i = 0; !check.unusable && i < reader.blocks().size(); ++i) {
        static_cast<void>(reader.next());  // flaws() has it
    }
    for (const CheckpointReader::Flaw& flaw : reader.flaws()) {
        if (flaw.copy != copy) continue;
        check.bad[flaw.offset] = flaw.error;
        check.missing = check.missing || flaw.error == errno_code(ENOENT);
    }
    return check;
}

std::string place(const Superblock& superblock, CheckpointCopy copy, std::uint64_t offset) {
    return checkpoint_path(copy, superblock.checkpoint_id) + " offset " + std::to_string(offset);
}

void report_copy(const Superblock& superblock, CheckpointCopy copy, const CopyCheck& own,
                 const CopyCheck& other, FsckReport& report) {
    static constexpr std::string_view kMended =
        "the other copy has it, and fsck --repair writes it back";
    if (own.unusable || own.missing) {
        const bool lost = own.unusable || other.missing;
        add_finding(report, lost ? Severity::loss : Severity::repairable,
                    own.missing ? "checkpoint_copy_missing" : "checkpoint_copy_invalid",
                    place(superblock, copy, 0),
                    lost ? "no copy is left to read the rows from" : std::string{kMended});
        return;
    }
    for (const auto& [offset, error] : own.bad) {
        const bool lost = other.missing || other.bad.contains(offset);
        add_finding(report, lost ? Severity::loss : Severity::repairable,
                    lost ? "checkpoint_block_lost" : "checkpoint_block_invalid",
                    place(superblock, copy, offset),
                    lost ? "bad in both copies: what the log no longer holds of these rows is lost"
                         : error.message() + ": " + std::string{kMended});
    }
}

Result<void> dump_copy(Io& io, const Superblock& superblock, CheckpointCopy copy,
                       const std::function<void(std::string_view)>& line) {
    const std::string file = checkpoint_path(copy, superblock.checkpoint_id);
    CheckpointReader reader{
        io, log_identity(superblock), checkpoint_name(superblock), {.copies = only(copy)}};
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
    const CopyCheck a = check_copy(io, superblock, CheckpointCopy::a);
    const CopyCheck b = check_copy(io, superblock, CheckpointCopy::b);
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
