#pragma once
// Group is one request on its way to the log: the records of the request, never split over frames. FrameTarget is the
// state that frames change. Committer is what the rooms of cas submit groups to; CommitLog implements it.

#include "base/asio.h"
#include "base/bytes.h"
#include "base/result.h"
#include "cas/checkpoint.h"
#include "cas/journal.h"

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace orbitalreg::cas {

// Numbers on disk. Owner 1.
enum class RecordType : std::uint16_t {
    blob_commit = 1,
    blob_delete = 2,
    lease = 3,
    blob_relocate = 4,
    blob_healed = 5,
    blob_damaged = 6,
    upload_mark = 7,
    upload_close = 8,
    lane_state = 9,
    id_block = 10,
    scrub_position = 11,
    snapshot_hold = 12,  // reserved
    mark_relocate = 13,
};

enum class RecordOwner : std::uint8_t { cas = 1, catalog = 2 };

struct GroupRecord {
    std::uint16_t type = 0;
    RecordOwner owner = RecordOwner::cas;
    BlobId blob;            // 0: none
    std::uint64_t uid = 0;  // 0: none
    std::vector<std::byte> body;
    std::vector<std::byte> raw;
};

struct Group {
    KeySet keys;
    std::vector<GroupRecord> records;
    // Runs on the sequencer in this group's turn, against applied state. May add, change and drop records (blob ids are
    // given out here). An error ends the request with it. Null: nothing to check.
    std::function<Result<void>(Group& self, const FrameContext& frame)> check;
};

// A record as it lies in a frame, durable.
struct AppliedRecord {
    std::uint16_t type = 0;
    RecordOwner owner = RecordOwner::cas;
    BlobId blob;
    std::uint64_t uid = 0;
    ByteView body;
    ByteView raw;
    std::uint32_t segment = 0;     // of the log
    std::uint64_t raw_offset = 0;  // of `raw` in the segment, a multiple of 64
};

class FrameTarget {
public:
    // Whether apply() would understand it: asked of the catalog's before they are written, of all that come from disk.
    // Errc::bad_format, catalog_unreadable.
    virtual Result<void> verify(const AppliedRecord& record) const noexcept = 0;
    // The records of one group. Infallible, deterministic, the same live and in replay.
    virtual void apply(const FrameContext& frame,
                       std::span<const AppliedRecord> group) noexcept = 0;

    // What a checkpoint holds of this state, in the order in which it is written and loaded; the same tables each time,
    // which live as long as the target. Without one of the catalog's no checkpoints are made.
    virtual std::vector<CheckpointTable*> checkpoint_tables() { return {}; }
    // Every table was loaded: the state is as it was once frame C was applied. Computes what is derived from several
    // tables. Errc::bad_format.
    virtual Result<void> checkpoint_loaded() { return ok(); }
    // Segments of the log with bytes that the state refers to or somebody reads, in order. Between two frames.
    virtual std::vector<std::uint32_t> segments_in_use() { return {}; }

protected:
    ~FrameTarget() = default;
};

class Committer {
public:
    // One frame later. Errc::read_only, overloaded, stopped, change_too_large, outcome_unknown, or what check() said.
    // Resumes on the caller's executor; a caller that goes away drops only the answer.
    virtual Awaitable<Result<Committed>> commit(Group group) = 0;
    // Runs `step` on the sequencer while no frame is on its way: applied state stands still for it. One step between two
    // frames while frames are waiting, in the order asked for; also in a store that has turned read-only. A step takes at
    // most 100 us and asks for nothing of the sequencer. Errc::read_only when the store was opened for reading, stopped:
    // it was not run. Resumes on the caller's executor.
    virtual Awaitable<Result<void>> between_frames(std::function<void()> step) = 0;

protected:
    ~Committer() = default;
};

}  // namespace orbitalreg::cas
