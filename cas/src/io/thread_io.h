#pragma once
// ThreadIo serves asynchronous operations with blocking calls on a pool of threads: for kernels and
// containers that refuse io_uring. Same guarantees, same tests.
//
// Life     queues and their operations end before the Io.
// Threads  as in cas/io.h; the pool's threads touch an operation between submit and complete.
// Limits   IoOptions::threads blocking calls at once; IoOptions::queue_depth_max operations of one
// queue in the pool.

#include "io/posix_io.h"

#include <memory>

namespace orbitalreg::cas {

class ThreadPool;

class ThreadIo final : public PosixIo {
public:
    ThreadIo(PosixRoot root, std::string reason, const IoOptions& options, Metrics& metrics);
    ~ThreadIo() override;

    std::string_view name() const noexcept override { return "threads"; }
    std::unique_ptr<IoQueue> make_queue(asio::any_io_executor executor) override;

private:
    const unsigned queue_depth_max_;
    std::unique_ptr<ThreadPool> pool_;
};

}  // namespace orbitalreg::cas
