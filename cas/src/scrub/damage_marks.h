#pragma once
// DamageMarks is the only way to the mark `damaged` and back. A mark hides a blob from readers until it is pushed again, so
// a device that answers nonsense for a minute must not condemn a store: more than
// StoreOptions::damage_marks_per_minute_max new marks within a minute, and no further one is made until an operator says
// so or the store is opened anew. Reads verify every byte all the same; what is not marked is still never served wrong.
//
//   calm ──one mark too many within a minute──> storm ──resume()──> calm
//
// Life     attach() once the log is open; abandon() before the log and the table end: what resumes afterwards does nothing.
// Durable  mark() and clear() return after their frame.
// Threads  any.

#include "base/asio.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "cas/journal.h"
#include "index/blob_table.h"
#include "log/group.h"

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

namespace orbitalreg::cas {

// At most so many events within a minute; one more trips it, for good.
class DamageLimiter {
public:
    DamageLimiter(Clock& clock, std::uint32_t per_minute_max) noexcept
        : clock_{clock}, per_minute_max_{per_minute_max} {}

    // Whether one more may happen now; it is counted if so. True in `tripped` when this call tripped it.
    bool admit(bool& tripped);
    bool storm() const noexcept { return storm_.load(std::memory_order_relaxed); }
    void resume();

private:
    Clock& clock_;
    const std::uint32_t per_minute_max_;
    std::mutex mutex_;
    std::deque<std::int64_t> recent_ns_;  // of the last minute, at most per_minute_max_
    std::atomic<bool> storm_{false};
};

class DamageMarks : public std::enable_shared_from_this<DamageMarks> {
public:
    DamageMarks(Clock& clock, Log& log, Metrics& metrics, const BlobTable& blobs,
                std::uint32_t per_minute_max);

    // Set before attach(): called on the sequencer when a storm begins.
    std::function<void(std::string reason)> on_storm;

    void attach(Committer& log) noexcept { committer_.store(&log); }
    void abandon() noexcept { committer_.store(nullptr); }

    // The bytes of this extent failed their sums in two reads, the second past the page cache. Nothing happens when the row
    // names another extent by now, is marked already, or in a storm.
    static Awaitable<void> mark(std::shared_ptr<DamageMarks> self, BlobView blob);
    // The extent of a marked blob verified as a whole: the mark goes.
    static Awaitable<void> clear(std::shared_ptr<DamageMarks> self, BlobView blob);

    bool storm() const noexcept { return limiter_.storm(); }
    void resume();

private:
    Result<void> check_mark(Group& group, const BlobView& blob);
    Result<void> check_clear(Group& group, const BlobView& blob) const;

    Log& log_;
    const BlobTable& blobs_;
    DamageLimiter limiter_;
    Counter& marks_total_;
    Counter& cleared_total_;
    Counter& refused_total_;
    Gauge& storm_gauge_;
    std::atomic<Committer*> committer_{nullptr};
};

// Body of blob_damaged and blob_healed: a digest. Errc::bad_format; both name the extent in the envelope's uid.
Result<void> verify_damage_record(const AppliedRecord& record) noexcept;

}  // namespace orbitalreg::cas
