#include "scrub/scrub.h"

#include "base/assert.h"
#include "cas/errors.h"
#include "io/woken_by.h"

#include <algorithm>
#include <limits>

namespace orbitalreg::cas {
namespace {

constexpr std::uint32_t kRowsPerSlice = 1024;  // some 100 us of the sequencer
constexpr std::int64_t kWaitMaxMs = 3'600'000;
constexpr std::int64_t kBurstNs = 100'000'000;  // what may be caught up on
constexpr std::int64_t kRetryNs = 1'000'000'000;
constexpr std::uint32_t kTroublesToldMax = 100;

}  // namespace

Scrub::Scrub(StoreEnvironment environment, const StoreOptions& options, BlobTable& blobs,
             const ScrubState& state, std::shared_ptr<DamageMarks> marks)
    : environment_{std::move(environment)},
      options_{options},
      blobs_{blobs},
      state_{state},
      marks_{std::move(marks)},
      blobs_total_{environment_.metrics.counter("scrub_blobs_total", "Blobs read by the scrub.")},
      bytes_total_{environment_.metrics.counter("scrub_bytes_total", "Bytes read by the scrub.")},
      passes_total_{environment_.metrics.counter("scrub_passes_total",
                                                 "Passes of the scrub that went through.")},
      damaged_total_{environment_.metrics.counter(
          "scrub_damaged_total", "Blobs whose bytes failed their checksum when scrubbed.")},
      unreadable_total_{environment_.metrics.counter(
          "scrub_unreadable_total", "Blobs that the device refused to read when scrubbed.")},
      headers_total_{environment_.metrics.counter("scrub_headers_damaged_total",
                                                  "Record headers that were damaged; reads do not "
                                                  "need them, fsck --repair rewrites them.")},
      cleared_total_{environment_.metrics.counter(
          "scrub_cleared_total", "Blobs marked damaged that verified again when scrubbed.")} {
    publish_metrics();
}

void Scrub::publish_metrics() {
    Metrics& metrics = environment_.metrics;
    const auto age_s = [this] {
        const ScrubStatus status = scrub_status();
        if (status.full_pass == 0 || log_ == nullptr) {
            return std::numeric_limits<double>::quiet_NaN();
        }
        const std::uint64_t now_ms = log_->store_time_ms();
        return static_cast<double>(now_ms - std::min(now_ms, status.full_begun_store_time_ms)) /
               1000;
    };
    metrics.gauge_function("scrub_full_age_seconds",
                           "Store time since the begin of the last pass that went through: all "
                           "that was stored then has been verified since. NaN: never.",
                           {}, age_s);
    metrics.gauge_function("scrub_running", "1 while a pass is under way.", {},
                           [this] { return scrub_status().running ? 1.0 : 0.0; });
    metrics.gauge_function("scrub_pass_ratio",
                           "Bytes verified in this pass, of all bytes of blobs.", {}, [this] {
                               const double all = static_cast<double>(blobs_.bytes());
                               const double done = static_cast<double>(scrub_status().bytes);
                               return all > 0 ? std::min(done / all, 1.0) : 1.0;
                           });
}

void Scrub::start(CommitLog& log) {
    log_ = &log;
    position_ = state_.position();
    if (options_.read_only) {
        stopped_ = true;
        finished_.set();
        return;
    }
    asio::co_spawn(environment_.background, live(shared_from_this()), WokenBy{wake_.slot()});
}

Awaitable<void> Scrub::stop() {
    stopped_ = true;
    wake();
    co_await finished_.wait();
    // The next start goes on exactly here.
    if (position_.running && log_ != nullptr && !log_->read_only()) co_await record_position();
}

void Scrub::abandon() noexcept {
    stopped_ = true;
    pinned_.reset();
    log_ = nullptr;
}

void Scrub::wake() {
    asio::post(environment_.background, [self = shared_from_this()] {
        // Before it is prepared for it the coroutine would end.
        if (self->started_) self->wake_.emit(asio::cancellation_type::terminal);
    });
}

void Scrub::request_pass(ScrubRequest request) {
    {
        const std::lock_guard lock{mutex_};
        request_ = request;
    }
    requested_ = true;
    wake();
}

ScrubStatus Scrub::scrub_status() const {
    ScrubStatus status;
    status.damaged = damaged_total_.value();
    status.unreadable = unreadable_total_.value();
    status.headers_damaged = headers_total_.value();
    status.cleared = cleared_total_.value();
    status.damage_storm = marks_->storm();
    const std::lock_guard lock{mutex_};
    status.enabled = options_.scrub_rate_bytes != 0 || request_.has_value();
    status.running = in_pass_;
    status.digests = digests_ && in_pass_;
    status.pass = position_.pass;
    status.pass_begun_store_time_ms = position_.begun_store_time_ms;
    status.blobs = position_.blobs;
    status.bytes = position_.bytes;
    status.in_log = position_.place.in_log;
    status.file = position_.place.file;
    status.full_pass = position_.full_pass;
    status.full_begun_store_time_ms = position_.full_begun_store_time_ms;
    status.full_ended_store_time_ms = position_.full_ended_store_time_ms;
    return status;
}

bool Scrub::ended() const noexcept { return stopped_ || log_ == nullptr || log_->read_only(); }

// --- the coroutine ---

Awaitable<void> Scrub::live(std::shared_ptr<Scrub> self) {
    // stop() and request_pass() only wake it.
    co_await asio::this_coro::throw_if_cancelled(false);
    self->started_ = true;
    while (!self->ended()) {
        co_await self->wait_for_pass();
        if (self->ended()) break;
        self->begin_pass();
        co_await self->run_pass();
        self->in_pass_ = false;
    }
    self->in_pass_ = false;
    self->pinned_.reset();
    self->finished_.set();
}

std::int64_t Scrub::due_in_ms() const {
    if (requested_) return 0;
    if (options_.scrub_rate_bytes == 0) return kWaitMaxMs;
    const std::lock_guard lock{mutex_};
    if (position_.running || position_.pass == 0) return 0;
    const std::uint64_t now_ms = log_->store_time_ms();
    const std::uint64_t due_ms = position_.full_begun_store_time_ms +
                                 static_cast<std::uint64_t>(options_.scrub_full_every_ms);
    if (now_ms >= due_ms) return 0;
    return static_cast<std::int64_t>(std::min<std::uint64_t>(due_ms - now_ms, kWaitMaxMs));
}

Awaitable<void> Scrub::wait_for_pass() {
    while (!ended()) {
        const std::int64_t wait_ms = due_in_ms();
        if (wait_ms == 0) co_return;
        const std::int64_t now_ns = environment_.clock.steady_ns();
        co_await environment_.clock.sleep_until(now_ns + wait_ms * 1'000'000);
    }
}

// Where the last one was interrupted, or a new one.
void Scrub::begin_pass() {
    requested_ = false;
    in_pass_ = true;
    const std::lock_guard lock{mutex_};
    const bool asked = request_.has_value();
    if (!position_.running || asked) {
        position_.running = true;
        ++position_.pass;
        position_.place = {};
        position_.begun_store_time_ms = log_->store_time_ms();
        position_.blobs = 0;
        position_.bytes = 0;
    }
    const std::uint32_t every = options_.scrub_digest_every;
    digests_ = asked ? request_->digests : every != 0 && position_.pass % every == 0;
    rate_bytes_ = asked ? request_->rate_bytes : options_.scrub_rate_bytes;
    request_.reset();
    window_.clear();
    troubles_told_ = 0;
    due_ns_ = 0;
    recorded_ns_ = environment_.clock.steady_ns();
    if (check_ == nullptr) {
        check_ = std::make_unique<ExtentCheck>(
            environment_.io, StoreIdentity{log_->uuid(), log_->seed()}, kPieceSize);
    }
}

Awaitable<void> Scrub::run_pass() {
    for (;;) {
        const bool looked_up = co_await fill_window();
        if (interrupted()) co_return;
        if (!looked_up) {  // more is asked of the log than it takes
            const std::int64_t now_ns = environment_.clock.steady_ns();
            co_await environment_.clock.sleep_until(now_ns + kRetryNs);
            continue;
        }
        if (window_.empty()) break;
        for (const ScrubEntry& entry : window_) {
            co_await scrub_entry(entry);
            pinned_.reset();
            if (interrupted()) {
                if (!ended()) co_await record_position();
                co_return;
            }
        }
        const bool more = window_.size() >= kWindowEntries;
        window_.clear();
        if (!more) break;
    }
    co_await end_pass();
}

// The rows are looked at between two frames, so that none changes meanwhile.
Awaitable<bool> Scrub::fill_window() {
    ScrubPlace from;
    {
        const std::lock_guard lock{mutex_};
        from = position_.place;
    }
    ScrubWindow next{from, kWindowEntries};
    for (std::uint32_t id = 1; !interrupted();) {
        bool more = false;
        const auto stepped = co_await log_->between_frames([&] {
            more = blobs_.for_each_from(BlobId{id}, kRowsPerSlice,
                                        [&next](const BlobView& blob) { next.add(blob); });
        });
        if (!stepped || ended()) co_return false;
        id += kRowsPerSlice;
        if (!more) {
            window_ = next.take();
            co_return true;
        }
    }
    co_return false;
}

Awaitable<void> Scrub::scrub_entry(ScrubEntry entry) {
    const auto looked_up = co_await log_->between_frames(
        [this, &entry] { pinned_ = blobs_.pin_extent(entry.id, entry.uid); });
    if (!looked_up || interrupted()) co_return;
    if (pinned_) {
        // A copy: abandon() lets the pin go.
        const BlobView blob = pinned_->blob;
        const ExtentVerdict verdict = co_await check_extent(blob);
        if (verdict == ExtentVerdict::more || ended()) co_return;
        pinned_.reset();
        co_await judge(blob, verdict);
        if (ended()) co_return;
        blobs_total_.add();
        const std::lock_guard lock{mutex_};
        ++position_.blobs;
        position_.bytes += blob.extent.size_bytes;
    }
    {
        const std::lock_guard lock{mutex_};
        position_.place = entry.place;
        ++position_.place.position;
    }
    const std::int64_t now_ns = environment_.clock.steady_ns();
    if (now_ns - recorded_ns_ >= options_.scrub_position_every_ms * 1'000'000) {
        co_await record_position();
    }
}

// `more` when it was interrupted.
Awaitable<ExtentVerdict> Scrub::check_extent(const BlobView& blob) {
    check_->begin(blob, digests_);
    std::uint64_t before = 0;
    for (;;) {
        const ExtentVerdict verdict = check_->step();
        const std::uint64_t read = check_->bytes_read() - before;
        before += read;
        bytes_total_.add(read);
        co_await pace(read);
        if (verdict != ExtentVerdict::more || interrupted()) co_return verdict;
    }
}

// Other work of the executor comes in between in any case.
Awaitable<void> Scrub::pace(std::uint64_t bytes) {
    co_await asio::post(environment_.background, asio::use_awaitable);
    if (rate_bytes_ == 0 || ended()) co_return;
    const std::int64_t now_ns = environment_.clock.steady_ns();
    due_ns_ = std::max(due_ns_, now_ns - kBurstNs) +
              static_cast<std::int64_t>(static_cast<double>(bytes) * 1e9 /
                                        static_cast<double>(rate_bytes_)) *
                  log_->scheduler().slowness(now_ns);
    if (due_ns_ > now_ns && !interrupted()) co_await environment_.clock.sleep_until(due_ns_);
}

void Scrub::log_trouble(const char* what, const BlobView& blob) {
    if (++troubles_told_ > kTroublesToldMax) return;
    const ExtentTrouble& trouble = check_->trouble();
    environment_.log.error(what, {{"digest", blob.digest.to_string()},
                                  {"found", trouble.code},
                                  {"lane", blob.extent.in_lane ? blob.extent.file : 0},
                                  {"segment", blob.extent.in_lane ? 0 : blob.extent.file},
                                  {"page", trouble.page},
                                  {"detail", trouble.detail}});
}

Awaitable<void> Scrub::judge(const BlobView& blob, ExtentVerdict verdict) {
    if (!check_->header_sound()) {
        headers_total_.add();
        log_trouble("scrub: the header of a lane record is damaged; the blob is not", blob);
    }
    if (verdict == ExtentVerdict::unreadable) {
        unreadable_total_.add();
        log_trouble("scrub: a blob cannot be read", blob);
    } else if (verdict == ExtentVerdict::damaged) {
        damaged_total_.add();
        log_trouble("scrub: a blob is damaged", blob);
        if (!blob.damaged) co_await DamageMarks::mark(marks_, blob);
    } else if (blob.damaged) {
        cleared_total_.add();
        co_await DamageMarks::clear(marks_, blob);
    }
}

Awaitable<bool> Scrub::record_position() {
    ScrubPosition position;
    {
        const std::lock_guard lock{mutex_};
        position = position_;
    }
    recorded_ns_ = environment_.clock.steady_ns();
    Group group;
    group.records.push_back(encode_record(position));
    const auto committed = co_await log_->commit(std::move(group));
    co_return committed.has_value();
}

Awaitable<void> Scrub::end_pass() {
    {
        const std::lock_guard lock{mutex_};
        position_.running = false;
        position_.full_pass = position_.pass;
        position_.full_begun_store_time_ms = position_.begun_store_time_ms;
        position_.full_ended_store_time_ms = log_->store_time_ms();
    }
    const bool recorded = co_await record_position();
    if (ended()) co_return;
    passes_total_.add();
    const ScrubStatus status = scrub_status();
    environment_.log.info("scrub: everything stored has been verified",
                          {{"pass", status.pass},
                           {"digests", digests_},
                           {"blobs", status.blobs},
                           {"bytes", status.bytes},
                           {"damaged", status.damaged},
                           {"unreadable", status.unreadable},
                           {"recorded", recorded}});
}

}  // namespace orbitalreg::cas
