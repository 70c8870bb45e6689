#pragma once
// The Checkpointer makes checkpoints while the store goes on: it fixes C between two frames, walks the tables in slices
// between frames, writes the rows to two files, reads these back, and only then has the superblock name them. What the
// checkpoint covers is free afterwards: the one before it, and log segments that nothing live lies in.
//
//   idle ──due, or stop──> fix C ──> walk, blocks written ──> synced, directories too ──> both copies read back
//     ^                                                                                          │
//     └── old checkpoint and covered segments removed <── SUPER 2,3 <── SUPER 0,1 <──────────────┘
//   an error on the way: the new files are removed, nothing else is; tried again with a new id when the log has grown by a
//   sixteenth of the interval. An error on the superblock: read-only.
//
// When     the log has grown by the interval since C; or by a sixteenth of it and an hour has passed; or at a stop.
// Life     start() -> stop(). Destroy it after stop() returned, or when nothing runs any more: that is as safe as kill -9.
// Threads  grown() on the sequencer; stop() and make_now() from any; the work on the background executor, files with
//          blocking calls, a block at a time.
// Memory   one block, raw and stored; old images up to a limit, beyond which the walk goes before frames.
// I1       files are removed only after a superblock that does not need them is durable in all its copies.

#include "base/event.h"
#include "cas/store.h"
#include "checkpoint/checkpoint_reader.h"
#include "checkpoint/checkpoint_writer.h"
#include "io/pacer.h"
#include "log/group.h"
#include "log/sequencer.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace orbitalreg::cas {

class Checkpointer : public std::enable_shared_from_this<Checkpointer> {
public:
    struct Parts {  // outlive the checkpointer
        Sequencer& sequencer;
        FrameTarget& target;
        ReadOnlySwitch& read_only;
        const IoScheduler& scheduler;
        LogIdentity identity;
        // Within a step: where the chain ends.
        std::function<const ChainEnd&()> chain_end;
        // Writes the superblock. An error has turned the store read-only.
        std::function<Result<void>(const CheckpointHeader&, const CheckpointName&)> name;
        // Gives back the segments before `replay_segment` but for those in use.
        std::function<Awaitable<void>(std::uint32_t replay_segment)> free_segments;
        // As in CommitLog::on_no_space().
        std::function<bool()> give_up_reserve;
    };
    struct Start {
        std::uint64_t next_id = 1;
        std::uint64_t last_size_bytes = 0;  // of the checkpoint that the store was opened with
        std::uint64_t log_bytes = 0;        // behind C
    };

    Checkpointer(StoreEnvironment environment, const StoreOptions& options, Parts parts,
                 const Start& start);

    // The log has `bytes` more of frames.
    void grown(std::uint64_t bytes) noexcept;
    void start();
    // Waits for the one under way, makes the last one, and makes no more.
    Awaitable<void> stop();
    // One now, or the one that is under way. Not after stop().
    Awaitable<Result<void>> make_now();

    std::uint64_t interval_bytes() const noexcept { return interval_bytes_; }
    std::uint64_t log_bytes() const noexcept { return log_bytes_; }  // since C
    std::uint64_t last_size_bytes() const noexcept { return last_size_bytes_; }
    std::uint64_t side_bytes() const noexcept { return side_bytes_; }

private:
    struct HourlyWaker {  // of the background executor alone
        asio::cancellation_signal signal;
        bool started = false;
    };

    static Awaitable<void> run_due(std::shared_ptr<Checkpointer> self);
    static Awaitable<void> run_hourly(std::shared_ptr<Checkpointer> self,
                                      std::shared_ptr<HourlyWaker> waker);
    static Awaitable<void> stop_here(std::shared_ptr<Checkpointer> self);
    static Awaitable<Result<void>> make_here(std::shared_ptr<Checkpointer> self);
    static Awaitable<void> make_into(std::shared_ptr<Checkpointer> self,
                                     std::shared_ptr<ErrorCode> error);

    Awaitable<Result<void>> make();
    Awaitable<Result<void>> make_files(CheckpointWriter& writer, CheckpointHeader& header,
                                       CheckpointName& name);
    Awaitable<Result<void>> write_table(CheckpointWriter& writer, CheckpointTable& table);
    Awaitable<Result<void>> read_back(const CheckpointName& name);
    Awaitable<Result<void>> take_over(CheckpointHeader header, CheckpointName name);
    Result<void> with_reserve(const std::function<Result<void>()>& work);
    void fix(CheckpointHeader& header);
    bool slice(CheckpointTable& table, RowBatch& rows);
    void end_walk();
    void note_failure(const ErrorCode& error);
    bool due() const noexcept;
    void set_interval(std::uint64_t last_size_bytes);

    StoreEnvironment environment_;
    const StoreOptions options_;
    Parts parts_;
    Pacer pacer_;  // without a rate: it waits only while commits are slow
    const std::vector<CheckpointTable*> tables_;
    const std::uint64_t side_bytes_max_;
    const std::uint64_t file_system_bytes_;
    Counter& made_total_;
    Counter& failed_total_;
    Gauge& size_gauge_;
    DurationHistogram& seconds_;

    std::atomic<std::uint64_t> interval_bytes_{0};
    std::atomic<std::uint64_t> log_bytes_{0};       // since C
    std::atomic<std::uint64_t> retry_at_bytes_{0};  // after a failure
    std::atomic<std::uint64_t> last_size_bytes_{0};
    std::atomic<std::uint64_t> side_bytes_{0};
    std::atomic<bool> wanted_{false};  // run_due() is on its way
    std::atomic<bool> hourly_armed_{false};
    std::atomic<bool> stopped_{true};

    // On the background executor.
    std::uint64_t next_id_;
    std::shared_ptr<HourlyWaker> hourly_;
    bool making_ = false;
    Event idle_;  // set while none is made
    ErrorCode last_error_;

    // Within steps.
    bool walking_ = false;
    std::uint64_t bytes_at_c_ = 0;
};

}  // namespace orbitalreg::cas
