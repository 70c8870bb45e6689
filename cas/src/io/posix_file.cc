#include "io/posix_file.h"

#include "base/assert.h"
#include "base/errors.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

namespace orbitalreg::cas {
namespace {

bool is_interruption(int number) noexcept { return number == EINTR || number == EAGAIN; }

bool is_page_aligned(std::uint64_t offset, ByteView bytes) noexcept {
    return offset % kPageSize == 0 && bytes.size() % kPageSize == 0 &&
           reinterpret_cast<std::uintptr_t>(bytes.data()) % kPageSize == 0;
}

}  // namespace

TransferProgress progress_of_read(bool direct, std::uint64_t done, std::uint64_t moved) noexcept {
    return {done + moved, moved == 0 || (direct && moved % kPageSize != 0)};
}

TransferProgress progress_of_write(bool direct, std::uint64_t done, std::uint64_t moved,
                                   std::uint64_t size) noexcept {
    const std::uint64_t reached = done + moved;
    return {direct && reached < size ? round_down(reached, kPageSize) : reached, false};
}

Result<std::size_t> PosixFile::read(std::uint64_t offset, MutableByteView to) noexcept {
    ORB_ASSERT(!direct() || is_page_aligned(offset, to));
    TransferProgress progress;
    while (progress.done < to.size() && !progress.at_end_of_file) {
        const auto rest = to.subspan(progress.done);
        const ssize_t n = ::pread(fd_.get(), rest.data(), rest.size(),
                                  static_cast<off_t>(offset + progress.done));
        if (n < 0 && is_interruption(errno)) continue;
        if (n < 0) {
            const int number = errno;
            metrics_.count(IoCall::read, direct(), -number);
            return fail(errno_code(number));
        }
        progress = progress_of_read(direct(), progress.done, static_cast<std::uint64_t>(n));
    }
    metrics_.count(IoCall::read, direct(), static_cast<std::int64_t>(progress.done));
    return progress.done;
}

Result<std::size_t> PosixFile::read_now(std::uint64_t offset, MutableByteView to) noexcept {
    std::uint64_t done = 0;
    while (done < to.size()) {
        const iovec piece{to.data() + done, to.size() - done};
        const ssize_t n =
            ::preadv2(fd_.get(), &piece, 1, static_cast<off_t>(offset + done), RWF_NOWAIT);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail(errno_code(errno == EOPNOTSUPP ? EAGAIN : errno));
        if (n == 0) break;
        done += static_cast<std::uint64_t>(n);
    }
    metrics_.count(IoCall::read, direct(), static_cast<std::int64_t>(done));
    return done;
}

void PosixFile::read_ahead(std::uint64_t offset, std::uint64_t length) noexcept {
    ::posix_fadvise(fd_.get(), static_cast<off_t>(offset), static_cast<off_t>(length),
                    POSIX_FADV_WILLNEED);
}

Result<void> PosixFile::write_all(IoCall call, std::uint64_t offset, ByteView from,
                                  int flags) noexcept {
    ORB_ASSERT(!direct() || is_page_aligned(offset, from));
    std::uint64_t done = 0;
    while (done < from.size()) {
        const iovec piece{const_cast<std::byte*>(from.data()) + done, from.size() - done};
        const ssize_t n =
            ::pwritev2(fd_.get(), &piece, 1, static_cast<off_t>(offset + done), flags);
        if (n < 0 && is_interruption(errno)) continue;
        if (n <= 0) {
            const int number = n < 0 ? errno : EIO;
            metrics_.count(call, direct(), -number);
            return fail(errno_code(number));
        }
        done = progress_of_write(direct(), done, static_cast<std::uint64_t>(n), from.size()).done;
    }
    metrics_.count(call, direct(), static_cast<std::int64_t>(from.size()));
    return ok();
}

Result<void> PosixFile::write(std::uint64_t offset, ByteView from) noexcept {
    return write_all(IoCall::write, offset, from, 0);
}

Result<void> PosixFile::write_dsync(std::uint64_t offset, ByteView from) noexcept {
    return write_all(IoCall::write_dsync, offset, from, RWF_DSYNC);
}

// An interrupted call is made again by the caller of finish(), which sees only final results.
Result<void> PosixFile::finish(IoCall call, int result) noexcept {
    const int number = result < 0 ? errno : 0;
    metrics_.count(call, direct(), -number);
    if (number != 0) return fail(errno_code(number));
    return ok();
}

// Not repeated after any error: the pages may be gone although a second call would succeed.
Result<void> PosixFile::datasync() noexcept {
    return finish(IoCall::datasync, ::fdatasync(fd_.get()));
}

Result<void> PosixFile::allocate(std::uint64_t offset, std::uint64_t length) noexcept {
    int result = 0;
    do {
        result = ::fallocate(fd_.get(), 0, static_cast<off_t>(offset), static_cast<off_t>(length));
    } while (result < 0 && errno == EINTR);
    return finish(IoCall::allocate, result);
}

Result<void> PosixFile::punch(std::uint64_t offset, std::uint64_t length) noexcept {
    int result = 0;
    do {
        result = ::fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                             static_cast<off_t>(offset), static_cast<off_t>(length));
    } while (result < 0 && errno == EINTR);
    return finish(IoCall::punch, result);
}

Result<FileStat> PosixFile::stat() noexcept {
    struct stat found {};
    if (::fstat(fd_.get(), &found) < 0) return fail(errno_code(errno));
    return FileStat{static_cast<std::uint64_t>(found.st_size),
                    static_cast<std::uint64_t>(found.st_blocks) * 512, found.st_nlink,
                    S_ISDIR(found.st_mode)};
}

}  // namespace orbitalreg::cas
