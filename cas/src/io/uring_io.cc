#include "io/uring_io.h"

#include "base/assert.h"
#include "base/errors.h"
#include "io/io_classes.h"
#include "io/posix_file.h"
#include "io/ring.h"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <sys/eventfd.h>
#include <sys/mman.h>

namespace orbitalreg::cas {
namespace {

IoCall call_of(IoOperation::Kind kind) noexcept {
    switch (kind) {
        case IoOperation::Kind::read:
            return IoCall::read;
        case IoOperation::Kind::write:
            return IoCall::write;
        case IoOperation::Kind::datasync:
            return IoCall::datasync;
        case IoOperation::Kind::allocate:
            return IoCall::allocate;
        case IoOperation::Kind::punch:
            return IoCall::punch;
    }
    return IoCall::read;
}

bool is_transfer(const IoOperation& operation) noexcept {
    return operation.kind == IoOperation::Kind::read || operation.kind == IoOperation::Kind::write;
}

// The ring with what waits for it. Handlers on the executor share it with the queue, and may
// outlive the queue.
//
//   submit ──> waiting ──pump──> in kernel ──reap──> completed
//                 ^                             │ short count, EINTR, EAGAIN
//                 └─────────────────────────────┘
class UringQueueState : public std::enable_shared_from_this<UringQueueState> {
public:
    UringQueueState(asio::any_io_executor executor, unsigned depth_max, IoMetrics& metrics)
        : executor_{std::move(executor)},
          depth_max_{depth_max},
          metrics_{metrics},
          events_{executor_} {}
    ~UringQueueState() {
        if (events_.is_open()) static_cast<void>(events_.release());  // the ring closes it
    }

    void open() noexcept;
    const asio::any_io_executor& executor() const noexcept { return executor_; }
    std::size_t in_flight() const noexcept { return in_flight_; }
    void submit(IoOperation& operation) noexcept;
    void close() noexcept {
        boost::system::error_code ignored;
        if (events_.is_open()) events_.cancel(ignored);
    }

private:
    void turn() noexcept;
    void pump() noexcept;
    void reap() noexcept;
    void finish_step(IoOperation& operation, std::int64_t result) noexcept;
    void complete(IoOperation& operation, std::int64_t result) noexcept;
    void schedule_turn() noexcept;
    void await_events() noexcept;

    const asio::any_io_executor executor_;
    const unsigned depth_max_;
    IoMetrics& metrics_;
    Ring ring_;
    asio::posix::stream_descriptor events_;
    ErrorCode ring_error_;
    WaitingByClass<IoOperation*> waiting_;
    std::size_t in_flight_ = 0;
    std::size_t in_kernel_ = 0;
    std::size_t prepared_ = 0;  // of these, not yet taken by the kernel
    bool in_turn_ = false;
    bool turn_scheduled_ = false;
    bool awaiting_events_ = false;
};

void UringQueueState::open() noexcept {
    const auto opened = ring_.open(depth_max_);
    if (!opened) {
        ring_error_ = opened.error();
        return;
    }
    boost::system::error_code error;
    events_.assign(ring_.event_fd(), error);
    ring_error_ = error;
}

void UringQueueState::submit(IoOperation& operation) noexcept {
    ++in_flight_;
    operation.done = 0;
    waiting_.push(operation.io_class, &operation);
    schedule_turn();
}

void UringQueueState::schedule_turn() noexcept {
    if (in_turn_ || turn_scheduled_) return;
    turn_scheduled_ = true;
    asio::post(executor_, [self = shared_from_this()] {
        self->turn_scheduled_ = false;
        self->turn();
    });
}

void UringQueueState::turn() noexcept {
    in_turn_ = true;
    reap();
    pump();
    in_turn_ = false;
    if (in_kernel_ > 0) await_events();
}

void UringQueueState::await_events() noexcept {
    if (awaiting_events_) return;
    awaiting_events_ = true;
    events_.async_wait(asio::posix::descriptor_base::wait_read,
                       [self = shared_from_this()](const boost::system::error_code& error) {
                           self->awaiting_events_ = false;
                           if (!error) self->turn();
                       });
}

void UringQueueState::pump() noexcept {
    while (ring_error_ && !waiting_.empty()) complete(*waiting_.pop(), -ring_error_.value());
    while (!waiting_.empty() && in_kernel_ < depth_max_) {
        IoOperation& operation = *waiting_.pop();
        if (!ring_.prepare(operation, static_cast<PosixFile&>(*operation.file).fd())) {
            waiting_.push(operation.io_class, &operation);
            break;
        }
        ++in_kernel_;
        ++prepared_;
    }
    if (prepared_ == 0) return;
    const int taken = ::io_uring_submit(&ring_.raw());
    if (taken > 0) {
        prepared_ -= static_cast<std::size_t>(taken);
        metrics_.count_submission(static_cast<std::uint64_t>(taken));
    }
    // The kernel is short of memory or was interrupted; what it did not take stays in the
    // submission queue.
    if (prepared_ > 0) {
        in_turn_ = false;
        schedule_turn();
        in_turn_ = true;
    }
}

void UringQueueState::reap() noexcept {
    if (ring_error_) return;
    eventfd_t ignored = 0;
    static_cast<void>(::eventfd_read(ring_.event_fd(), &ignored));
    io_uring_cqe* cqe = nullptr;
    while (::io_uring_peek_cqe(&ring_.raw(), &cqe) == 0 && cqe != nullptr) {
        IoOperation& operation = *static_cast<IoOperation*>(::io_uring_cqe_get_data(cqe));
        const std::int64_t result = cqe->res;
        ::io_uring_cqe_seen(&ring_.raw(), cqe);
        --in_kernel_;
        finish_step(operation, result);
    }
}

void UringQueueState::finish_step(IoOperation& operation, std::int64_t result) noexcept {
    // A sync is never made twice: what the first one lost, the second would not miss.
    const bool interrupted = result == -EINTR || result == -EAGAIN;
    if (interrupted && operation.kind != IoOperation::Kind::datasync) {
        waiting_.push(operation.io_class, &operation);
        return;
    }
    if (result < 0 || !is_transfer(operation)) {
        complete(operation, result);
        return;
    }
    const bool direct = operation.file->direct();
    const auto moved = static_cast<std::uint64_t>(result);
    const bool is_read = operation.kind == IoOperation::Kind::read;
    if (!is_read && moved == 0) {
        complete(operation, operation.size == 0 ? 0 : -EIO);
        return;
    }
    const TransferProgress progress =
        is_read ? progress_of_read(direct, operation.done, moved)
                : progress_of_write(direct, operation.done, moved, operation.size);
    operation.done = progress.done;
    if (progress.done == operation.size || progress.at_end_of_file) {
        complete(operation, static_cast<std::int64_t>(progress.done));
    } else {
        waiting_.push(operation.io_class, &operation);
    }
}

void UringQueueState::complete(IoOperation& operation, std::int64_t result) noexcept {
    metrics_.count(call_of(operation.kind), operation.file->direct(), result);
    --in_flight_;
    operation.complete(operation, result);
}

class UringQueue final : public IoQueue {
public:
    explicit UringQueue(std::shared_ptr<UringQueueState> state) noexcept
        : state_{std::move(state)} {}
    ~UringQueue() override {
        ORB_ASSERT(state_->in_flight() == 0);
        state_->close();
    }

    asio::any_io_executor executor() const override { return state_->executor(); }
    void submit(IoOperation& operation) noexcept override { state_->submit(operation); }
    Result<std::size_t> read_now(File& file, std::uint64_t offset,
                                 MutableByteView to) noexcept override {
        return static_cast<PosixFile&>(file).read_now(offset, to);
    }
    std::size_t in_flight() const noexcept override { return state_->in_flight(); }

private:
    const std::shared_ptr<UringQueueState> state_;
};

Result<void> run_one(Ring& ring, IoOperation& operation, int fd) noexcept {
    if (!ring.prepare(operation, fd)) return fail(errno_code(EBUSY));
    const int submitted = ::io_uring_submit_and_wait(&ring.raw(), 1);
    if (submitted < 0) return fail(errno_code(-submitted));
    io_uring_cqe* cqe = nullptr;
    const int waited = ::io_uring_wait_cqe(&ring.raw(), &cqe);
    if (waited < 0) return fail(errno_code(-waited));
    const std::int64_t result = cqe->res;
    ::io_uring_cqe_seen(&ring.raw(), cqe);
    if (result < 0) return fail(errno_code(static_cast<int>(-result)));
    if (is_transfer(operation) && result != static_cast<std::int64_t>(operation.size))
        return fail(errno_code(EIO));
    return ok();
}

}  // namespace

Result<std::string> UringIo::probe() {
    Ring ring;
    ORB_TRY(ring.open(4));
    const UniqueFd memory{::memfd_create("orbitalreg-probe", MFD_CLOEXEC)};
    if (!memory) return fail(errno_code(errno));
    std::array<std::byte, 64> written;
    written.fill(std::byte{0x5a});
    std::array<std::byte, 64> read{};
    IoOperation operation;
    operation.kind = IoOperation::Kind::allocate;
    operation.size = kPageSize;
    ORB_TRY(run_one(ring, operation, memory.get()));
    operation = {.kind = IoOperation::Kind::write, .data = written.data(), .size = written.size()};
    ORB_TRY(run_one(ring, operation, memory.get()));
    operation = {.kind = IoOperation::Kind::datasync};
    ORB_TRY(run_one(ring, operation, memory.get()));
    operation = {.kind = IoOperation::Kind::read, .data = read.data(), .size = read.size()};
    ORB_TRY(run_one(ring, operation, memory.get()));
    if (read != written) return fail(errno_code(EIO));
    return ring.description();
}

UringIo::UringIo(PosixRoot root, std::string reason, const IoOptions& options, Metrics& metrics)
    : PosixIo{std::move(root), std::move(reason), metrics},
      queue_depth_max_{std::clamp(options.queue_depth_max, 1U, Ring::kEntriesMax)} {}

std::unique_ptr<IoQueue> UringIo::make_queue(asio::any_io_executor executor) {
    auto state =
        std::make_shared<UringQueueState>(std::move(executor), queue_depth_max_, metrics());
    state->open();
    return std::make_unique<UringQueue>(std::move(state));
}

}  // namespace orbitalreg::cas
