#include "federation/issuer_keys.h"

#include "federation/discovered_keys.h"
#include "federation/key_file.h"

namespace orbitalreg::frontend {

FetchDocument fetch_on(asio::thread_pool& pool) {
    return [&pool](HttpRequest request, HttpPolicy policy) {
        return fetch(pool, std::move(request), std::move(policy));
    };
}

std::unique_ptr<IssuerKeys> make_issuer_keys(const OidcIssuer& issuer, Clock& clock, Log& log,
                                             FetchDocument fetch) {
    if (issuer.keys.source == OidcKeySource::file)
        return std::make_unique<KeyFile>(issuer.name, issuer.keys.path, log);
    return std::make_unique<DiscoveredKeys>(issuer, clock, log, std::move(fetch));
}

}  // namespace orbitalreg::frontend
