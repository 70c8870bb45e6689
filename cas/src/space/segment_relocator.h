#pragma once
// The SegmentRelocator keeps the log within its bound. Of the segments that a checkpoint covers it takes those that are
// less than half live, emptiest first, moves what is live in them to the end of the log, and has the log recycle or remove
// what is empty then. Those that are hardly live at once, others when the log has come near to its limit: the longer they
// wait, the less there is to move.
//
//   covered, less than half live ──> rows ──> read, verified ──> batches of BlobRelocate, MarkRelocate ──> nothing live
//        ──> no pin, a frame follows ──> recycled | removed
//   bytes that fail their digest stay where they are, are reported, and keep their segment
//
// Life     of the Compactor, which calls round() in its own.
// Durable  a segment is given back only after the frames that emptied it are durable and followed by another.
// Threads  the background executor. Reads block, 64 KiB at a time.
// Limits   kBytesPerPass of live bytes a pass, kPassesPerRound passes, kBlobsPerPass rows; more wait for the next round.
// Errors   none: what went wrong is in the report and the log.

#include "cas/compaction.h"
#include "io/pacer.h"
#include "lane/lane_rooms.h"
#include "space/relocation_batch.h"

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

namespace orbitalreg::cas {

class SegmentRelocator {
public:
    static constexpr std::uint64_t kBytesPerPass = 256_MiB;
    static constexpr std::size_t kBlobsPerPass = std::size_t{1} << 20;
    static constexpr int kPassesPerRound = 16;

    SegmentRelocator(std::shared_ptr<LaneRooms> rooms, Pacer& pacer);

    // `report` outlives it.
    Awaitable<void> round(CompactionReport& report);

private:
    struct Found {  // filled on the sequencer, in slices
        std::set<std::uint32_t> segments;
        std::uint32_t next = 1;
        std::vector<std::pair<BlobId, Extent>> extents;
    };
    struct LeftBehind {
        LiveSpace live;
        std::uint64_t damaged_blobs = 0;
        friend bool operator==(const LeftBehind&, const LeftBehind&) = default;
    };

    std::set<std::uint32_t> choose();
    Awaitable<bool> pass(CompactionReport& report);
    Awaitable<bool> find_blobs(std::shared_ptr<Found> found);
    Awaitable<bool> move_blobs(const Found& found, CompactionReport& report);
    Awaitable<bool> move_marks(const std::set<std::uint32_t>& segments, CompactionReport& report);
    Awaitable<bool> commit(CompactionReport& report);
    Awaitable<void> free_covered(CompactionReport& report);
    bool read_blob(const BlobView& blob, std::vector<std::byte>& bytes);
    bool read_mark(const MarkPart& part, std::vector<std::byte>& bytes);
    Result<void> read(std::uint32_t segment, std::uint64_t offset, MutableByteView to);
    void note_left(const std::set<std::uint32_t>& segments);
    bool near_limit() const;
    std::uint64_t excess_bytes() const;
    bool stopped() const noexcept;

    const std::shared_ptr<LaneRooms> rooms_;
    Pacer& pacer_;
    RelocationBatch batch_;
    bool device_failed_ = false;  // in this pass: what is left may be moved by the next
    std::map<std::uint32_t, LeftBehind> left_;  // segments with bytes that cannot be moved

    // The piece of a segment that was read last.
    std::uint32_t piece_segment_ = 0;
    std::uint64_t piece_offset_ = 0;
    std::vector<std::byte> piece_;
};

}  // namespace orbitalreg::cas
