#pragma once
// Federation says who a token of an identity provider stands for, and what the rules of the configuration grant it. It keeps
// no memory of tokens: who may use one only once remembers FederatedIdentity::token_id until expires_s.
//
// Life     destroyed after the last accept() and keep_fresh() have ended. The options have no errors of check_oidc().
// Threads  any.
// Limits   8 KiB a token; see OidcIssuer, IssuerKeys, ClaimRules.
// Source   SEC-38 to SEC-42, SEC-53 to SEC-60.

#include "engine/access.h"
#include "federation/claim_rules.h"
#include "federation/issuer_keys.h"
#include "federation/subject_token.h"
#include "frontend/oidc.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orbitalreg::frontend {

struct FederatedIdentity {
    std::string issuer_name;
    std::string subject;  // the principal: oidc:<issuer name>:<sub>
    std::vector<engine::Grant> grants;
    std::vector<std::string> rules;  // that granted them
    std::vector<std::string> groups;
    std::int64_t expires_s = 0;  // of the token
    std::string token_id;        // 64 hex digits
    std::int64_t ttl_s = 0;      // of what is given out for it: 60 to 900
    bool password_login = false;
};

struct FederationAnswer {
    std::optional<FederatedIdentity> identity;
    FederationError error = FederationError::none;
    std::string reason;  // for the audit log; never for the one who sent the token
    // Of a token that was refused, as far as its signature was found good: for the audit log.
    std::string issuer_name;
    std::string subject;
};

class Federation {
public:
    // `clock` and `log` outlive it.
    Federation(const OidcOptions& options, Clock& clock, Log& log, const FetchDocument& fetch);
    ~Federation();
    Federation(const Federation&) = delete;
    Federation& operator=(const Federation&) = delete;

    Awaitable<FederationAnswer> accept(std::string token);

    // Renews keys ahead of need, until it is cancelled; keys are asked for here for the first time.
    Awaitable<void> keep_fresh();

    // Whether there is anybody to ask.
    bool empty() const noexcept { return providers_.empty(); }
    bool has_rule(std::string_view name) const { return rules_.has(name); }

    // Two dots, and before the first a JSON object that names an algorithm: no other password looks so.
    static bool looks_like_token(std::string_view text);

private:
    struct Provider {
        OidcIssuer options;
        std::unique_ptr<IssuerKeys> keys;
    };
    const Provider* provider_of(const Jws& jws) const;
    FederationAnswer judge(const Jws& jws, const Provider& provider) const;

    Clock& clock_;
    std::vector<Provider> providers_;
    ClaimRules rules_;
};

}  // namespace orbitalreg::frontend
