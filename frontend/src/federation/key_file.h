#pragma once
// KeyFile is the key set of an issuer that nobody asks over the network. The file is looked at whenever a key is needed and
// read again when its time, size or inode is another; a version that cannot be read leaves the one before in use.
//
// Threads  any.

#include "federation/issuer_keys.h"
#include "federation/jwk_set.h"

#include <cstdint>
#include <mutex>
#include <optional>

namespace orbitalreg::frontend {

class KeyFile final : public IssuerKeys {
public:
    KeyFile(std::string issuer_name, std::string path, Log& log)
        : issuer_name_{std::move(issuer_name)}, path_{std::move(path)}, log_{log} {}

    Awaitable<KeysFound> find(std::string key_id, SignatureAlgorithm algorithm) override;
    Awaitable<void> refresh_if_due() override;

private:
    // What tells one version of the file from another.
    struct Version {
        std::int64_t modified_s = 0;
        std::int64_t modified_ns = 0;
        std::int64_t size = -1;  // there is no file
        std::uint64_t inode = 0;

        friend bool operator==(const Version&, const Version&) = default;
    };
    Version version_now() const noexcept;
    void reload_if_changed();
    std::string load();

    const std::string issuer_name_;
    const std::string path_;
    Log& log_;
    std::mutex mutex_;
    std::optional<Version> seen_;  // nothing: never looked
    std::optional<JwkSet> set_;
};

}  // namespace orbitalreg::frontend
