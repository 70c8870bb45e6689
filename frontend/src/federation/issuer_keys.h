#pragma once
// IssuerKeys has the keys of one identity provider: from a file that an operator keeps, or from the provider's own documents,
// asked for ahead of need and again when a token names a key that is not known (SEC-54, SEC-60).
//
// Life     destroyed after the last find() and refresh_if_due() have ended.
// Threads  any.
// Limits   of one provider one asking at a time and one in OidcKeyOptions::refetch_min, whatever the tokens name; each of its
//          two documents kJwkSetSizeMax and kFetchTime. A key set that could not be renewed for `stale_max` counts no
//          longer: then nothing is accepted.

#include "base/asio.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/public_key.h"
#include "frontend/http_client.h"
#include "frontend/oidc.h"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace orbitalreg::frontend {

inline constexpr std::chrono::milliseconds kFetchTime{5'000};

// As fetch() of the outbound client; a parameter, so that tests need no network.
using FetchDocument = std::function<Awaitable<HttpAnswer>(HttpRequest, HttpPolicy)>;
// `pool` outlives what is returned.
FetchDocument fetch_on(asio::thread_pool& pool);

struct KeysFound {
    std::vector<PublicKey> keys;  // that may have signed; empty: see below
    bool unavailable = false;     // it is not known which keys the provider has now
    std::string reason;           // why there are none, for logs
};

class IssuerKeys {
public:
    virtual ~IssuerKeys() = default;

    // The keys of that name which verify `algorithm`.
    virtual Awaitable<KeysFound> find(std::string key_id, SignatureAlgorithm algorithm) = 0;
    // Renews what is old enough. To be called every few seconds.
    virtual Awaitable<void> refresh_if_due() = 0;
};

// `clock`, `log` outlive the keys.
std::unique_ptr<IssuerKeys> make_issuer_keys(const OidcIssuer& issuer, Clock& clock, Log& log,
                                             FetchDocument fetch);

}  // namespace orbitalreg::frontend
