#include "log/sequencer.h"

#include "base/assert.h"
#include "base/planted_bug.h"
#include "log/recovery.h"

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/prefer.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace orbitalreg::cas {
namespace {

template <class Handler>
class WaitingRequest final : public CommitRequest {
public:
    WaitingRequest(Kind what, Group&& records, Handler&& handler)
        : CommitRequest{what, std::move(records), work_on(asio::get_associated_executor(handler))},
          handler_{std::move(handler)} {}

    void resume() override {
        Handler handler = std::move(handler_);
        handler(outcome);
    }

private:
    static asio::any_io_executor work_on(const asio::any_io_executor& executor) {
        return asio::prefer(executor, asio::execution::outstanding_work.tracked);
    }

    Handler handler_;
};

// The answers of one frame for one reactor.
struct AnswerBatch {
    asio::any_io_executor executor;
    CommitRequests requests;
};

void post_batch(AnswerBatch batch) {
    const asio::any_io_executor executor = batch.executor;
    asio::post(executor, [requests = std::move(batch.requests)]() mutable {
        for (auto& request : requests) {
            request->resume();
            request.reset();
        }
    });
}

}  // namespace

bool Liveness::enter() {
    const std::lock_guard lock{mutex_};
    if (!alive_) return false;
    ++inside_;
    return true;
}

void Liveness::leave() {
    const std::lock_guard lock{mutex_};
    --inside_;
    left_.notify_all();
}

void Liveness::end() {
    std::unique_lock lock{mutex_};
    alive_ = false;
    left_.wait(lock, [this] { return inside_ == 0; });
}

Sequencer::Sequencer(StoreEnvironment environment, const StoreOptions& options, FrameLimits limits,
                     Parts parts)
    : environment_{std::move(environment)},
      options_{options},
      limits_{limits},
      parts_{std::move(parts)},
      requests_total_{
          environment_.metrics.counter("commit_requests_total", "Requests given to the log.")},
      frames_total_{
          environment_.metrics.counter("commit_frames_total", "Data frames written to the log.")},
      records_total_{
          environment_.metrics.counter("commit_records_total", "Records written to the log.")},
      commit_seconds_{
          environment_.metrics.histogram("commit_seconds", "Time from a request to its answer.")},
      liveness_{std::make_shared<Liveness>()} {
    publish_end();
}

Sequencer::~Sequencer() {
    {
        const std::lock_guard lock{wake_mutex_};
        abandoned_ = true;
    }
    woken_.notify_all();
    if (thread_.joinable()) thread_.join();
    liveness_->end();
}

// --- submission, any thread ---

Awaitable<Result<Committed>> Sequencer::send(CommitRequest::Kind kind, Group group,
                                             std::function<void()> step) {
    return asio::async_initiate<const asio::use_awaitable_t<>&, void(Result<Committed>)>(
        [](auto handler, Sequencer* self, CommitRequest::Kind what, Group records,
           std::function<void()> work) {
            using Waiting = WaitingRequest<decltype(handler)>;
            auto request = std::make_unique<Waiting>(what, std::move(records), std::move(handler));
            request->step = std::move(work);
            self->enqueue(std::move(request));
        },
        asio::use_awaitable, this, kind, std::move(group), std::move(step));
}

Awaitable<Result<Committed>> Sequencer::submit(Group group) {
    return send(CommitRequest::Kind::commit, std::move(group));
}

Awaitable<Result<void>> Sequencer::between_frames(std::function<void()> step) {
    const auto run = co_await send(CommitRequest::Kind::step, {}, std::move(step));
    if (!run) co_return fail(run.error());
    co_return ok();
}

Awaitable<Result<Committed>> Sequencer::stop(Group last) {
    return send(CommitRequest::Kind::stop, std::move(last));
}

void Sequencer::enqueue(std::unique_ptr<CommitRequest> request) {
    request->submitted_ns = environment_.clock.steady_ns();
    const bool late = stopping_.load(std::memory_order_relaxed);
    if (late && request->kind != CommitRequest::Kind::stop) {
        return answer_at_once(std::move(request), Errc::stopped);
    }
    if (request->kind == CommitRequest::Kind::commit) {
        requests_total_.add();
        if (parts_.read_only.on()) return answer_at_once(std::move(request), Errc::read_only);
        if (pending_.load(std::memory_order_relaxed) >= options_.sequencer_queue_max) {
            return answer_at_once(std::move(request), Errc::overloaded);
        }
    }
    pending_.fetch_add(1, std::memory_order_relaxed);
    switch (queue_.push(request)) {
        case CommitQueue::Pushed::first:
            return wake();
        case CommitQueue::Pushed::behind_others:
            return;
        case CommitQueue::Pushed::closed:
            break;
    }
    pending_.fetch_sub(1, std::memory_order_relaxed);
    answer_at_once(std::move(request), Errc::stopped);
}

void Sequencer::answer_at_once(std::unique_ptr<CommitRequest> request, ErrorCode error) {
    request->outcome = fail(error);
    AnswerBatch batch{request->executor, {}};
    batch.requests.push_back(std::move(request));
    post_batch(std::move(batch));
}

// --- building a frame ---

void Sequencer::take_requests() {
    for (auto& request : queue_.take()) {
        switch (request->kind) {
            case CommitRequest::Kind::commit:
                waiting_.push_back(std::move(request));
                break;
            case CommitRequest::Kind::step:
                steps_.push_back(std::move(request));
                break;
            case CommitRequest::Kind::stop:
                stopping_.store(true, std::memory_order_relaxed);
                held_ = false;
                stops_.push_back(std::move(request));
                break;
        }
    }
}

// One step, if one is asked for: whoever waits for it goes on while the next frame is written.
bool Sequencer::run_step() {
    if (steps_.empty()) return false;
    auto request = std::move(steps_.front());
    steps_.pop_front();
    request->step();
    answer(std::move(request),
           Committed{Lsn{parts_.tail.end().lsn}, parts_.tail.end().store_time_ms});
    deliver();
    return true;
}

bool Sequencer::work_waiting() const noexcept {
    return (!waiting_.empty() && !held_) || !queue_.empty() || !steps_.empty();
}

Sequencer::Built Sequencer::build_frame() {
    if (waiting_.empty()) return Built::nothing;
    if (parts_.read_only.on()) {
        answer_waiting(Errc::read_only);
        return Built::answers;
    }
    if (held_) return Built::nothing;
    const std::uint32_t segment = parts_.tail.end().position.segment;
    const auto reserved = reserve_room();
    if (!reserved) return fail_reserve(reserved.error());
    if (parts_.tail.end().position.segment != segment) request_spares();
    context_ = parts_.tail.begin();
    payload_.emplace(parts_.tail.room());
    admit_waiting();
    return admitted_.empty() ? Built::answers : Built::frame;
}

bool Sequencer::frame_full() const noexcept {
    return payload_->payload_bytes() >= limits_.target_bytes ||
           payload_->record_count() >= limits_.records || !payload_->fits(limits_.group_bytes);
}

void Sequencer::admit_waiting() {
    admission_.clear();
    std::deque<std::unique_ptr<CommitRequest>> left;
    while (!waiting_.empty() && !frame_full() && left.size() < kSkippedMax) {
        auto request = std::move(waiting_.front());
        waiting_.pop_front();
        if (admission_.admit(request->group.keys)) {
            admit(std::move(request));
        } else {
            left.push_back(std::move(request));
        }
    }
    // Those that must wait stay before those that nobody looked at.
    for (; !left.empty(); left.pop_back()) waiting_.push_front(std::move(left.back()));
}

void Sequencer::admit(std::unique_ptr<CommitRequest> request) {
    Group& group = request->group;
    if (group.check) {
        const auto checked = group.check(group, context_);
        if (!checked) return answer(std::move(request), fail(checked.error()));
    }
    if (encoded_size_max(group.records) > limits_.group_bytes) {
        return answer(std::move(request), fail(Errc::change_too_large));
    }
    if (const auto readable = check_readable(group); !readable)
        return answer(std::move(request), fail(readable.error()));
    if (!group.records.empty()) payload_->add(group.records);
    admitted_.push_back(std::move(request));
}

// A record that its machine cannot read would end this process when it is applied, and each process that opens the store
// after it: it is refused while nothing has happened yet.
Result<void> Sequencer::check_readable(const Group& group) const {
    for (const GroupRecord& record : group.records) {
        if (record.owner != RecordOwner::catalog) continue;
        AppliedRecord written;
        written.type = record.type;
        written.owner = record.owner;
        written.body = record.body;
        written.raw = record.raw;
        ORB_TRY(parts_.target.verify(written));
    }
    return ok();
}

// --- writing and applying it ---

void Sequencer::write_frame() {
    if (parts_.read_only.on()) {  // since the frame was built
        for (auto& request : std::exchange(admitted_, {}))
            answer(std::move(request), fail(Errc::read_only));
        return deliver();
    }
    if (payload_->record_count() ==
        0) {  // nothing to write: all checks passed against what is durable already
        for (auto& request : std::exchange(admitted_, {})) {
            answer(std::move(request),
                   Committed{Lsn{parts_.tail.end().lsn}, parts_.tail.end().store_time_ms});
        }
        return deliver();
    }
    payload_->finish();
    const ScannedFrame frame =
        parts_.tail.seal(FrameKind::data, payload_->payload_bytes(), payload_->record_count());
    const bool too_early = ORB_PLANTED(ack_before_durable);
    if (too_early) apply(frame);
    const auto written = parts_.tail.write(frame);
    if (!written) return fail_frame(written.error());
    publish_end();
    last_write_ns_ = environment_.clock.steady_ns();
    idle_tried_ = false;
    frames_total_.add();
    records_total_.add(frame.header.record_count);
    if (!too_early) apply(frame);
}

void Sequencer::apply(const ScannedFrame& frame) {
    const auto records = decode_records(frame.header, frame.position.offset, frame.bytes);
    ORB_ASSERT(records.has_value());  // we wrote it
    apply_frame(parts_.target, context_, records.value(), scratch_);
    for (auto& request : std::exchange(admitted_, {})) {
        answer(std::move(request), Committed{context_.lsn, context_.store_time_ms});
    }
    deliver();
}

void Sequencer::fail_frame(const ErrorCode& error) {
    parts_.read_only.set("a write to the log failed: " + error.message());
    for (auto& request : std::exchange(admitted_, {}))
        answer(std::move(request), fail(Errc::outcome_unknown));
    answer_waiting(Errc::read_only);
    deliver();
}

// Room for one more frame; the disk reserve is for when there is none.
Result<void> Sequencer::reserve_room() {
    const std::uint64_t frame_bytes = kFrameHeaderSize + limits_.group_bytes;
    const auto reserved = parts_.tail.reserve(frame_bytes);
    const bool no_space = !reserved && reserved.error() == make_error_code(Errc::no_space);
    if (!no_space || !give_up_reserve_ || !give_up_reserve_()) return reserved;
    return parts_.tail.reserve(frame_bytes);
}

Sequencer::Built Sequencer::fail_reserve(const ErrorCode& error) {
    const bool no_space = error == make_error_code(Errc::no_space);
    if (!no_space) parts_.read_only.set("the next log segment cannot be made: " + error.message());
    answer_waiting(no_space ? Errc::no_space : Errc::read_only);
    return Built::answers;
}

void Sequencer::answer_waiting(ErrorCode error) {
    for (auto& request : std::exchange(waiting_, {})) answer(std::move(request), fail(error));
}

void Sequencer::answer(std::unique_ptr<CommitRequest> request, Result<Committed> outcome) {
    request->outcome = std::move(outcome);
    answers_.push_back(std::move(request));
}

// One list and one post for each executor.
void Sequencer::deliver() {
    const std::int64_t now_ns = environment_.clock.steady_ns();
    std::vector<AnswerBatch> batches;
    for (auto& request : std::exchange(answers_, {})) {
        if (request->kind != CommitRequest::Kind::step)
            commit_seconds_.observe_ns(now_ns - request->submitted_ns);
        pending_.fetch_sub(1, std::memory_order_relaxed);
        auto batch = std::find_if(batches.begin(), batches.end(), [&](const AnswerBatch& b) {
            return b.executor == request->executor;
        });
        if (batch == batches.end())
            batch = batches.insert(batches.end(), AnswerBatch{request->executor, {}});
        batch->requests.push_back(std::move(request));
    }
    for (AnswerBatch& batch : batches) post_batch(std::move(batch));
}

void Sequencer::publish_end() {
    lsn_.store(parts_.tail.end().lsn, std::memory_order_relaxed);
    segment_.store(parts_.tail.end().position.segment, std::memory_order_relaxed);
    if (!grown_) return;
    const std::uint64_t written = parts_.tail.bytes_written();
    grown_(written - std::exchange(bytes_told_, written));
}

Result<Committed> Sequencer::commit_now(Group& group) {
    if (parts_.read_only.on()) return fail(Errc::read_only);
    ORB_TRY(reserve_room());
    context_ = parts_.tail.begin();
    if (group.check) {
        ORB_TRY(group.check(group, context_));
    }
    if (encoded_size_max(group.records) > limits_.group_bytes) return fail(Errc::change_too_large);
    ORB_TRY(check_readable(group));
    if (group.records.empty())
        return Committed{Lsn{parts_.tail.end().lsn}, parts_.tail.end().store_time_ms};
    payload_.emplace(parts_.tail.room());
    payload_->add(group.records);
    payload_->finish();
    const ScannedFrame frame =
        parts_.tail.seal(FrameKind::data, payload_->payload_bytes(), payload_->record_count());
    const auto written = parts_.tail.write(frame);
    if (!written) {
        parts_.read_only.set("a write to the log failed: " + written.error().message());
        return fail(Errc::outcome_unknown);
    }
    publish_end();
    last_write_ns_ = environment_.clock.steady_ns();
    apply(frame);
    return Committed{context_.lsn, context_.store_time_ms};
}

// --- idling and stopping ---

std::int64_t Sequencer::idle_at_ns() const noexcept {
    return last_write_ns_ + options_.idle_frame_after_ms * 1'000'000;
}

// Whether the last frame is one whose rot could be taken for a torn tail.
bool Sequencer::idle_due() const noexcept {
    return parts_.tail.last_kind() == FrameKind::data && !idle_tried_ && !finished_ &&
           !parts_.read_only.on();
}

void Sequencer::write_idle() {
    idle_tried_ = true;
    const std::uint32_t segment = parts_.tail.end().position.segment;
    const auto written = parts_.tail.write_bare(FrameKind::idle);
    publish_end();
    if (written) {
        if (parts_.tail.end().position.segment != segment) request_spares();
        return;
    }
    // Without a next segment the frame is missed, which is no promise broken.
    if (written.error() == make_error_code(Errc::no_space)) return;
    parts_.read_only.set("a write to the log failed: " + written.error().message());
}

bool Sequencer::follow_up() {
    if (idle_due()) write_idle();
    return parts_.tail.last_kind() != FrameKind::data && !parts_.read_only.on();
}

// The frame of the last group, `closed`, and the superblock that knows of it.
bool Sequencer::finish_writes() {
    if (parts_.read_only.on()) return false;
    Group last = std::move(stops_.front()->group);
    if (!last.records.empty() || last.check) {
        const auto committed = commit_now(last);
        if (!committed) {
            environment_.log.warn("the last frame of the store could not be written",
                                  {{"error", committed.error().message()}});
        }
        if (parts_.read_only.on()) return false;
    }
    auto closed = parts_.tail.write_bare(FrameKind::closed);
    if (closed) closed = parts_.write_clean(Lsn{parts_.tail.end().lsn});
    if (closed) return true;
    parts_.read_only.set("the store could not be closed: " + closed.error().message());
    return false;
}

void Sequencer::finish() {
    const bool clean = finish_writes();
    publish_end();
    finished_ = true;
    close_queue();
    for (auto& request : std::exchange(stops_, {})) {
        const Committed end{Lsn{parts_.tail.end().lsn}, parts_.tail.end().store_time_ms};
        answer(std::move(request), clean ? Result<Committed>{end} : fail(Errc::read_only));
    }
    deliver();
}

void Sequencer::close_queue() {
    for (auto& request : queue_.close()) {
        if (request->kind == CommitRequest::Kind::stop) {
            stops_.push_back(std::move(request));
        } else {
            answer(std::move(request), fail(Errc::stopped));
        }
    }
}

// --- on a thread of its own ---

void Sequencer::start() {
    started_ = true;
    last_write_ns_ = environment_.clock.steady_ns();
    request_spares();
    if (environment_.sequencer_on_executor) {
        post_step(&Sequencer::step_build);
    } else {
        thread_ = std::thread{[this] { run(); }};
    }
}

void Sequencer::wake() {
    if (environment_.sequencer_on_executor) return post_step(&Sequencer::step_build);
    {
        const std::lock_guard lock{wake_mutex_};
        wake_ = true;
    }
    woken_.notify_one();
}

void Sequencer::run() {
    while (!finished_) {
        {
            const std::lock_guard lock{wake_mutex_};
            if (abandoned_) return;
        }
        take_requests();
        const bool stepped = run_step();
        const Built built = build_frame();
        if (built == Built::frame) {
            write_frame();
        } else if (built == Built::answers) {
            deliver();
        } else if (!stops_.empty() && steps_.empty()) {
            finish();
        } else if (!stepped) {
            wait_for_work();
        }
    }
}

void Sequencer::wait_for_work() {
    const bool idle = idle_due();
    const std::int64_t left_ns = idle ? idle_at_ns() - environment_.clock.steady_ns() : 0;
    if (idle && left_ns <= 0) return write_idle();
    std::unique_lock lock{wake_mutex_};
    const auto called = [this] { return wake_ || abandoned_; };
    if (idle) {
        woken_.wait_for(lock, std::chrono::nanoseconds{left_ns}, called);
    } else {
        woken_.wait(lock, called);
    }
    wake_ = false;
}

// --- as handlers on the background executor ---

void Sequencer::post_step(void (Sequencer::*step)()) {
    asio::post(environment_.background, [liveness = liveness_, self = this, step] {
        if (!liveness->enter()) return;
        (self->*step)();
        liveness->leave();
    });
}

void Sequencer::step_build() {
    if (!started_ || stepping_ || finished_) return;  // the chain under way takes what is queued
    take_requests();
    run_step();
    const Built built = build_frame();
    if (built == Built::frame) {
        stepping_ = true;
        return post_step(&Sequencer::step_write);
    }
    deliver();
    if (built == Built::nothing && !stops_.empty() && steps_.empty()) return finish();
    if (work_waiting() || !stops_.empty()) return post_step(&Sequencer::step_build);
    arm_idle();
}

void Sequencer::step_write() {
    write_frame();
    stepping_ = false;
    post_step(&Sequencer::step_build);
}

void Sequencer::arm_idle() {
    if (idle_armed_ || !idle_due()) return;
    idle_armed_ = true;
    asio::co_spawn(environment_.background, idle_timer(liveness_, this), asio::detached);
}

Awaitable<void> Sequencer::idle_timer(std::shared_ptr<Liveness> liveness, Sequencer* self) {
    while (liveness->enter()) {
        const std::int64_t idle_at = self->idle_at_ns();
        const bool late = self->environment_.clock.steady_ns() >= idle_at;
        const bool busy = self->stepping_ || !self->waiting_.empty() || !self->idle_due();
        if (late && !busy) self->write_idle();
        if (late) self->idle_armed_ = false;  // the next frame arms it again
        Clock& clock = self->environment_.clock;
        liveness->leave();
        if (late) co_return;
        co_await clock.sleep_until(idle_at);
    }
}

// --- spares ---

void Sequencer::request_spares() { post_step(&Sequencer::prepare_spares); }

// One segment a handler, so that other work of the executor comes in between.
void Sequencer::prepare_spares() {
    if (parts_.read_only.on()) return;
    const auto more = parts_.spares.prepare_one();
    if (more) {
        if (more.value()) request_spares();
    } else if (more.error() == make_error_code(Errc::no_space)) {
        environment_.log.warn("no space for a spare log segment");
    } else {
        parts_.read_only.set("a spare log segment cannot be made: " + more.error().message());
    }
}

}  // namespace orbitalreg::cas
