#include "io/thread_io.h"

#include "base/assert.h"
#include "io/io_classes.h"
#include "io/posix_file.h"

#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace orbitalreg::cas {

// What a queue and the threads of the pool share.
class ThreadQueueState : public std::enable_shared_from_this<ThreadQueueState> {
public:
    ThreadQueueState(asio::any_io_executor executor, unsigned depth_max, ThreadPool& pool)
        : executor_{std::move(executor)}, depth_max_{depth_max}, pool_{pool} {}

    const asio::any_io_executor& executor() const noexcept { return executor_; }
    std::size_t in_flight() const noexcept { return in_flight_; }

    void submit(IoOperation& operation) noexcept;
    // Called by a thread of the pool.
    void finished(IoOperation& operation, std::int64_t result) noexcept;

private:
    void pump() noexcept;
    void complete_finished() noexcept;

    const asio::any_io_executor executor_;
    const unsigned depth_max_;
    ThreadPool& pool_;

    // Of the queue's thread alone.
    WaitingByClass<IoOperation*> waiting_;
    std::size_t in_flight_ = 0;
    std::size_t in_pool_ = 0;
    std::optional<asio::any_io_executor>
        work_;  // keeps the executor running while operations are under way

    std::mutex mutex_;
    std::vector<std::pair<IoOperation*, std::int64_t>> finished_;  // under mutex_
};

class ThreadPool {
public:
    explicit ThreadPool(unsigned threads) {
        for (unsigned i = 0; i < std::max(threads, 1U); ++i)
            threads_.emplace_back([this] { run(); });
    }
    ~ThreadPool() {
        {
            const std::lock_guard lock{mutex_};
            stopping_ = true;
        }
        wake_.notify_all();
        for (auto& thread : threads_) thread.join();
    }

    void submit(std::shared_ptr<ThreadQueueState> owner, IoOperation& operation) {
        {
            const std::lock_guard lock{mutex_};
            waiting_.push(operation.io_class, {std::move(owner), &operation});
        }
        wake_.notify_one();
    }

private:
    struct Job {
        std::shared_ptr<ThreadQueueState> owner;
        IoOperation* operation = nullptr;
    };

    void run() noexcept;

    std::mutex mutex_;
    std::condition_variable wake_;
    WaitingByClass<Job> waiting_;
    bool stopping_ = false;
    std::vector<std::thread> threads_;
};

namespace {

std::int64_t to_count(const Result<void>& result, std::uint64_t size) noexcept {
    return result ? static_cast<std::int64_t>(size) : -result.error().value();
}

std::int64_t run_blocking(const IoOperation& operation) noexcept {
    File& file = *operation.file;
    switch (operation.kind) {
        case IoOperation::Kind::read: {
            const auto count = file.read(operation.offset, {operation.data, operation.size});
            return count ? static_cast<std::int64_t>(count.value()) : -count.error().value();
        }
        case IoOperation::Kind::write:
            return to_count(file.write(operation.offset, {operation.data, operation.size}),
                            operation.size);
        case IoOperation::Kind::datasync:
            return to_count(file.datasync(), 0);
        case IoOperation::Kind::allocate:
            return to_count(file.allocate(operation.offset, operation.size), 0);
        case IoOperation::Kind::punch:
            return to_count(file.punch(operation.offset, operation.size), 0);
    }
    return -EINVAL;
}

class ThreadQueue final : public IoQueue {
public:
    explicit ThreadQueue(std::shared_ptr<ThreadQueueState> state) noexcept
        : state_{std::move(state)} {}
    ~ThreadQueue() override { ORB_ASSERT(state_->in_flight() == 0); }

    asio::any_io_executor executor() const override { return state_->executor(); }
    void submit(IoOperation& operation) noexcept override { state_->submit(operation); }
    Result<std::size_t> read_now(File& file, std::uint64_t offset,
                                 MutableByteView to) noexcept override {
        return static_cast<PosixFile&>(file).read_now(offset, to);
    }
    std::size_t in_flight() const noexcept override { return state_->in_flight(); }

private:
    // Shared with the handlers that complete operations on the executor.
    const std::shared_ptr<ThreadQueueState> state_;
};

}  // namespace

void ThreadPool::run() noexcept {
    std::unique_lock lock{mutex_};
    while (true) {
        wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
        if (waiting_.empty()) return;
        const Job job = waiting_.pop();
        lock.unlock();
        job.owner->finished(*job.operation, run_blocking(*job.operation));
        lock.lock();
    }
}

void ThreadQueueState::submit(IoOperation& operation) noexcept {
    if (in_flight_++ == 0)
        work_ = asio::prefer(executor_, asio::execution::outstanding_work.tracked);
    waiting_.push(operation.io_class, &operation);
    pump();
}

void ThreadQueueState::pump() noexcept {
    while (!waiting_.empty() && in_pool_ < depth_max_) {
        ++in_pool_;
        pool_.submit(shared_from_this(), *waiting_.pop());
    }
}

void ThreadQueueState::finished(IoOperation& operation, std::int64_t result) noexcept {
    bool first = false;
    {
        const std::lock_guard lock{mutex_};
        first = finished_.empty();
        finished_.emplace_back(&operation, result);
    }
    if (first) asio::post(executor_, [self = shared_from_this()] { self->complete_finished(); });
}

void ThreadQueueState::complete_finished() noexcept {
    std::vector<std::pair<IoOperation*, std::int64_t>> batch;
    {
        const std::lock_guard lock{mutex_};
        batch.swap(finished_);
    }
    in_pool_ -= batch.size();
    for (const auto& [operation, result] : batch) {
        if (--in_flight_ == 0) work_.reset();
        operation->complete(*operation, result);
    }
    pump();
}

ThreadIo::ThreadIo(PosixRoot root, std::string reason, const IoOptions& options, Metrics& metrics)
    : PosixIo{std::move(root), std::move(reason), metrics},
      queue_depth_max_{std::max(options.queue_depth_max, 1U)},
      pool_{std::make_unique<ThreadPool>(options.threads)} {}

ThreadIo::~ThreadIo() = default;

std::unique_ptr<IoQueue> ThreadIo::make_queue(asio::any_io_executor executor) {
    return std::make_unique<ThreadQueue>(
        std::make_shared<ThreadQueueState>(std::move(executor), queue_depth_max_, *pool_));
}

}  // namespace orbitalreg::cas
