// fsck in passes: superblock copies, the chain of frames, the recount of references, then the lanes.

#include "cas/inspect.h"
#include "check/checkpoint_check.h"
#include "check/deep_check.h"
#include "check/findings.h"
#include "check/fsck_pass.h"
#include "check/lane_check.h"
#include "check/replayed_store.h"
#include "check/segment_check.h"
#include "check/space_check.h"
#include "format/log_segment_header.h"

#include <algorithm>
#include <cstdio>
#include <vector>

namespace orbitalreg::cas {
namespace {

using Severity = FsckFinding::Severity;

std::string place(const LogPosition& position) {
    return log_segment_path(position.segment) + " offset " + std::to_string(position.offset);
}

void check_superblock(const SuperblockChoice& choice, FsckReport& report) {
    for (unsigned copy = 0; copy < kSuperblockCopies; ++copy) {
        const std::string where = "SUPER copy " + std::to_string(copy);
        if (!choice.copies[copy]) {
            add_finding(
                report, Severity::repairable, "superblock_copy_invalid", where,
                "this copy cannot be read; another one is used, and the next start for writing "
                "rewrites all four");
        } else if (choice.copies[copy]->sequence != choice.superblock.sequence) {
            add_finding(report, Severity::note, "superblock_copy_old", where,
                        "an older superblock, as a stop in the middle of rewriting leaves it");
        }
    }
}

void explain_replay_error(const ErrorCode& error, const LogPosition& reached, FsckReport& report) {
    if (error == make_error_code(Errc::io_error)) {
        add_finding(report, Severity::loss, "log_unreadable", place(reached),
                    "the device cannot read the log behind this place; copy the directory to a "
                    "sound device "
                    "before anything else");
    } else {
        add_finding(report, Severity::loss, "log_corrupt", place(reached),
                    "the log cannot be replayed behind this place: " + error.message());
        report.needs_rebuild = true;
    }
}

// Acknowledged frames behind the place where the chain ends.
void check_tail(Io& io, const Superblock& superblock, const ReplayedLog& replayed, Log& log,
                FsckReport& report) {
    const auto checked = check_log_end(io, superblock, replayed, log);
    if (checked) return;
    const ChainEnd& end = replayed.end;
    std::string detail = "frame " + std::to_string(end.lsn + 1) + " is damaged (" +
                         std::string{to_string(replayed.tail_reason)} + ")";
    const auto behind = find_frame_behind(io, log_identity(superblock), end, {});
    if (behind && behind.value()) {
        detail += ", but frame " + std::to_string(behind.value()->header.lsn) + " behind it, at " +
                  place(behind.value()->position) + ", is sound";
    }
    detail += ": acknowledged changes from frame " + std::to_string(end.lsn + 1) +
              " on are lost or unreadable, and the store refuses to open for writing";
    add_finding(report, Severity::loss, "frame_corrupt", place(end.position), std::move(detail));
    report.needs_rebuild = true;
}

void recount(const ReplayedStore& store, const CatalogMachine& catalog, FsckReport& report) {
    std::vector<std::uint32_t> counts;
    catalog.visit_references([&](BlobId blob) {
        if (blob.value >= counts.size()) counts.resize(std::size_t{blob.value} * 2 + 1);
        ++counts[blob.value];
    });
    store.blobs().for_each([&](const BlobView& blob) {
        const std::uint32_t counted = blob.id.value < counts.size() ? counts[blob.id.value] : 0;
        if (counted != blob.references) {
            add_finding(report, Severity::repairable, "reference_count_mismatch",
                        blob.digest.to_string(),
                        "counted " + std::to_string(counted) + " references, kept " +
                            std::to_string(blob.references));
        }
        if (blob.damaged) {
            add_finding(
                report, Severity::loss, "blob_damaged", blob.digest.to_string(),
                "its bytes failed their checksum when they were read; push it again to heal it");
        }
    });
}

}  // namespace

Result<FsckReport> fsck_pass(Io& io, const FsckOptions& options, const FsckScope& scope,
                             CatalogMachine& catalog, Log& log,
                             const std::function<void(std::string_view)>& progress) {
    FsckReport report;
    auto opened = open_directory(io, scope.locked ? Hold::shared : Hold::none);
    if (!opened && opened.error() == make_error_code(Errc::superblock_corrupt)) {
        add_finding(report, Severity::loss, "superblock_corrupt", "SUPER",
                    "none of the four copies is valid, so nothing can be said of the rest");
        return report;
    }
    if (!opened) return fail(opened.error());
    const Superblock& superblock = opened.value().choice.superblock;
    ORB_TRY(check_superblock_supported(superblock, false));
    check_superblock(opened.value().choice, report);
    check_checkpoint(io, superblock, report);

    ReplayedStore store{io, superblock, catalog, log};
    LogPosition reached;
    const auto replayed = store.replay([&](const ScannedFrame& frame) {
        reached = frame.position;
        ++report.frames;
        report.records += frame.header.record_count;
        if (report.frames % 4096 == 0) progress("frame " + std::to_string(report.frames));
    });
    if (!replayed && superblock.checkpoint_id != 0 && !store.checkpoint()) {
        add_finding(report, Severity::loss, "checkpoint_unreadable",
                    checkpoint_path(CheckpointCopy::a, superblock.checkpoint_id),
                    "the rows of the checkpoint cannot be loaded from either copy: " +
                        replayed.error().message());
        report.needs_rebuild = true;
        return report;
    }
    if (!replayed) {
        explain_replay_error(replayed.error(), reached, report);
        return report;
    }
    check_tail(io, superblock, replayed.value(), log, report);
    report.blobs = store.blobs().size();
    recount(store, catalog, report);
    report.bytes = store.blobs().bytes();
    if (options.level == FsckLevel::quick) return report;
    const LogIdentity identity = log_identity(superblock);
    SegmentCheck{io, identity, report}.run(store.blobs());
    LaneCheck{io, store.identity(), report, progress}.run(store.blobs(), store.lanes());
    check_space(io, store.blobs(), store.lanes(), report);
    if (options.level == FsckLevel::deep) {
        DeepCheck{io, store.identity(), std::max(options.threads, 1U), report, progress}.run(
            store.blobs(), scope.uids);
    }
    return report;
}

Result<FsckReport> fsck(Io& io, FsckOptions options, CatalogMachine& catalog, Log& log,
                        const std::function<void(std::string_view)>& progress) {
    return fsck_pass(io, options, FsckScope{}, catalog, log, progress);
}

}  // namespace orbitalreg::cas
