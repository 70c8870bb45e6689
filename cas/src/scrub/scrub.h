#pragma once
// Scrub is the coroutine behind Scrubber: it looks the next extents up in the rows, pins each, reads it through an
// ExtentCheck at its rate, and commits its place now and then.
//
//   waiting ──due, or asked for──> in a pass ──no extent is left──> waiting
//                                    └── stop(), or the store turned read-only: ended, goes on after the next start
//
// Life     start() -> stop() -> destroyed; or abandon() instead of stop(), which is as safe as kill -9: what resumes after
//          it touches nothing of the store.
// Threads  the coroutine runs on `environment.background`; the rest from any.
// Limits   kWindowEntries extents are known ahead; one pin at a time; a piece of 256 KiB.

#include "base/event.h"
#include "cas/scrub.h"
#include "cas/store.h"
#include "check/extent_check.h"
#include "index/blob_table.h"
#include "log/commit_log.h"
#include "scrub/damage_marks.h"
#include "scrub/scrub_state.h"
#include "scrub/scrub_window.h"

#include <boost/asio/cancellation_signal.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace orbitalreg::cas {

class Scrub final : public Scrubber, public std::enable_shared_from_this<Scrub> {
public:
    static constexpr std::size_t kWindowEntries = 65536;
    static constexpr std::size_t kPieceSize = 256_KiB;

    Scrub(StoreEnvironment environment, const StoreOptions& options, BlobTable& blobs,
          const ScrubState& state, std::shared_ptr<DamageMarks> marks);

    void start(CommitLog& log);
    Awaitable<void> stop();
    void abandon() noexcept;

    void request_pass(ScrubRequest request) override;
    ScrubStatus scrub_status() const override;
    void resume_marking() override { marks_->resume(); }

private:
    void wake();
    static Awaitable<void> live(std::shared_ptr<Scrub> self);
    Awaitable<void> wait_for_pass();
    void begin_pass();
    Awaitable<void> run_pass();
    Awaitable<bool> fill_window();
    Awaitable<void> scrub_entry(ScrubEntry entry);
    Awaitable<ExtentVerdict> check_extent(const BlobView& blob);
    Awaitable<void> judge(const BlobView& blob, ExtentVerdict verdict);
    Awaitable<void> pace(std::uint64_t bytes);
    Awaitable<bool> record_position();
    Awaitable<void> end_pass();
    bool ended() const noexcept;  // stopped, abandoned or read-only
    bool interrupted() const noexcept { return ended() || requested_.load(); }
    std::int64_t due_in_ms() const;
    void publish_metrics();
    void log_trouble(const char* what, const BlobView& blob);

    StoreEnvironment environment_;
    const StoreOptions options_;
    BlobTable& blobs_;
    const ScrubState& state_;
    const std::shared_ptr<DamageMarks> marks_;
    CommitLog* log_ = nullptr;

    std::atomic<bool> stopped_{false};
    std::atomic<bool> requested_{false};
    std::atomic<bool> in_pass_{false};
    asio::cancellation_signal wake_;
    Event finished_;

    mutable std::mutex mutex_;
    ScrubPosition position_;  // of the pass that runs; the durable one may lag behind
    std::optional<ScrubRequest> request_;
    bool digests_ = false;
    std::uint64_t rate_bytes_ = 0;  // of this pass

    // Of the coroutine alone.
    bool started_ = false;
    std::unique_ptr<ExtentCheck> check_;
    std::optional<PinnedBlob> pinned_;
    std::vector<ScrubEntry> window_;
    std::int64_t due_ns_ = 0;  // when the bytes read so far may have been read
    std::int64_t recorded_ns_ = 0;
    std::uint32_t troubles_told_ = 0;  // in this pass

    Counter& blobs_total_;
    Counter& bytes_total_;
    Counter& passes_total_;
    Counter& damaged_total_;
    Counter& unreadable_total_;
    Counter& headers_total_;
    Counter& cleared_total_;
};

}  // namespace orbitalreg::cas
