#pragma once
// Lanes is the room for bulk bytes: it leases lanes to uploads, writes and reads lane records,
// keeps upload sessions across crashes, and gives out uids and lane ids.
//
// Life     constructed -> verify()/apply() for every record of the replay -> open() -> start() ->
// requests ->
//          closing_group() handed to CommitLog::stop() -> stop(). A tool that only replays never
//          calls open(). Destroy it after stop() returned, or when nothing runs any more: that is
//          as safe as kill -9.
// Durable  see BlobWriter. A frame names lane bytes only after the writes it covers completed and
// the lane was synced. Threads  apply() and next_uid() on the sequencer (in the replay: its
// caller's thread); awaitable functions on a
//          reactor of StoreEnvironment::reactors; upload_status(), uploads_full(), open_blob() and stats() on any
//          thread.
// Limits   StoreOptions: lanes_writing_max, uploads_open_max, uploads_closed_max, rehash_max; and
// the memory ledger.

#include "cas/blob_reader.h"
#include "cas/blob_writer.h"
#include "cas/store.h"
#include "index/blob_table.h"
#include "log/commit_log.h"
#include "log/group.h"
#include "store/store_state.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace orbitalreg::cas {

class MemoryLedger;
struct LaneRooms;

// Numbers on disk (LanePhase in records.fbs); `none` is a lane that only its blobs and marks have
// named so far.
enum class LanePhase : std::uint8_t { none = 0, free = 1, sealed = 2, poisoned = 3, unlinked = 4 };

// What the frames say of a lane.
struct LaneView {
    std::uint32_t lane = 0;
    LanePhase phase = LanePhase::none;
    bool leased = false;              // to a marked upload
    std::uint32_t frontier_page = 0;  // end of what was handed out; while leased, base of the lease
    std::uint32_t last_base_page = 0;  // base of the last record known to be there, 0: none
};

// What the frames say of an open upload.
struct UploadView {
    SessionId session{};
    std::uint64_t uid = 0;
    std::uint64_t issued_store_time_s = 0;
    std::uint64_t last_store_time_ms = 0;  // of its last mark
    std::uint64_t offset = 0;
    std::uint32_t lane = 0;  // 0: inline
    std::uint32_t base_page = 0;
};

struct LaneStats {
    std::uint64_t spare = 0;  // prepared, no frame names them
    std::uint64_t free = 0;
    std::uint64_t leased = 0;  // to uploads that are being written
    std::uint64_t parked = 0;  // to marked uploads without a writer
    std::uint64_t sealed = 0;
    std::uint64_t poisoned = 0;
    std::uint64_t bytes_used = 0;    // up to the frontiers
    std::uint64_t uploads_open = 0;  // marked sessions
    std::uint64_t uploads_closed = 0;
    std::uint64_t uploads_forgotten = 0;
    std::uint64_t lanes() const noexcept { return free + leased + parked + sealed + poisoned; }
};

class Lanes final : public LaneRecords {
public:
    Lanes(StoreEnvironment environment, const StoreOptions& options, BlobTable& blobs,
          MemoryLedger& ledger);
    ~Lanes();
    Lanes(const Lanes&) = delete;
    Lanes& operator=(const Lanes&) = delete;

    // Whether apply() understands the record: Verifier and ranges. Concerns blob_commit with a
    // lane, upload_mark, upload_close, lane_state and id_block; others are fine. Errc::bad_format.
    Result<void> verify(const AppliedRecord& record) const noexcept override;
    // The records above, in the order of the log; a blob_commit after its row was inserted or
    // replaced.
    void apply(const FrameContext& frame, const AppliedRecord& record) noexcept override;
    // Lanes, open sessions, closed ones.
    std::vector<CheckpointTable*> checkpoint_tables() override;
    CheckpointTable& id_table() override;
    std::uint64_t uids_end() const override;

    // After CommitLog::open(), before start(); blocking. Compares the marks of open uploads with
    // their lanes, removes lanes that no frame names, seals free lanes after an unclean stop, takes
    // blocks of ids.
    Result<void> open(CommitLog& log);
    // Prepares spare lanes and ends expired sessions, on `environment.background`.
    void start();
    // The frontiers of free lanes, for CommitLog::stop(). Call it when no writer is left.
    Group closing_group();
    // Refuses new writers and waits for the I/O of the old ones and for housekeeping.
    Awaitable<void> stop();

    // As in Store.
    Awaitable<Result<std::unique_ptr<BlobWriter>>> begin_blob(
        DigestAlgorithm algorithm, std::optional<std::uint64_t> size_hint);
    Awaitable<Result<std::unique_ptr<BlobWriter>>> open_upload(UploadStart start);
    bool uploads_full() const noexcept;
    UploadStatus upload_status(const SessionId& session) const noexcept;
    Awaitable<Result<void>> cancel_upload(UploadStart start);
    Result<std::unique_ptr<BlobReader>> open_blob(PinnedBlob blob);

    // Closes sessions that expired, as housekeeping does now and then: how many these are.
    Awaitable<std::uint64_t> close_expired();

    // A number that no other extent of this store ever had or will have.
    std::uint64_t next_uid() noexcept;

    // Set before start(). Called, on any thread, when an extent failed its sums twice.
    std::function<void(const BlobView&)> on_damage;

    // For compaction, which works on what the parts of this room share.
    const std::shared_ptr<LaneRooms>& rooms() const noexcept { return rooms_; }

    LaneStats stats() const;
    // In order of lane id, of session id. Applied state only.
    void for_each_lane(const std::function<void(const LaneView&)>& visit) const;
    void for_each_upload(const std::function<void(const UploadView&)>& visit) const;

private:
    std::shared_ptr<LaneRooms> rooms_;  // also of writers and readers, which may end after this
};

}  // namespace orbitalreg::cas
