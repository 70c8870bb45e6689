#include "federation/key_file.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sys/stat.h>

namespace orbitalreg::frontend {

KeyFile::Version KeyFile::version_now() const noexcept {
    struct stat file {};
    if (::stat(path_.c_str(), &file) != 0) return {};
    return {file.st_mtim.tv_sec, file.st_mtim.tv_nsec, file.st_size, file.st_ino};
}

// What is wrong with the file; empty: its keys are in use.
std::string KeyFile::load() {
    errno = 0;
    std::ifstream in{path_, std::ios::binary};
    if (!in) return std::string{"cannot be read: "} + std::strerror(errno);
    std::string text(kJwkSetSizeMax + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    if (in.bad()) return "cannot be read";
    auto set = JwkSet::parse(text);
    if (!set) return "is no key set of at most 64 keys and 512 KiB";
    if (set->size() == 0) return "has no key that verifies signatures";
    set_ = std::move(set);
    return {};
}

void KeyFile::reload_if_changed() {
    const auto now = version_now();
    if (seen_ == now) return;
    seen_ = now;
    const auto trouble = load();
    if (trouble.empty()) {
        log_.info("key set read",
                  {{"issuer", issuer_name_}, {"file", path_}, {"keys", set_->size()}});
    } else {
        log_.warn("key set not read, the one before stays in use",
                  {{"issuer", issuer_name_}, {"file", path_}, {"trouble", trouble}});
    }
}

Awaitable<KeysFound> KeyFile::find(std::string key_id, SignatureAlgorithm algorithm) {
    const std::lock_guard lock{mutex_};
    reload_if_changed();
    if (!set_) co_return KeysFound{{}, true, "the key file has never been readable"};
    auto keys = set_->find(key_id, algorithm);
    if (keys.empty()) co_return KeysFound{{}, false, "the key is not in the key file"};
    co_return KeysFound{std::move(keys), false, {}};
}

Awaitable<void> KeyFile::refresh_if_due() {
    const std::lock_guard lock{mutex_};
    reload_if_changed();
    co_return;
}

}  // namespace orbitalreg::frontend
