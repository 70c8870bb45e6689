#include "cas/io.h"

#include "base/errors.h"
#include "io/thread_io.h"
#include "io/uring_io.h"

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/dispatch.hpp>

namespace orbitalreg::cas {
namespace {

template <class Handler>
struct PendingOperation {
    IoOperation operation;
    Handler handler;
};

// Suspends until `operation` completes. The pending operation owns the coroutine that waits for it,
// and so its buffers.
Awaitable<std::int64_t> run(IoQueue& queue, IoOperation operation) {
    return asio::async_initiate<const asio::use_awaitable_t<>&, void(std::int64_t)>(
        [](auto handler, IoQueue* to, IoOperation what) {
            using Pending = PendingOperation<decltype(handler)>;
            auto* const pending = new Pending{what, std::move(handler)};
            pending->operation.context = pending;
            pending->operation.complete = [](IoOperation& completed, std::int64_t result) noexcept {
                const std::unique_ptr<Pending> owned{static_cast<Pending*>(completed.context)};
                auto executor = asio::get_associated_executor(owned->handler);
                asio::dispatch(executor, [waiter = std::move(owned->handler), result]() mutable {
                    waiter(result);
                });
            };
            to->submit(pending->operation);
        },
        asio::use_awaitable, &queue, operation);
}

Awaitable<Result<void>> run_without_count(IoQueue& queue, IoOperation operation) {
    const std::int64_t result = co_await run(queue, operation);
    if (result < 0) co_return fail(errno_code(static_cast<int>(-result)));
    co_return ok();
}

void announce(const Io& io, Log& log, Metrics& metrics) {
    log.info("io chosen", {{"io", io.name()}, {"reason", io.reason()}});
    metrics
        .gauge("io_info", "The way of doing I/O that is in use (SEC-112).",
               {{"io", std::string{io.name()}}})
        .set(1);
}

}  // namespace

Result<std::unique_ptr<Io>> make_io(std::string_view root, const IoOptions& options, Log& log,
                                    Metrics& metrics) {
    ORB_TRY(PosixRoot directory, PosixRoot::open(root));
    if (!directory.direct_allowed)
        log.warn("the file system refuses O_DIRECT: working through the page cache");
    std::unique_ptr<Io> io;
    if (options.choice == IoChoice::threads) {
        io = std::make_unique<ThreadIo>(std::move(directory), "as configured", options, metrics);
    } else {
        auto probed = UringIo::probe();
        if (probed) {
            io = std::make_unique<UringIo>(std::move(directory), std::move(probed).value(), options,
                                           metrics);
        } else if (options.choice == IoChoice::uring) {
            return fail(probed.error());
        } else {
            const std::string reason = "io_uring is refused here: " + probed.error().message();
            log.warn("io_uring is refused, using a pool of threads",
                     {{"error", probed.error().message()}});
            io = std::make_unique<ThreadIo>(std::move(directory), reason, options, metrics);
        }
    }
    announce(*io, log, metrics);
    return io;
}

Awaitable<Result<std::size_t>> async_read(IoQueue& queue, File& file, std::uint64_t offset,
                                          MutableByteView to, IoClass io_class) {
    const std::int64_t result = co_await run(queue, {.kind = IoOperation::Kind::read,
                                                     .io_class = io_class,
                                                     .file = &file,
                                                     .offset = offset,
                                                     .data = to.data(),
                                                     .size = to.size()});
    if (result < 0) co_return fail(errno_code(static_cast<int>(-result)));
    co_return static_cast<std::size_t>(result);
}

Awaitable<Result<void>> async_datasync(IoQueue& queue, File& file, IoClass io_class) {
    return run_without_count(
        queue, {.kind = IoOperation::Kind::datasync, .io_class = io_class, .file = &file});
}

Awaitable<Result<void>> async_write(IoQueue& queue, File& file, std::uint64_t offset, ByteView from,
                                    IoClass io_class) {
    return run_without_count(queue, {.kind = IoOperation::Kind::write,
                                     .io_class = io_class,
                                     .file = &file,
                                     .offset = offset,
                                     .data = const_cast<std::byte*>(from.data()),
                                     .size = from.size()});
}

Awaitable<Result<void>> async_allocate(IoQueue& queue, File& file, std::uint64_t offset,
                                       std::uint64_t length, IoClass io_class) {
    return run_without_count(queue, {.kind = IoOperation::Kind::allocate,
                                     .io_class = io_class,
                                     .file = &file,
                                     .offset = offset,
                                     .size = length});
}

Awaitable<Result<void>> async_punch(IoQueue& queue, File& file, std::uint64_t offset,
                                    std::uint64_t length, IoClass io_class) {
    return run_without_count(queue, {.kind = IoOperation::Kind::punch,
                                     .io_class = io_class,
                                     .file = &file,
                                     .offset = offset,
                                     .size = length});
}

}  // namespace orbitalreg::cas
