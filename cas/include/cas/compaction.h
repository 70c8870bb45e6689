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
        0;                 // a witness objected: poisoned, never punched again, look at the log
    bool stopped = false;  // the store is stopping or read-only
};

struct CompactionStatus {
    bool running = false;
    std::uint64_t rounds = 0;
    std::uint64_t last_end_store_time_ms = 0;  // 0: none yet
    CompactionReport last;
    CompactionReport total;  // since the start; `stopped` means nothing here
};

// Where the bytes of lanes or of the log are. used = live + dead + held + format.
struct SpaceFigures {
    std::uint64_t files = 0;
    std::uint64_t used_bytes = 0;       // handed out: up to the frontiers
    std::uint64_t live_bytes = 0;       // whole records of blobs; in the log blobs and marks
    std::uint64_t dead_bytes = 0;       // handed out and needed by nobody
    std::uint64_t held_bytes = 0;       // of open uploads
    std::uint64_t allocated_bytes = 0;  // by the file system, when last looked at
    std::uint64_t punched_bytes = 0;    // used and given back
};

struct FileSpaceFigures {
    std::uint32_t file = 0;  // lane or log segment
    std::string state;
    SpaceFigures figures;
};

struct SpaceReport {
    SpaceFigures lanes;
    SpaceFigures log;
    std::uint64_t free_bytes = 0;  // of the file system
    // When asked for: each file, in order of id.
    std::vector<FileSpaceFigures> lane_files;
    std::vector<FileSpaceFigures> log_files;
};

}  // namespace orbitalreg::cas
