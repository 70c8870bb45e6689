#pragma once
// PosixFile is a File over a descriptor: the blocking calls that the ring and the pool of threads
// share.
//
// Threads  any; calls on different ranges may run side by side.

#include "base/unique_fd.h"
#include "cas/io.h"
#include "io/io_metrics.h"

namespace orbitalreg::cas {

class PosixFile final : public File {
public:
    PosixFile(UniqueFd fd, bool direct, IoMetrics& metrics) noexcept
        : File{direct}, fd_{std::move(fd)}, metrics_{metrics} {}

    int fd() const noexcept { return fd_.get(); }

    Result<std::size_t> read(std::uint64_t offset, MutableByteView to) noexcept override;
    Result<void> write(std::uint64_t offset, ByteView from) noexcept override;
    Result<void> write_dsync(std::uint64_t offset, ByteView from) noexcept override;
    Result<void> datasync() noexcept override;
    Result<void> allocate(std::uint64_t offset, std::uint64_t length) noexcept override;
    Result<void> punch(std::uint64_t offset, std::uint64_t length) noexcept override;
    Result<FileStat> stat() noexcept override;
    void read_ahead(std::uint64_t offset, std::uint64_t length) noexcept override;

    // EAGAIN when not all of the bytes are in memory.
    Result<std::size_t> read_now(std::uint64_t offset, MutableByteView to) noexcept;

private:
    Result<void> write_all(IoCall call, std::uint64_t offset, ByteView from, int flags) noexcept;
    Result<void> finish(IoCall call, int result) noexcept;

    const UniqueFd fd_;
    IoMetrics& metrics_;
};

// How far an operation has come after a call that moved `moved` of the bytes behind `done`. Direct
// transfers go on at page boundaries only: a write repeats its last partial page, a read that
// stopped inside a page met the end of file.
struct TransferProgress {
    std::uint64_t done = 0;
    bool at_end_of_file = false;
};
TransferProgress progress_of_read(bool direct, std::uint64_t done, std::uint64_t moved) noexcept;
TransferProgress progress_of_write(bool direct, std::uint64_t done, std::uint64_t moved,
                                   std::uint64_t size) noexcept;

}  // namespace orbitalreg::cas
