#include "stored_logins.h"

#include "base/unique_fd.h"
#include "report_text.h"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace orbitalreg::program {
namespace {

constexpr std::size_t kFileSizeMax = 1 << 20;
constexpr int kVersion = 1;

std::string environment_text(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string{} : value;
}

std::string failure(const std::string& path) { return path + ": " + std::strerror(errno); }

bool read_all(int fd, std::string& text) {
    char piece[4096];
    for (;;) {
        const auto count = ::read(fd, piece, sizeof piece);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return count == 0;
        text.append(piece, static_cast<std::size_t>(count));
        if (text.size() > kFileSizeMax) {
            errno = EFBIG;
            return false;
        }
    }
}

bool write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const auto count = ::write(fd, text.data(), text.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return false;
        text.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
}

std::string unsafe(const std::string& path, const struct stat& found) {
    if (!S_ISREG(found.st_mode)) return path + ": is not a file";
    if (found.st_uid != ::geteuid()) return path + ": belongs to another user";
    if ((found.st_mode & 077) != 0) {
        return path +
               ": others may read it, so its tokens are not secret any more: remove them "
               "(`orbitalreg token remove`), delete the file and log in again";
    }
    return {};
}

std::optional<std::vector<StoredLogin>> decode(std::string_view text) {
    const auto object = parse_object(text);
    if (!object || number(*object, "version") != kVersion) return std::nullopt;
    std::vector<StoredLogin> logins;
    for (const auto& entry : objects(*object, "logins")) {
        logins.push_back({program::text(entry, "url"), program::text(entry, "user"),
                          program::text(entry, "token"), program::text(entry, "ca")});
    }
    return logins;
}

std::string encode(const std::vector<StoredLogin>& logins) {
    json::array entries;
    for (const auto& login : logins) {
        entries.push_back({{"url", login.url},
                           {"user", login.user},
                           {"token", login.token},
                           {"ca", login.ca_file}});
    }
    return json::serialize(json::object{{"version", kVersion}, {"logins", std::move(entries)}}) +
           '\n';
}

}  // namespace

std::optional<StoredLogins> StoredLogins::of_this_user() {
    std::string base = environment_text("XDG_CONFIG_HOME");
    if (!base.starts_with('/')) {  // relative ones do not count, says its specification
        const auto home = environment_text("HOME");
        if (home.empty()) return std::nullopt;
        base = home + "/.config";
    }
    return StoredLogins{base + "/orbitalreg"};
}

std::optional<std::vector<StoredLogin>> StoredLogins::read(std::string& trouble) const {
    const UniqueFd file{::open(path().c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (!file && (errno == ENOENT || errno == ENOTDIR)) return std::vector<StoredLogin>{};
    struct stat found {};
    std::string text;
    if (!file || ::fstat(file.get(), &found) != 0) {
        trouble = failure(path());
        return std::nullopt;
    }
    trouble = unsafe(path(), found);
    if (!trouble.empty()) return std::nullopt;
    if (!read_all(file.get(), text)) {
        trouble = failure(path());
        return std::nullopt;
    }
    auto logins = decode(text);
    if (!logins) trouble = path() + ": is not what `orbitalreg login` writes";
    return logins;
}

bool StoredLogins::write(const std::vector<StoredLogin>& logins, std::string& trouble) const {
    std::string name = path() + ".XXXXXX";
    UniqueFd file{::mkostemp(name.data(), O_CLOEXEC)};  // 0600
    if (!file) {
        trouble = failure(folder_);
        return false;
    }
    const bool written = write_all(file.get(), encode(logins)) && ::fsync(file.get()) == 0 &&
                         ::rename(name.c_str(), path().c_str()) == 0;
    if (!written) {
        trouble = failure(path());
        ::unlink(name.c_str());
    }
    return written;
}

bool StoredLogins::change(const Change& change, std::string& trouble) const {
    std::error_code ec;
    const auto parent = std::filesystem::path{folder_}.parent_path();
    std::filesystem::create_directories(parent, ec);
    if (::mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST) {
        trouble = failure(folder_);
        return false;
    }
    const UniqueFd folder{::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!folder || ::flock(folder.get(), LOCK_EX) != 0) {
        trouble = failure(folder_);
        return false;
    }
    auto logins = read(trouble);
    if (!logins) return false;
    change(*logins);
    if (!write(*logins, trouble)) return false;
    if (::fsync(folder.get()) == 0) return true;
    trouble = failure(folder_);
    return false;
}

bool StoredLogins::keep(const StoredLogin& login, std::string& trouble) const {
    const auto replace = [&login](std::vector<StoredLogin>& logins) {
        std::erase_if(logins, [&](const StoredLogin& other) { return other.url == login.url; });
        logins.push_back(login);
    };
    return change(replace, trouble);
}

bool StoredLogins::forget(const std::string& url, std::string& trouble) const {
    const auto remove = [&url](std::vector<StoredLogin>& logins) {
        std::erase_if(logins, [&](const StoredLogin& other) { return other.url == url; });
    };
    return change(remove, trouble);
}

}  // namespace orbitalreg::program
