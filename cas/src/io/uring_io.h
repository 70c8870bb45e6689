#pragma once
// UringIo serves asynchronous operations through io_uring, one ring a queue, joined to the reactor
// by an eventfd. Operations submitted in one turn of the reactor go to the kernel in one call.
//
// Rings    are made disabled and limited to the opcodes in use (SEC-112) where the kernel can do
// that (5.10), with
//          COOP_TASKRUN (5.19) where it can: completions then wait for the reactor's next entry
//          into the kernel, which is its wait for the eventfd. DEFER_TASKRUN is left out: it ties a
//          ring to one thread for ever and posts completions only when asked, and a storage ring
//          with operations of 64 KiB and more gains nothing from it.
// Life     queues and their operations end before the Io.
// Threads  as in cas/io.h.
// Limits   IoOptions::queue_depth_max operations of one queue in the kernel; kWorkersMax kernel
// workers a ring.

#include "io/posix_io.h"

#include <memory>

namespace orbitalreg::cas {

class UringIo final : public PosixIo {
public:
    // Makes a ring as the queues will have it and runs a write, a read, a sync and an allocation
    // through it. Says how rings are made here, or why they cannot be.
    static Result<std::string> probe();

    UringIo(PosixRoot root, std::string reason, const IoOptions& options, Metrics& metrics);

    std::string_view name() const noexcept override { return "uring"; }
    // A queue whose ring the kernel refuses completes every operation with that error.
    std::unique_ptr<IoQueue> make_queue(asio::any_io_executor executor) override;

private:
    const unsigned queue_depth_max_;
};

}  // namespace orbitalreg::cas
