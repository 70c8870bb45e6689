#pragma once
// JwkSet is what an identity provider publishes of its keys. A key of a kind, a use or an algorithm that does not verify
// signatures here is left out, as RFC 7517 wants it: the others still count.
//
// Life     a value.
// Threads  any.
// Limits   512 KiB, 64 keys (SEC-54); a larger set is none at all, since it could hide which keys were left out.
// Source   RFC 7517, RFC 7518, RFC 8037.

#include "base/public_key.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orbitalreg::frontend {

inline constexpr std::size_t kJwkSetSizeMax = 512 * 1024;
inline constexpr std::size_t kJwkSetKeysMax = 64;

struct PublishedKey {
    std::string key_id;
    std::optional<SignatureAlgorithm> only;  // where the set says it
    PublicKey key;
};

class JwkSet {
public:
    // Nothing for what is no key set.
    static std::optional<JwkSet> parse(std::string_view text);

    // Those named so that verify signatures of `algorithm`; more than one where a provider uses a name twice.
    std::vector<PublicKey> find(std::string_view key_id, SignatureAlgorithm algorithm) const;
    bool has(std::string_view key_id) const;
    // Of the keys that are of use.
    std::size_t size() const noexcept { return keys_.size(); }

private:
    std::vector<PublishedKey> keys_;
};

}  // namespace orbitalreg::frontend
