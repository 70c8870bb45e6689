#pragma once
// PosixIo is the part of Io that names files: the same for the ring and for the pool of threads.
// Every path is opened relative to the root's descriptor, and no part of it may be a symbolic link
// at its end.
//
// Threads  any.

#include "base/unique_fd.h"
#include "cas/io.h"
#include "io/io_metrics.h"

#include <string>

namespace orbitalreg::cas {

// What an Io is made of; found out once, before the choice of implementation.
struct PosixRoot {
    UniqueFd directory;
    bool direct_allowed = false;  // a trial write past the page cache went well

    static Result<PosixRoot> open(std::string_view path) noexcept;
};

class PosixIo : public Io {
public:
    PosixIo(PosixRoot root, std::string reason, Metrics& metrics)
        : root_{std::move(root)}, reason_{std::move(reason)}, metrics_{metrics} {}

    std::string_view reason() const noexcept override { return reason_; }
    Result<std::unique_ptr<File>> open(std::string_view path, OpenMode mode) noexcept override;
    Result<void> make_directory(std::string_view path) noexcept override;
    Result<void> sync_directory(std::string_view path) noexcept override;
    Result<void> rename(std::string_view from, std::string_view to) noexcept override;
    Result<void> remove(std::string_view path) noexcept override;
    Result<std::vector<std::string>> list(std::string_view path) noexcept override;
    Result<FileStat> stat(std::string_view path) noexcept override;
    Result<SpaceStat> space() noexcept override;
    Result<std::unique_ptr<File>> lock(std::string_view path, bool exclusive) noexcept override;

protected:
    IoMetrics& metrics() noexcept { return metrics_; }

private:
    Result<UniqueFd> open_at(std::string_view path, int flags) const noexcept;

    const PosixRoot root_;
    const std::string reason_;
    IoMetrics metrics_;
};

}  // namespace orbitalreg::cas
