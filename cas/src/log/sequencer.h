#pragma once
// The Sequencer is the one commit point. It takes requests in order, admits into one frame those
// that do not conflict, checks each against applied state, writes the frame durably, applies it,
// and answers: group commit, one frame in flight.
//
//   submit ─queue─> waiting ─admitted, checked─> frame ─durable─> applied ─> answered
//                    │  └─ conflicts, or frame full: the next frame
//                    └─ refused by its check: answered
//   a failed write: the store turns read-only; the frame's requests get outcome_unknown
//   between two frames: one step of work that needs applied state to stand still
//
// Life     start() -> stop(). Destroying it is as safe as kill -9: what waits is dropped
//          unanswered.
// Durable  a request is answered with success after its frame is durable and applied.
// Threads  submit() and stop() from any. All else on the sequencer: a thread of its own, or
//          handlers on the background executor (StoreEnvironment::sequencer_on_executor), where a
//          frame is built in one handler and written in another.
// Limits   StoreOptions::sequencer_queue_max requests; FrameLimits; kSkippedMax requests looked at
//          that must wait.
// I1       a frame is built only after the one before is applied.
// I2       once the store is read-only no further write to the log is made.

#include "cas/store.h"
#include "format/record.h"
#include "log/admission.h"
#include "log/commit_request.h"
#include "log/log_tail.h"
#include "log/read_only_switch.h"

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

namespace orbitalreg::cas {

// Liveness lets handlers that were posted find out whether what they were posted for still exists.
class Liveness {
public:
    // Whether the owner is alive; then it stays until leave().
    bool enter();
    void leave();
    // Waits for those inside; nobody enters afterwards.
    void end();

private:
    std::mutex mutex_;
    std::condition_variable left_;
    bool alive_ = true;
    int inside_ = 0;
};

class Sequencer {
public:
    static constexpr std::size_t kSkippedMax = 1024;

    struct Parts {  // outlive the sequencer
        LogTail& tail;
        SegmentSpares& spares;
        FrameTarget& target;
        ReadOnlySwitch& read_only;
        // Makes a clean stop known: the superblock with the LSN of the `closed` frame.
        std::function<Result<void>(Lsn closed)> write_clean;
    };

    Sequencer(StoreEnvironment environment, const StoreOptions& options, FrameLimits limits,
              Parts parts);
    ~Sequencer();

    Awaitable<Result<Committed>> submit(Group group);
    // See Committer.
    Awaitable<Result<void>> between_frames(std::function<void()> step);
    // Within a step: no frame is built until a later step ends it, or the store stops. For work that must catch up
    // before applied state changes any further.
    void hold_frames(bool held) noexcept { held_ = held; }
    // Within a step: writes the idle frame if the last frame holds data, so that what was applied can no longer be taken
    // for a torn end. Whether something follows it now.
    bool follow_up();
    // Blocking, before start(): a frame of its own.
    Result<Committed> commit_now(Group& group);
    // See CommitLog.
    void on_no_space(std::function<bool()> give_up) { give_up_reserve_ = std::move(give_up); }
    // `grown` is told, on the sequencer, how many bytes of frames were written. Before start().
    void on_growth(std::function<void(std::uint64_t bytes)> grown) { grown_ = std::move(grown); }
    void start();
    Awaitable<Result<Committed>> stop(Group last);
    // Prepares spare segments on the background executor.
    void request_spares();

    std::uint64_t lsn() const noexcept { return lsn_.load(std::memory_order_relaxed); }
    std::uint32_t segment() const noexcept { return segment_.load(std::memory_order_relaxed); }

private:
    enum class Built : std::uint8_t { nothing, answers, frame };

    Awaitable<Result<Committed>> send(CommitRequest::Kind kind, Group group,
                                      std::function<void()> step = nullptr);
    void enqueue(std::unique_ptr<CommitRequest> request);
    void answer_at_once(std::unique_ptr<CommitRequest> request, ErrorCode error);

    void take_requests();
    bool run_step();
    bool work_waiting() const noexcept;
    Built build_frame();
    void admit_waiting();
    void admit(std::unique_ptr<CommitRequest> request);
    Result<void> check_readable(const Group& group) const;
    bool frame_full() const noexcept;
    void write_frame();
    void apply(const ScannedFrame& frame);
    void fail_frame(const ErrorCode& error);
    Result<void> reserve_room();
    Built fail_reserve(const ErrorCode& error);
    void answer_waiting(ErrorCode error);
    void answer(std::unique_ptr<CommitRequest> request, Result<Committed> outcome);
    void deliver();
    void publish_end();

    bool idle_due() const noexcept;
    std::int64_t idle_at_ns() const noexcept;
    void write_idle();
    void finish();
    bool finish_writes();
    void close_queue();

    void wake();
    void run();
    void wait_for_work();
    // On the background executor.
    void step_build();
    void step_write();
    void post_step(void (Sequencer::*step)());
    void arm_idle();
    static Awaitable<void> idle_timer(std::shared_ptr<Liveness> liveness, Sequencer* self);
    void prepare_spares();

    StoreEnvironment environment_;
    const StoreOptions options_;
    const FrameLimits limits_;
    Parts parts_;
    std::function<bool()> give_up_reserve_;
    std::function<void(std::uint64_t bytes)> grown_;
    std::uint64_t bytes_told_ = 0;
    Counter& requests_total_;
    Counter& frames_total_;
    Counter& records_total_;
    DurationHistogram& commit_seconds_;

    CommitQueue queue_;
    std::atomic<std::uint32_t> pending_{0};  // submitted and not answered
    std::atomic<bool> stopping_{false};
    std::atomic<std::uint64_t> lsn_{0};
    std::atomic<std::uint32_t> segment_{0};

    // The sequencer's own.
    Admission admission_;
    std::deque<std::unique_ptr<CommitRequest>> waiting_;
    CommitRequests admitted_;
    CommitRequests answers_;
    CommitRequests stops_;
    std::deque<std::unique_ptr<CommitRequest>> steps_;
    bool held_ = false;  // no frame until a step says so
    std::optional<PayloadWriter> payload_;
    FrameContext context_;
    std::vector<AppliedRecord> scratch_;
    std::int64_t last_write_ns_ = 0;
    bool idle_tried_ = false;  // since the last data frame
    bool started_ = false;
    bool finished_ = false;
    bool stepping_ = false;  // on the executor: a chain of steps is under way
    bool idle_armed_ = false;

    std::mutex wake_mutex_;
    std::condition_variable woken_;
    bool wake_ = false;
    bool abandoned_ = false;
    std::thread thread_;
    // Shared with posted handlers, which may outlive the sequencer.
    std::shared_ptr<Liveness> liveness_;
};

}  // namespace orbitalreg::cas
