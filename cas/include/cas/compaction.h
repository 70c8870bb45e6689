#pragma once
// What compaction did and what the store's bytes are made of, for operators.

#include <cstdint>
#include <string>
#include <vector>

namespace orbitalreg::cas {

// Of one round.
struct CompactionReport {
    std::uint64_t lanes_examined = 0;
    std::uint64_t lanes_punched = 0;
    std::uint64_t lanes_unlinked = 0;
    std::uint64_t bytes_punched = 0;   // of dead ranges; some of them may have been holes before
    std::uint64_t bytes_unlinked = 0;  // allocated before
    std::uint64_t lanes_deferred =
        0;  // a reader, a hard link or the device stood in the way: a later round
    std::uint64_t lanes_refused =
        0;  // a witness objected: poisoned, never punched again, look at the log
    // Of the log: segments that a checkpoint covers and that are less than half live.
    std::uint64_t segments_examined = 0;
    std::uint64_t segments_recycled = 0;  // nothing live was left: they are spares now
    std::uint64_t segments_removed = 0;   // as well, and enough spares were there
    std::uint64_t segments_left = 0;    // hold bytes that could not be moved, damaged ones perhaps
    std::uint64_t blobs_relocated = 0;  // moved to the end of the log
    std::uint64_t marks_relocated = 0;  // of open uploads
    std::uint64_t bytes_relocated = 0;  // of both
    bool stopped = false;               // the store is stopping or read-only
};

struct CompactionStatus {
    bool running = false;
    std::uint64_t rounds = 0;
    std::uint64_t last_end_store_time_ms = 0;  // 0: none yet
    CompactionReport last;
    CompactionReport total;  // since the start; `stopped` means nothing here
};

// Where the bytes of lanes or of log segments are. used = live + dead + held, and in a lane the page of its header.
struct SpaceFigures {
    std::uint64_t files = 0;
    std::uint64_t size_bytes = 0;  // of the files; what lies behind `used` is room made ahead
    std::uint64_t used_bytes = 0;  // handed out: up to the frontiers; of the log all of it
    std::uint64_t live_bytes = 0;  // whole records of blobs; in the log small blobs
    std::uint64_t dead_bytes = 0;  // needed by nobody
    std::uint64_t held_bytes = 0;  // of open uploads; in the log also what a start would replay
    std::uint64_t allocated_bytes = 0;  // by the file system: what `du` sees
    std::uint64_t punched_bytes = 0;    // of the size, given back as holes
};

// A lane or a log segment.
struct FileSpace {
    std::uint32_t file = 0;
    std::string state;  // of lanes as in the metric `lanes`; of segments: old, in_use, spare
    SpaceFigures figures;
};

// Files that are whole or gone: no part of them dies.
struct PlainFiles {
    std::uint64_t files = 0;
    std::uint64_t size_bytes = 0;
    std::uint64_t allocated_bytes = 0;
};

struct SpaceReport {
    SpaceFigures lanes;
    SpaceFigures log;
    PlainFiles checkpoints;
    PlainFiles other;                     // superblock, lock, reserve
    std::uint64_t file_system_bytes = 0;  // 0: it does not say
    std::uint64_t file_system_free_bytes = 0;
    // When asked for: each file, in order of id.
    std::vector<FileSpace> lane_files;
    std::vector<FileSpace> log_files;

    std::uint64_t allocated_bytes() const noexcept {
        return lanes.allocated_bytes + log.allocated_bytes + checkpoints.allocated_bytes +
               other.allocated_bytes;
    }
};

}  // namespace orbitalreg::cas
