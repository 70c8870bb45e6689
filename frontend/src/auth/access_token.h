#pragma once
// The tokens that this registry signs: access tokens, which say what their bearer may do, and login tokens, which say no more
// than who somebody is and are good as a password at the token endpoint only. Type and audience keep them apart (SEC-43).
//
// Limits  8 KiB as text: what was asked for and not granted is left out first, then whole scopes from the end (DIST-AUTH-28).
// Source  RFC 7519; the claims of the token protocol of Docker's registry (`access`).

#include "auth/key_ring.h"
#include "auth/scope.h"
#include "engine/access_control.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orbitalreg::frontend {

// For whom tokens are made, and by whom.
struct TokenNames {
    std::string issuer;
    std::string service;
};

inline constexpr std::int64_t kTokenLifeMax_s = 3600;
inline constexpr std::int64_t kClockLeeway_s = 5;

struct AccessToken {
    enum class Type : std::uint8_t { access, login };

    Type type = Type::access;
    // Kind, principal, account, generation and credential; what federated ones were granted. The rest is recalled.
    engine::Identity identity;
    std::vector<Scope> access;  // each image name once
    std::vector<Scope> asked;   // and not granted
    std::int64_t issued_s = 0;
    std::int64_t expires_s = 0;
    std::string id;

    std::uint8_t actions_on(const engine::ImageName& image) const noexcept;
    std::uint8_t asked_on(const engine::ImageName& image) const noexcept;
    bool lists_catalog() const noexcept;
    bool asked_catalog() const noexcept;
};

// Empty when the library fails.
std::string write_access_token(const SigningKey& key, const TokenNames& names, AccessToken token);

struct AccessTokenReading {
    std::optional<AccessToken> token;
    std::string_view fault;  // why there is none; for logs
    std::string key_id;      // where the key is unknown: which
};
// Signature, type, issuer, audience and times (SEC-38 to SEC-43).
AccessTokenReading read_access_token(std::string_view text, const KeySet& keys,
                                     const TokenNames& names, AccessToken::Type type,
                                     std::int64_t now_s);

}  // namespace orbitalreg::frontend
