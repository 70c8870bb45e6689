#include "io/posix_io.h"

#include "base/errors.h"
#include "cas/errors.h"
#include "io/posix_file.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace orbitalreg::cas {
namespace {

constexpr mode_t kFileMode = 0600;
constexpr mode_t kDirectoryMode = 0700;

// The root itself is named by the empty path.
std::string name_of(std::string_view path) { return path.empty() ? "." : std::string{path}; }

// Whether the kernel says that direct transfers of whole pages work; true where it does not say
// (before 6.1).
bool alignment_fits(int fd) noexcept {
    struct statx found {};
    if (::statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &found) < 0 ||
        (found.stx_mask & STATX_DIOALIGN) == 0)
        return true;
    return found.stx_dio_offset_align != 0 && found.stx_dio_offset_align <= kPageSize &&
           found.stx_dio_mem_align <= kPageSize;
}

// A write past the page cache into a file without a name. Where such files do not exist, open()
// alone decides.
bool try_direct_write(int directory) noexcept {
    const UniqueFd fd{
        ::openat(directory, ".", O_TMPFILE | O_RDWR | O_DIRECT | O_CLOEXEC, kFileMode)};
    if (!fd) return errno == EOPNOTSUPP || errno == EISDIR || errno == EROFS || errno == EACCES;
    void* page = nullptr;
    if (::posix_memalign(&page, kPageSize, kPageSize) != 0) return false;
    std::fill_n(static_cast<std::byte*>(page), kPageSize, std::byte{0});
    const ssize_t written = ::pwrite(fd.get(), page, kPageSize, 0);
    std::free(page);
    return written == static_cast<ssize_t>(kPageSize) && alignment_fits(fd.get());
}

FileStat to_file_stat(const struct stat& found) noexcept {
    return {static_cast<std::uint64_t>(found.st_size),
            static_cast<std::uint64_t>(found.st_blocks) * 512, found.st_nlink,
            S_ISDIR(found.st_mode)};
}

}  // namespace

Result<PosixRoot> PosixRoot::open(std::string_view path) noexcept {
    UniqueFd directory{::open(name_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!directory) return fail(errno_code(errno));
    const bool direct_allowed = try_direct_write(directory.get());
    return PosixRoot{std::move(directory), direct_allowed};
}

Result<UniqueFd> PosixIo::open_at(std::string_view path, int flags) const noexcept {
    const std::string name = name_of(path);
    int fd = -1;
    do {
        fd = ::openat(root_.directory.get(), name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC,
                      kFileMode);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) return fail(errno_code(errno));
    return UniqueFd{fd};
}

Result<std::unique_ptr<File>> PosixIo::open(std::string_view path, OpenMode mode) noexcept {
    int flags = mode.write || mode.create ? O_RDWR : O_RDONLY;
    if (mode.create) flags |= O_CREAT;
    if (mode.exclusive) flags |= O_EXCL;
    bool direct = mode.direct && root_.direct_allowed;
    auto opened = open_at(path, direct ? flags | O_DIRECT : flags);
    // A refused O_DIRECT may have created the file all the same; the second open must then not
    // insist on creating it.
    if (direct && !opened && opened.error() == errno_code(EINVAL)) {
        direct = false;
        opened = open_at(path, flags & ~O_EXCL);
    }
    if (!opened) return fail(opened.error());
    UniqueFd fd = std::move(opened).value();
    if (direct && !alignment_fits(fd.get())) {
        if (::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) & ~O_DIRECT) < 0)
            return fail(errno_code(errno));
        direct = false;
    }
    if (mode.random_access) ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_RANDOM);
    return std::unique_ptr<File>{std::make_unique<PosixFile>(std::move(fd), direct, metrics_)};
}

Result<void> PosixIo::make_directory(std::string_view path) noexcept {
    if (::mkdirat(root_.directory.get(), name_of(path).c_str(), kDirectoryMode) == 0) return ok();
    const int number = errno;
    if (number != EEXIST) return fail(errno_code(number));
    ORB_TRY(const auto found, stat(path));
    if (!found.directory) return fail(errno_code(ENOTDIR));
    return ok();
}

Result<void> PosixIo::sync_directory(std::string_view path) noexcept {
    ORB_TRY(const auto fd, open_at(path, O_RDONLY | O_DIRECTORY));
    if (::fsync(fd.get()) < 0) return fail(errno_code(errno));
    return ok();
}

Result<void> PosixIo::rename(std::string_view from, std::string_view to) noexcept {
    const int root = root_.directory.get();
    if (::renameat(root, name_of(from).c_str(), root, name_of(to).c_str()) < 0)
        return fail(errno_code(errno));
    return ok();
}

Result<void> PosixIo::remove(std::string_view path) noexcept {
    const std::string name = name_of(path);
    if (::unlinkat(root_.directory.get(), name.c_str(), 0) == 0) return ok();
    if (errno == EISDIR && ::unlinkat(root_.directory.get(), name.c_str(), AT_REMOVEDIR) == 0)
        return ok();
    return fail(errno_code(errno));
}

Result<std::vector<std::string>> PosixIo::list(std::string_view path) noexcept {
    ORB_TRY(auto fd, open_at(path, O_RDONLY | O_DIRECTORY));
    DIR* const stream = ::fdopendir(fd.get());
    if (stream == nullptr) return fail(errno_code(errno));
    fd.release();  // the stream closes it
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* const entry = ::readdir(stream)) {
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..") names.emplace_back(name);
    }
    const int number = errno;
    ::closedir(stream);
    if (number != 0) return fail(errno_code(number));
    std::sort(names.begin(), names.end());
    return names;
}

Result<FileStat> PosixIo::stat(std::string_view path) noexcept {
    struct stat found {};
    if (::fstatat(root_.directory.get(), name_of(path).c_str(), &found, AT_SYMLINK_NOFOLLOW) < 0) {
        return fail(errno_code(errno));
    }
    return to_file_stat(found);
}

Result<SpaceStat> PosixIo::space() noexcept {
    struct statvfs found {};
    if (::fstatvfs(root_.directory.get(), &found) < 0) return fail(errno_code(errno));
    return SpaceStat{found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize,
                     found.f_favail};
}

Result<std::unique_ptr<File>> PosixIo::lock(std::string_view path, bool exclusive) noexcept {
    auto opened = open_at(path, (exclusive ? O_RDWR : O_RDONLY) | O_CREAT);
    const bool readers_only = !opened && !exclusive;
    if (readers_only &&
        (opened.error() == errno_code(EROFS) || opened.error() == errno_code(EACCES))) {
        opened = open_at(path, O_RDONLY);
    }
    if (!opened) return fail(opened.error());
    UniqueFd fd = std::move(opened).value();
    if (::flock(fd.get(), (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) < 0) {
        return errno == EWOULDBLOCK ? fail(Errc::locked) : fail(errno_code(errno));
    }
    return std::unique_ptr<File>{std::make_unique<PosixFile>(std::move(fd), false, metrics_)};
}

}  // namespace orbitalreg::cas
