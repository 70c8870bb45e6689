#include "push/running_uploads.h"

#include <algorithm>

namespace orbitalreg::engine {

// The writer of a session, as its request sees it.
class WatchedWriter final : public UploadWriter {
public:
    WatchedWriter(RunningUploads& uploads, const SessionId& session, std::string principal,
                  std::uint64_t now_ms, std::shared_ptr<RunningUploads::Run> run,
                  std::unique_ptr<UploadWriter> writer) noexcept
        : uploads_{uploads},
          session_{session},
          principal_{std::move(principal)},
          now_ms_{now_ms},
          run_{std::move(run)},
          writer_{std::move(writer)} {}
    ~WatchedWriter() override {
        // The session is free for the next writer before anybody can ask for it.
        writer_.reset();
        uploads_.end(session_, run_, closed_);
    }

    std::uint64_t offset() const noexcept override { return writer_->offset(); }
    Awaitable<Answer<MutableByteView>> buffer() override {
        if (run_->cancelled) {
            auto why = co_await close();
            co_return refuse(std::move(why));
        }
        co_return co_await writer_->buffer();
    }
    Awaitable<Answer<void>> advance(std::size_t size) override {
        if (run_->cancelled) {
            auto why = co_await close();
            co_return refuse(std::move(why));
        }
        co_return co_await writer_->advance(size);
    }
    Awaitable<Answer<std::uint64_t>> mark() override {
        if (run_->cancelled) {
            auto why = co_await close();
            co_return refuse(std::move(why));
        }
        auto marked = co_await writer_->mark();
        if (marked) uploads_.held_.hold(principal_, session_, now_ms_);
        co_return marked;
    }
    Awaitable<Answer<BlobInfo>> finish(Digest expected) override {
        if (run_->cancelled) {
            auto why = co_await close();
            co_return refuse(std::move(why));
        }
        auto finished = co_await writer_->finish(expected);
        const bool ended = finished || finished.error().code == Errc::digest_mismatch;
        if (ended) uploads_.held_.release(principal_, session_);
        co_return finished;
    }
    Awaitable<Answer<std::shared_ptr<FollowedUpload>>> follow() override {
        co_return co_await writer_->follow();
    }
    Awaitable<Answer<void>> cancel() override {
        if (run_->cancelled) {
            auto why = co_await close();
            co_return refuse(std::move(why));
        }
        auto cancelled = co_await writer_->cancel();
        if (cancelled) uploads_.held_.release(principal_, session_);
        co_return cancelled;
    }

private:
    // What a step of a cancelled session does instead.
    Awaitable<Refusal> close() {
        if (!closed_) {
            const auto closed = co_await writer_->cancel();
            closed_ = closed.has_value();
            if (closed_) uploads_.held_.release(principal_, session_);
        }
        co_return Refusal{Errc::upload_unknown, "the upload was cancelled"};
    }

    RunningUploads& uploads_;
    SessionId session_;
    std::string principal_;
    std::uint64_t now_ms_;
    std::shared_ptr<RunningUploads::Run> run_;
    std::unique_ptr<UploadWriter> writer_;
    bool closed_ = false;
};

std::unique_ptr<UploadWriter> RunningUploads::watch(const SessionId& session, std::string principal,
                                                    std::uint64_t now_ms,
                                                    std::unique_ptr<UploadWriter> writer) {
    auto run = std::make_shared<Run>();
    {
        std::scoped_lock lock{mutex_};
        runs_.insert_or_assign(session, run);
    }
    return std::make_unique<WatchedWriter>(*this, session, std::move(principal), now_ms,
                                           std::move(run), std::move(writer));
}

bool RunningUploads::cancel(const SessionId& session) {
    std::scoped_lock lock{mutex_};
    const auto run = runs_.find(session);
    if (run == runs_.end() || run->second->over) return false;
    run->second->cancelled = true;
    return true;
}

bool RunningUploads::is_cancelled(const SessionId& session) const {
    std::scoped_lock lock{mutex_};
    const auto run = runs_.find(session);
    return run != runs_.end() && run->second->cancelled;
}

void RunningUploads::end(const SessionId& session, const std::shared_ptr<Run>& run, bool closed) {
    std::scoped_lock lock{mutex_};
    run->over = true;
    const auto known = runs_.find(session);
    if (known == runs_.end() || known->second != run) return;
    if (closed || !run->cancelled) {
        runs_.erase(known);
        return;
    }
    // Cancelled, but not closed in the store: remembered here.
    if (runs_.size() > kCancelledMax) {
        const auto lowest = std::find_if(runs_.begin(), runs_.end(),
                                         [](const auto& r) { return r.second->over.load(); });
        if (lowest != runs_.end()) runs_.erase(lowest);
    }
}

}  // namespace orbitalreg::engine
