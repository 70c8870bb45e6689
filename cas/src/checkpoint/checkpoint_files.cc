#include "checkpoint/checkpoint_files.h"

#include "base/errors.h"
#include "cas/errors.h"
#include "log/recovery.h"

#include <algorithm>
#include <cerrno>

namespace orbitalreg::cas {
namespace {

CheckpointTable* table_of(const std::vector<CheckpointTable*>& tables, std::uint16_t number) {
    const auto found = std::ranges::find_if(
        tables, [number](const CheckpointTable* table) { return table->number() == number; });
    return found == tables.end() ? nullptr : *found;
}

Result<void> load_rows(CheckpointTable& table, const CheckpointReader::Block& block) {
    ByteView rest = block.rows;
    for (std::uint32_t i = 0; i < block.header.rows; ++i) {
        const auto row = take_row(rest);
        if (!row) return fail(Errc::checkpoint_corrupt);
        ORB_TRY(table.load(*row));
    }
    return rest.empty() ? ok() : Result<void>{fail(Errc::checkpoint_corrupt)};
}

// Tables come one after another, in the order of `tables`: what a table builds on is complete before it.
class TableLoader {
public:
    explicit TableLoader(std::vector<CheckpointTable*> tables)
        : tables_{std::move(tables)},
          knows_catalog_{!tables_.empty() && tables_.back()->number() >= kFirstCatalogTable} {}

    Result<void> add(const CheckpointReader::Block& block) {
        CheckpointTable* const table = table_of(tables_, block.header.table);
        const bool of_catalog = block.header.table >= kFirstCatalogTable;
        if (table == nullptr && of_catalog && !knows_catalog_) return ok();
        if (table == nullptr) return fail(Errc::version_unsupported);
        while (tables_[current_] != table) {
            ORB_TRY(end_table());
            if (current_ == tables_.size()) return fail(Errc::checkpoint_corrupt);
        }
        if (block.header.first_row != rows_) return fail(Errc::checkpoint_corrupt);
        rows_ += block.header.rows;
        return load_rows(*table, block);
    }
    Result<void> finish() {
        while (current_ < tables_.size()) {
            ORB_TRY(end_table());
        }
        return ok();
    }

private:
    Result<void> end_table() {
        ORB_TRY(tables_[current_]->loaded());
        ++current_;
        rows_ = 0;
        return ok();
    }

    const std::vector<CheckpointTable*> tables_;
    const bool knows_catalog_;  // a tool may want to know of cas only
    std::size_t current_ = 0;
    std::uint64_t rows_ = 0;  // of the current table
};

void report_flaws(const std::vector<CheckpointReader::Flaw>& flaws, std::uint64_t id, Log& log) {
    for (const CheckpointReader::Flaw& flaw : flaws) {
        log.warn("a piece of a checkpoint was taken from its other copy",
                 {{"file", checkpoint_path(flaw.copy, id)},
                  {"offset", flaw.offset},
                  {"bytes", flaw.size_bytes},
                  {"error", flaw.error.message()},
                  {"repaired", flaw.repaired}});
    }
}

Result<LoadedCheckpoint> load(CheckpointReader& reader, const Superblock& superblock,
                              FrameTarget& target) {
    LoadedCheckpoint loaded;
    ORB_TRY(loaded.header, reader.open());
    const CheckpointHeader& header = loaded.header;
    const bool agrees = header.replay_segment == superblock.replay_segment &&
                        header.replay_page == superblock.replay_page &&
                        header.frame_checksum == superblock.checkpoint_frame_checksum;
    if (!agrees) return fail(Errc::checkpoint_corrupt);
    TableLoader loader{target.checkpoint_tables()};
    for (;;) {
        ORB_TRY(const auto block, reader.next());
        if (!block) break;
        ORB_TRY(loader.add(*block));
        loaded.rows += block->header.rows;
    }
    ORB_TRY(loader.finish());
    ORB_TRY(target.checkpoint_loaded());
    return loaded;
}

}  // namespace

CheckpointName checkpoint_name(const Superblock& superblock) noexcept {
    return {superblock.checkpoint_id, superblock.checkpoint_lsn, superblock.checkpoint_size_bytes,
            superblock.checkpoint_footer_checksum};
}

ChainEnd replay_start(const Superblock& superblock) noexcept {
    ChainEnd start;
    if (superblock.checkpoint_id == 0) return start;
    start.position = {superblock.replay_segment, std::uint64_t{superblock.replay_page} * kPageSize};
    start.lsn = superblock.checkpoint_lsn;
    start.prev = superblock.checkpoint_frame_checksum;
    return start;
}

Result<LoadedCheckpoint> load_checkpoint(Io& io, const Superblock& superblock, FrameTarget& target,
                                         const CheckpointReader::Options& options, Log& log) {
    CheckpointReader reader{io, log_identity(superblock), checkpoint_name(superblock), options};
    auto loaded = load(reader, superblock, target);
    if (const auto closed = reader.close(); !closed) {
        log.warn("a copy of the checkpoint could not be mended",
                 {{"error", closed.error().message()}});
    }
    report_flaws(reader.flaws(), superblock.checkpoint_id, log);
    if (!loaded) {
        log.error("the checkpoint cannot be loaded",
                  {{"checkpoint", superblock.checkpoint_id}, {"error", loaded.error().message()}});
        const bool format = loaded.error() == make_error_code(Errc::bad_format);
        return fail(format ? make_error_code(Errc::checkpoint_corrupt) : loaded.error());
    }
    loaded.value().flaws = reader.flaws();
    return loaded;
}

Result<std::uint64_t> remove_other_checkpoints(Io& io, std::uint64_t id) {
    std::uint64_t highest = id;
    for (const CheckpointCopy copy : kCheckpointCopies) {
        const auto names = io.list(checkpoint_folder(copy));
        if (!names && names.error() == errno_code(ENOENT)) continue;
        if (!names) return fail(names.error());
        for (const std::string& name : names.value()) {
            const std::uint64_t found = parse_checkpoint_name(name);
            if (found == 0 || found == id) continue;
            highest = std::max(highest, found);
            static_cast<void>(io.remove(checkpoint_path(copy, found)));
        }
    }
    return highest;
}

}  // namespace orbitalreg::cas
