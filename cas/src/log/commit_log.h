#pragma once
// CommitLog is the log as the rest of cas sees it: it recovers, commits groups, reads inline bytes back and stops.
//
// Life     open() takes the lock, finds or makes the superblock, loads the checkpoint and replays every frame behind it
//          into the target, tells a torn tail from corruption, writes the superblock (clean = 0, new incarnation) and the
//          `opened` frame. start() lets the sequencer run, and checkpoints be made of the target's tables. stop() makes
//          the last one, drains the sequencer, writes the `closed` frame and a clean superblock.
// Durable  commit() answers after its frame is on stable storage and applied.
// Threads  commit() from any reactor; the target is called on the sequencer only (in open(): the caller's thread).

#include "cas/store.h"
#include "format/address.h"
#include "io/io_scheduler.h"
#include "log/group.h"

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace orbitalreg::cas {

struct LogStats {
    std::uint64_t segments = 0;
    std::uint64_t bytes = 0;           // of these
    std::uint64_t spare_segments = 0;  // ready to be used next, not counted above
    std::uint32_t segment = 0;         // that is written to
    std::uint32_t replay_segment = 0;  // where a start would begin to replay
    std::uint64_t checkpoint_interval_bytes = 0;
    std::uint64_t checkpoint_id = 0;  // 0: none
    std::uint64_t checkpoint_lsn = 0;
    std::uint64_t checkpoint_bytes = 0;        // of one copy
    std::uint64_t checkpoint_rows_loaded = 0;  // when the store was opened
    std::uint64_t bytes_since_checkpoint = 0;
    std::uint64_t checkpoint_side_bytes = 0;  // of old images, while one is made
    std::uint64_t lsn = 0;
    std::uint64_t frames_replayed = 0;
    bool clean_start = false;
    bool created = false;
    bool read_only = false;
    std::string read_only_reason;
};

struct FreedSegments {
    std::uint64_t recycled = 0;  // are spares now
    std::uint64_t removed = 0;
};

class CommitLog : public Committer {
public:
    virtual ~CommitLog() = default;

    // `give_up_space` gives space back when the next segment cannot be made, here or later on the sequencer: true when
    // it did. May be null.
    static Result<std::unique_ptr<CommitLog>> open(StoreEnvironment environment,
                                                   const StoreOptions& options, FrameTarget& target,
                                                   std::function<bool()> give_up_space = nullptr);
    // After open() and before start(): groups committed while recovering (seals of lanes, id blocks), blocking, each in
    // a frame of its own.
    virtual Result<Committed> commit_now(Group group) = 0;
    // Makes a checkpoint, or waits for the one under way. Errc::read_only, stopped, no_space, or what the device said: the
    // one before it stays.
    virtual Awaitable<Result<void>> make_checkpoint() = 0;
    // `made` is told of each checkpoint, on `environment.background`, before CommitLog::stop() returns. Before start().
    virtual void on_checkpoint(std::function<void()> made) = 0;
    // Segments before the one where replay starts, in order.
    virtual std::vector<std::uint32_t> covered_segments() const = 0;
    // Gives back those of them that nothing is in use in, as FrameTarget says. What emptied them can not be taken for a
    // torn end of the log any more: a frame follows it. On `environment.background`. Errc::read_only, stopped.
    virtual Awaitable<Result<FreedSegments>> free_covered() = 0;
    virtual void start() = 0;
    // `last` is committed in a frame before `closed` (frontiers of free lanes). Idempotent.
    virtual Awaitable<void> stop(Group last) = 0;

    // Inline bytes of an applied record. `offset` a multiple of 64; reads whole pages O_DIRECT and copies.
    // Errc::io_error when the device fails. Bytes are not verified here: the digest, or the sums, do that.
    virtual Awaitable<Result<void>> read(IoQueue& queue, std::uint32_t segment,
                                         std::uint64_t offset, MutableByteView to) = 0;
    virtual Result<void> read_now(std::uint32_t segment, std::uint64_t offset,
                                  MutableByteView to) = 0;

    // Turns the store read-only at once (a superblock or a lane directory cannot be synced any more).
    virtual void poison(std::string_view reason) noexcept = 0;
    virtual bool read_only() const noexcept = 0;

    // What the latency of commits means for other I/O.
    virtual const IoScheduler& scheduler() const noexcept = 0;

    virtual const AddressSeed& seed() const noexcept = 0;
    virtual const StoreUuid& uuid() const noexcept = 0;
    virtual std::uint64_t incarnation() const noexcept = 0;
    virtual std::uint64_t lane_target_bytes() const noexcept = 0;
    virtual std::uint64_t store_time_ms() const noexcept = 0;
    virtual std::uint64_t segment_size_bytes() const noexcept = 0;
    // Of one group, encoded, at most.
    virtual std::uint64_t group_size_bytes() const noexcept = 0;
    virtual std::array<std::byte, 32> derive_key(std::string_view label) const noexcept = 0;
    virtual LogStats stats() const = 0;
};

}  // namespace orbitalreg::cas
