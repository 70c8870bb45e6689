#pragma once
// What the claims of a token must be, once its signature is known to be the issuer's: in time, made for this registry, about
// somebody. Rules come after that.
//
// Limits   kClockSkewSeconds; the issuer's own in OidcIssuer.
// Source   OpenID Connect Core 3.1.3.7; SEC-42, SEC-55, SEC-57, SEC-58.

#include "auth/jws.h"
#include "frontend/oidc.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace orbitalreg::frontend {

inline constexpr std::int64_t kClockSkewSeconds = 60;
inline constexpr std::size_t kSubjectSizeMax = 512;
inline constexpr std::size_t kGroupsMax = 64;
inline constexpr std::size_t kGroupSizeMax = 255;

enum class FederationError : std::uint8_t {
    none,
    invalid_request,          // not a token that is accepted here
    invalid_target,           // made for somebody else
    temporarily_unavailable,  // the issuer's keys are not to be had
};

struct SubjectClaims {
    FederationError error = FederationError::none;
    std::string_view reason;  // for the audit log; never for the one who sent it
    std::string subject;      // `sub`
    std::int64_t expires_s = 0;
    std::string token_id;  // equal for what is the same token, however it is written
};

SubjectClaims check_subject_claims(const Jws& jws, const OidcIssuer& issuer, std::int64_t now_s);

// The values of the issuer's groups_claim, as far as they are texts within the limits.
std::vector<std::string> groups_of(const Jws& jws, const OidcIssuer& issuer);

}  // namespace orbitalreg::frontend
