#pragma once
// SpaceTable counts what is live in each file: extents of blobs, and in log segments also the bytes that marks of open
// uploads keep there. It is derived from the rows and changes with them; what is not live is dead, and compaction's.
//
// Life     add_*() and remove_*() as rows change; clear() and all rows once more after rows were loaded.
// Threads  any; one lock, held for one look-up or one change.
// Memory   some 80 bytes a file that has something live.
// Units    of a lane whole records, in bytes of pages; of a log segment the raw bytes. An empty blob is an extent too.
// I1       a file's figures are the sums over the rows that name it; a file without any has no entry.

#include "index/extent.h"

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <vector>

namespace orbitalreg::cas {

struct LiveSpace {
    std::uint64_t bytes = 0;    // of extents
    std::uint64_t extents = 0;  // live blobs
    std::uint64_t mark_bytes = 0;
    std::uint64_t marks = 0;  // parts of marks that an open upload still needs; log segments only
    bool empty() const noexcept { return extents == 0 && marks == 0; }
    // What it takes in the log, envelope, body and padding of each record included: no more than this once relocation has
    // packed it.
    std::uint64_t log_bytes() const noexcept {
        return bytes + mark_bytes + kLogRecordBytes * (extents + marks);
    }
    static constexpr std::uint64_t kLogRecordBytes = 256;
    friend bool operator==(const LiveSpace&, const LiveSpace&) = default;
};

class SpaceTable {
public:
    // Sequencer (or the thread that opens the store).
    void add(const Extent& extent);
    void remove(const Extent& extent);
    void add_mark(std::uint32_t segment, std::uint64_t bytes);
    void remove_mark(std::uint32_t segment, std::uint64_t bytes);
    void clear();

    LiveSpace of_lane(std::uint32_t lane) const;
    LiveSpace of_segment(std::uint32_t segment) const;
    LiveSpace in_lanes() const;
    LiveSpace in_log() const;
    // In order of id.
    void for_each_segment(const std::function<void(std::uint32_t, const LiveSpace&)>& visit) const;

    // Lanes that lost something live, or were touched, since they were last taken. In order of id.
    std::set<std::uint32_t> take_touched_lanes();
    void touch_lane(std::uint32_t lane);

    friend bool operator==(const SpaceTable& a, const SpaceTable& b);

private:
    using Files = std::map<std::uint32_t, LiveSpace>;

    mutable std::mutex mutex_;
    Files lanes_;
    Files segments_;
    LiveSpace in_lanes_;
    LiveSpace in_log_;
    std::set<std::uint32_t> touched_;
};

}  // namespace orbitalreg::cas
