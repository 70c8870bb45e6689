#pragma once
// Looking at a store from outside: fsck and dump. Both open the directory under a shared lock and write nothing to it. And repair, which does.
//
// Threads  the caller's; blocking.
// Errors   Errc::not_a_store, Errc::locked while a server has it open, version_unsupported, and what the device says. What
//          is wrong with the store itself is a finding of fsck, and an error of dump.

#include "base/log.h"
#include "base/result.h"
#include "cas/io.h"
#include "cas/journal.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace orbitalreg::cas {

enum class FsckLevel : std::uint8_t {
    quick,  // superblock copies, both copies of the checkpoint, the chain of frames, the recount of references
    normal,  // and every lane record's header and descriptor against the rows, overlaps, orphans, allocation
    deep,  // and every chunk's checksum and every digest
};

struct FsckFinding {
    enum class Severity : std::uint8_t { note, repairable, loss };
    Severity severity = Severity::note;
    std::string
        code;  // stable, for scripts: superblock_copy_invalid, frame_corrupt, descriptor_mismatch, ...
    std::string where;      // file and offset
    std::string detail;     // what it means and what to do
    std::uint64_t uid = 0;  // of the extent whose bytes are bad, 0: none
};

struct FsckReport {
    std::vector<FsckFinding> findings;  // at most 10 000; more are counted
    std::uint64_t findings_dropped = 0;
    std::uint64_t frames = 0;
    std::uint64_t records = 0;
    std::uint64_t blobs = 0;
    std::uint64_t bytes = 0;
    std::uint64_t lanes = 0;
    // From the normal level on: what the files take, and what of it in lanes nobody needs.
    std::uint64_t allocated_bytes = 0;
    std::uint64_t reclaimable_bytes = 0;
    // The checkpoint cannot be loaded or acknowledged frames are damaged: only rebuild() brings the store back.
    bool needs_rebuild = false;
    // Notes do not count: they say what is unusual, not what is wrong.
    bool clean() const noexcept {
        return findings_dropped == 0 &&
               std::ranges::all_of(findings, [](const FsckFinding& finding) {
                   return finding.severity == FsckFinding::Severity::note;
               });
    }
};

struct FsckOptions {
    FsckLevel level = FsckLevel::normal;
    unsigned threads = 1;  // that read at the deep level
};

// `catalog` must be empty; it is fed by the replay and then asked for its references.
Result<FsckReport> fsck(Io& io, FsckOptions options, CatalogMachine& catalog, Log& log,
                        const std::function<void(std::string_view progress)>& progress);
inline Result<FsckReport> fsck(Io& io, FsckLevel level, CatalogMachine& catalog, Log& log,
                               const std::function<void(std::string_view progress)>& progress) {
    return fsck(io, FsckOptions{.level = level}, catalog, log, progress);
}

// fsck of a store that a server has open: nothing is locked and nothing written. The view is what superblock, checkpoint and
// log say when they are read, exact at the last whole frame. What the server changes meanwhile is told from damage by
// looking again: a finding stands only if each of several passes, over a view of its own, makes it. Memory for two
// stores.
using MakeCatalog = std::function<std::unique_ptr<CatalogMachine>()>;
Result<FsckReport> fsck_online(Io& io, FsckOptions options, const MakeCatalog& make_catalog,
                               Log& log,
                               const std::function<void(std::string_view progress)>& progress);

struct RepairReport {
    std::vector<std::string> done;  // what was put right, for people
    std::vector<std::string> left;  // and what could not be
};

// Puts right what costs nothing: copies of the superblock, pieces of one copy of the checkpoint that the other one
// has, headers of lane records whose blob verifies as a whole. Adds and
// moves (into lost+found/), never drops. Holds the directory exclusively. `catalog` must be empty. Errc::log_corrupt when
// acknowledged frames are damaged: then nothing behind the superblock is touched.
Result<RepairReport> repair(Io& io, CatalogMachine& catalog, Log& log);

enum class DumpWhat : std::uint8_t {
    superblock,
    segments,
    frames,
    records,
    blobs,
    lanes,
    lane_records,  // in the lanes' files, of deleted blobs too
    uploads,
    checkpoint
};

// One JSON object a line. `describe` renders a catalog record's body as JSON, since cas does not know it.
Result<void> dump(Io& io, DumpWhat what,
                  const std::function<std::string(const CatalogRecordView&)>& describe,
                  const std::function<void(std::string_view line)>& line);

}  // namespace orbitalreg::cas
