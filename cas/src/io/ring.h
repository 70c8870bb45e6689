#pragma once
// Ring owns one io_uring and its eventfd, made with the best flags that this kernel takes. See
// uring_io.h for which.
//
// Threads  one at a time.

#include "base/result.h"
#include "base/unique_fd.h"
#include "cas/io.h"

#include <liburing.h>

#include <string>

namespace orbitalreg::cas {

class Ring {
public:
    static constexpr unsigned kEntriesMax = 4096;
    static constexpr unsigned kWorkersMax =
        4;  // kernel threads for what cannot be done without waiting

    Ring() noexcept = default;
    ~Ring();
    Ring(const Ring&) = delete;
    Ring& operator=(const Ring&) = delete;

    // Once, before anything else.
    Result<void> open(unsigned entries) noexcept;

    // Readable after completions were posted; never blocks.
    int event_fd() const noexcept { return event_fd_.get(); }
    io_uring& raw() noexcept { return ring_; }
    // `coop_taskrun, restricted`, for the log.
    std::string description() const;

    // Puts the rest of `operation` (what lies behind operation.done) into the submission queue;
    // false when it is full.
    bool prepare(IoOperation& operation, int fd) noexcept;

private:
    Result<void> restrict_and_enable() noexcept;

    io_uring ring_{};
    UniqueFd event_fd_;
    bool open_ = false;
    bool coop_taskrun_ = false;
    bool restricted_ = false;
};

}  // namespace orbitalreg::cas
