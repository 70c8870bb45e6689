#pragma once
// Authority stands between routes and handlers when authentication is on: who presents what, whether it is genuine, and
// whether it allows what is asked. It decides nothing itself: rights are engine's, the scopes are in the token. Nothing is
// looked up in the store before it has said yes, so that hidden and absent cannot be told apart (SEC-32).
//
//   Authorization -> genuine? -> scope of the token, or rights of the account -> the exchange knows its principal
//
// Threads  any reactor.

#include "auth/access_token.h"
#include "auth/credentials.h"
#include "auth/key_ring.h"
#include "auth/login_throttle.h"
#include "auth/presented.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/random.h"
#include "federation/federation.h"
#include "frontend/options.h"
#include "http/exchange.h"
#include "http/rate_limits.h"

#include <boost/asio/thread_pool.hpp>

#include <memory>
#include <optional>
#include <string>

namespace orbitalreg::frontend {

struct AuthorityEnvironment {
    engine::AccessControl& access;
    Clock& clock;
    Random& random;
    Log& log;
    Metrics& metrics;
};

class Authority {
public:
    // `options` outlives it.
    Authority(AuthorityEnvironment environment, const AuthOptions& options, const OidcOptions& oidc,
              std::string external_url);
    // Waits for an asking of an identity provider that is under way.
    ~Authority();

    // Reads the keys, makes the first one. What is wrong, or nothing.
    std::string open();

    // 401, 403, 429 or 503; or nothing, and the exchange knows its principal and what it may do. What the handlers of the token
    // endpoint and of management ask for is left to them: they call log_in().
    Awaitable<std::optional<Response>> refuse(Exchange& exchange);

    struct Login {
        std::shared_ptr<const engine::Identity> identity;
        std::optional<Response> refused;
    };
    // Who presents a name and a secret, by the shape of the secret; slowed down where somebody guesses.
    Awaitable<Login> log_in(Exchange& exchange, std::string user, std::string secret);

    // Whether this account may have one more refresh token now: each is kept for long.
    bool may_refresh(const engine::Identity& who);

    engine::AccessControl& access() noexcept { return environment_.access; }
    KeyRing& keys() noexcept { return keys_; }
    Federation& federation() noexcept { return federation_; }
    const TokenNames& names() const noexcept { return names_; }
    const AuthOptions& options() const noexcept { return options_; }
    Random& random() noexcept { return environment_.random; }
    Log& log() noexcept { return environment_.log; }
    std::int64_t now_s() const noexcept { return environment_.clock.wall_ns() / 1'000'000'000; }

    // 401 with a challenge for `scope`; `error` as RFC 6750 has it, empty: nothing was presented.
    Response challenge(const Exchange& exchange, std::string_view scope,
                       std::string_view error) const;

private:
    using Shared = std::shared_ptr<Presented>;
    struct Found {
        Shared presented;
        std::optional<Response> refused;
    };
    struct Need;
    class Rights;

    static Need need_of(const Exchange& exchange);
    Shared know_bearer(std::string_view header) const;
    Awaitable<Found> find(Exchange* exchange, const Need* need);
    Awaitable<Found> find_bearer(Exchange* exchange, const Need* need, std::string text);
    Awaitable<Found> find_basic(Exchange* exchange, std::string user, std::string secret);
    Awaitable<engine::Answer<engine::Identity>> prove(std::string user, std::string secret);
    engine::Answer<engine::Identity> prove_login_token(std::string_view text);
    Awaitable<engine::Answer<engine::Identity>> prove_foreign_token(std::string text);
    bool rules_stand(const engine::Identity& identity) const;
    Awaitable<std::optional<Response>> refuse_image(Exchange* exchange, const Need* need,
                                                    Shared presented);
    std::optional<Response> refuse_scope(const Exchange& exchange, const Need& need,
                                         const AccessToken& token) const;
    Awaitable<std::optional<Response>> refuse_mount(Exchange* exchange, const Need* need,
                                                    Shared presented);
    std::optional<Response> refuse_catalog(Exchange& exchange, const Shared& presented);
    Awaitable<engine::Answer<engine::Decision>> decide(Shared presented, engine::Action action,
                                                       const engine::ImageName* image);
    CredentialCache::Key key_of(std::string_view kind, std::string_view user,
                                std::string_view secret) const;
    void admit(Exchange& exchange, const Shared& presented);

    AuthorityEnvironment environment_;
    const AuthOptions& options_;
    const std::string external_url_;
    const TokenNames names_;
    KeyRing keys_;
    asio::thread_pool fetching_{1};
    Federation federation_;
    LoginThrottle throttle_;
    RateLimits refreshes_;
    CredentialCache cache_;
    std::array<std::byte, 32> cache_key_{};  // of this process
    Shared nobody_;
    Counter& accepted_;
    Counter& rejected_;
    Counter& throttled_;
};

// Whom an identity provider vouches for.
engine::Identity identity_of(const FederatedIdentity& federated, std::int64_t now_s);

// Where the client sees this server: the configured address, what a trusted proxy says, or the Host it asked for. Absolute.
std::string seen_base(const std::string& external_url, const Exchange& exchange);

}  // namespace orbitalreg::frontend
