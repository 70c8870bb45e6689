#pragma once
// DiscoveredKeys asks an issuer for its keys: `/.well-known/openid-configuration` says where the key set is, and the set is
// kept and renewed. An asking is a coroutine of its own, so that a request which is given up does not end it for the others
// that wait.
//
//                  refresh is over, or a key is not known,
//                  and the last asking is refetch_min ago          answered, or not
//        resting ------------------------------------> asking ----------------------> resting, all who wait resume
//
// Threads  any.
// Source   OpenID Connect Discovery 1.0, section 4; SEC-54.

#include "federation/issuer_keys.h"
#include "federation/jwk_set.h"

#include <memory>
#include <optional>

namespace orbitalreg::frontend {

class DiscoveredKeys final : public IssuerKeys {
public:
    DiscoveredKeys(const OidcIssuer& issuer, Clock& clock, Log& log, FetchDocument fetch);
    ~DiscoveredKeys() override;

    Awaitable<KeysFound> find(std::string key_id, SignatureAlgorithm algorithm) override;
    Awaitable<void> refresh_if_due() override;

private:
    struct Rooms;
    // Two owners: this, and an asking that is under way.
    std::shared_ptr<Rooms> rooms_;
};

// What an asking brought.
struct AskedKeys {
    std::optional<JwkSet> set;
    std::string set_url;  // where it was
    std::string trouble;  // why there is no set
};
// `known_set_url` saves the first document; empty: it is read.
Awaitable<AskedKeys> ask_for_keys(OidcIssuer issuer, FetchDocument fetch,
                                  std::string known_set_url);

}  // namespace orbitalreg::frontend
