#include "auth/private_file.h"

#include "base/unique_fd.h"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace orbitalreg::frontend {
namespace {

constexpr std::size_t kSizeMax = 1 << 20;

std::string failed(const std::string& path, const char* what) {
    return path + ": " + what + ": " + std::generic_category().message(errno);
}

bool write_all(int fd, std::string_view content) {
    while (!content.empty()) {
        const auto written = ::write(fd, content.data(), content.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        content.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

bool sync_folder_of(const std::string& path) {
    const auto slash = path.rfind('/');
    const auto folder = slash == path.npos ? std::string{"."} : path.substr(0, slash + 1);
    const UniqueFd fd{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    return fd.get() >= 0 && ::fsync(fd.get()) == 0;
}

}  // namespace

PrivateText read_private_file(const std::string& path) {
    const UniqueFd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (fd.get() < 0) return {{}, failed(path, "cannot be read")};
    struct stat facts {};
    if (::fstat(fd.get(), &facts) != 0) return {{}, failed(path, "cannot be looked at")};
    if ((facts.st_mode & 077) != 0)
        return {{}, path + ": others than its owner may read or write it: chmod 600 " + path};
    if (static_cast<std::size_t>(facts.st_size) > kSizeMax)
        return {{}, path + ": is larger than 1 MiB"};
    std::string content(static_cast<std::size_t>(facts.st_size), '\0');
    std::size_t done = 0;
    while (done < content.size()) {
        const auto size = ::read(fd.get(), content.data() + done, content.size() - done);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) return {{}, failed(path, "cannot be read")};
        if (size == 0) break;
        done += static_cast<std::size_t>(size);
    }
    content.resize(done);
    return {std::move(content), {}};
}

std::string write_private_file(const std::string& path, std::string_view content) {
    const auto fresh = path + ".new";
    {
        const UniqueFd fd{
            ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600)};
        if (fd.get() < 0 || ::fchmod(fd.get(), 0600) != 0) return failed(fresh, "cannot be made");
        if (!write_all(fd.get(), content) || ::fsync(fd.get()) != 0)
            return failed(fresh, "cannot be written");
    }
    if (std::rename(fresh.c_str(), path.c_str()) != 0 || !sync_folder_of(path))
        return failed(path, "cannot be written");
    return {};
}

std::string make_private_folder(const std::string& path) {
    if (::mkdir(path.c_str(), 0700) == 0) return {};
    if (errno != EEXIST) return failed(path, "cannot be made");
    struct stat facts {};
    if (::stat(path.c_str(), &facts) != 0) return failed(path, "cannot be looked at");
    if (!S_ISDIR(facts.st_mode)) return path + ": is no folder";
    if ((facts.st_mode & 022) != 0)
        return path + ": others than its owner may write to it: chmod 700 " + path;
    return {};
}

}  // namespace orbitalreg::frontend
