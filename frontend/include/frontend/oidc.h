#pragma once
// The `oidc` section: identity providers whose tokens are believed, and the rules that say what such a token may do here.
// docs/operations/ci-tokens.md shows it at work.
//
// Life     read with the configuration; check_oidc() says what is wrong with it. Nothing else looks at options that it refused.

#include "base/public_key.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace orbitalreg::frontend {

inline constexpr std::size_t kOidcIssuersMax = 32;
inline constexpr std::size_t kOidcRulesMax = 1'000;
inline constexpr std::size_t kOidcValuesMax = 256;       // of one matcher, one list
inline constexpr std::size_t kOidcPatternSizeMax = 512;  // of a glob or a regular expression
inline constexpr std::int64_t kOidcTtlMaxSeconds = 900;  // SEC-59
inline constexpr std::int64_t kOidcTtlMinSeconds = 60;

// Where something stands in a file. It says nothing about what stands there: all are equal.
struct OidcPlace {
    std::string file;
    int line = 0;

    friend bool operator==(const OidcPlace&, const OidcPlace&) noexcept { return true; }
};

enum class OidcKeySource : std::uint8_t {
    discovery,  // the issuer's own documents, over the network
    file,       // a key set that an operator puts there; nothing is asked over the network
};

struct OidcKeyOptions {
    OidcKeySource source = OidcKeySource::discovery;
    std::string path;                                       // of the file
    std::chrono::milliseconds refresh{3'600'000};           // of what was discovered
    std::chrono::milliseconds refetch_min{60'000};          // between two askings (SEC-54)
    std::chrono::milliseconds stale_max{24 * 3'600'000LL};  // then no token is accepted
    std::string ca_file;                                    // PEM; empty: the system's

    friend bool operator==(const OidcKeyOptions&, const OidcKeyOptions&) = default;
};

struct OidcIssuer {
    std::string name;    // of ours: in principals, logs and rules
    std::string issuer;  // what its tokens say, byte for byte
    std::vector<std::string> audiences;
    std::vector<SignatureAlgorithm> algorithms{SignatureAlgorithm::rs256, SignatureAlgorithm::es256,
                                               SignatureAlgorithm::eddsa};
    OidcKeyOptions keys;
    std::vector<std::string> allow_networks;  // beside public addresses (SEC-62)
    std::vector<std::string> jwks_hosts;      // beside the issuer's own
    bool password_login = false;  // its tokens are taken as passwords, any number of times
    std::chrono::milliseconds token_life_max{3'600'000};
    std::chrono::milliseconds token_age_max{600'000};
    std::string groups_claim;  // empty: none
    OidcPlace place;

    friend bool operator==(const OidcIssuer&, const OidcIssuer&) = default;
};

// What a claim must be. Several of one claim must all hold. A claim that is missing never matches.
struct OidcMatcher {
    enum class Kind : std::uint8_t {
        equal,    // to one of the values
        glob,     // one of the patterns; `*` stands for anything without `/` and `:`
        regex,    // one of the expressions, from the first character to the last
        not_in,   // none of the values
        present,  // there, whatever it is
    };
    std::string claim;
    Kind kind = Kind::equal;
    std::vector<std::string> values;

    friend bool operator==(const OidcMatcher&, const OidcMatcher&) = default;
};

struct OidcGrant {
    std::vector<std::string> projects;      // `{{claims.NAME}}` stands for the value of a claim
    std::vector<std::string> repositories;  // patterns of image names; empty: all of the project
    std::string role;
    std::vector<std::string> actions;  // empty: all that the role allows

    friend bool operator==(const OidcGrant&, const OidcGrant&) = default;
};

struct OidcRule {
    std::string name;
    std::string issuer;  // its name
    std::vector<OidcMatcher> claims;
    std::vector<OidcGrant> grants;
    std::int64_t ttl_s = kOidcTtlMaxSeconds;
    OidcPlace place;

    friend bool operator==(const OidcRule&, const OidcRule&) = default;
};

struct OidcOptions {
    std::vector<OidcIssuer> issuers;
    std::vector<OidcRule> rules;

    friend bool operator==(const OidcOptions&, const OidcOptions&) = default;
};

struct OidcFinding {
    bool warning = false;  // else nothing may start with these options
    OidcPlace place;
    std::string path;  // oidc.rules[0].claims
    std::string message;
};

// What is wrong with each issuer and rule, and between them. `offline`: the server may ask nobody over the network.
std::vector<OidcFinding> check_oidc(const OidcOptions& options, bool offline);

}  // namespace orbitalreg::frontend
