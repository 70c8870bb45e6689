#include "federation/federation.h"

#include "auth/strict_json.h"
#include "base/base64.h"

#include <algorithm>

namespace orbitalreg::frontend {
namespace {

constexpr std::int64_t kRefreshTickNs = 5'000'000'000;
constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::size_t kHeaderDepthMax = 4;

FederationAnswer refuse(FederationError error, std::string reason) {
    FederationAnswer answer;
    answer.error = error;
    answer.reason = std::move(reason);
    return answer;
}

bool takes(const OidcIssuer& issuer, SignatureAlgorithm algorithm) {
    return std::find(issuer.algorithms.begin(), issuer.algorithms.end(), algorithm) !=
           issuer.algorithms.end();
}

}  // namespace

Federation::Federation(const OidcOptions& options, Clock& clock, Log& log,
                       const FetchDocument& fetch)
    : clock_{clock}, rules_{options.rules} {
    for (const auto& issuer : options.issuers)
        providers_.push_back({issuer, make_issuer_keys(issuer, clock, log, fetch)});
}
Federation::~Federation() = default;

// What the token says of its issuer is believed no further than to choose whose key must have signed it (SEC-53).
const Federation::Provider* Federation::provider_of(const Jws& jws) const {
    const auto issuer = text_claim(jws.claims, "iss");
    if (!issuer) return nullptr;
    const auto found =
        std::find_if(providers_.begin(), providers_.end(),
                     [&issuer](const auto& known) { return known.options.issuer == *issuer; });
    return found == providers_.end() ? nullptr : &*found;
}

// A token whose signature is good.
FederationAnswer Federation::judge(const Jws& jws, const Provider& provider) const {
    const auto& issuer = provider.options;
    const auto now_s = clock_.wall_ns() / kSecondNs;
    const auto checked = check_subject_claims(jws, issuer, now_s);
    if (checked.error != FederationError::none)
        return refuse(checked.error, std::string{checked.reason});
    auto match = rules_.match(issuer.name, jws.claims);
    FederationAnswer answer;
    answer.subject = "oidc:" + issuer.name + ':' + checked.subject;
    if (match.rules.empty()) {
        answer.error = FederationError::invalid_request;
        answer.reason = "no rule accepts it";
        if (!match.refusals.empty()) answer.reason += ": " + match.refusals;
        return answer;
    }
    const auto ttl_s = std::min({match.ttl_s, kOidcTtlMaxSeconds, checked.expires_s - now_s});
    if (ttl_s < kOidcTtlMinSeconds) {
        answer.error = FederationError::invalid_request;
        answer.reason = "about to expire";
        return answer;
    }
    answer.identity = FederatedIdentity{issuer.name,
                                        answer.subject,
                                        std::move(match.grants),
                                        std::move(match.rules),
                                        groups_of(jws, issuer),
                                        checked.expires_s,
                                        checked.token_id,
                                        ttl_s,
                                        issuer.password_login};
    return answer;
}

Awaitable<FederationAnswer> Federation::accept(std::string token) {
    constexpr auto kInvalid = FederationError::invalid_request;
    const auto reading = read_jws(token);
    if (!reading.jws) co_return refuse(kInvalid, std::string{reading.fault});
    const Jws& jws = *reading.jws;
    if (!jws.type.empty() && jws.type != "JWT") co_return refuse(kInvalid, "another type of token");
    const auto* provider = provider_of(jws);
    if (provider == nullptr) co_return refuse(kInvalid, "of no issuer that is known");
    auto answer = refuse(kInvalid, {});
    if (!takes(provider->options, jws.algorithm)) {
        answer.reason = "an algorithm that the issuer is not allowed";
    } else if (jws.key_id.empty()) {
        answer.reason = "it names no key";
    } else {
        std::string key_id = jws.key_id;
        const auto found = co_await provider->keys->find(std::move(key_id), jws.algorithm);
        const bool signed_by_one =
            std::any_of(found.keys.begin(), found.keys.end(),
                        [&jws](const PublicKey& key) { return jws.verify(key); });
        if (signed_by_one) {
            answer = judge(jws, *provider);
        } else if (found.keys.empty()) {
            answer.error = found.unavailable ? FederationError::temporarily_unavailable : kInvalid;
            answer.reason = found.reason;
        } else {
            answer.reason = "the signature is not the issuer's";
        }
    }
    answer.issuer_name = provider->options.name;
    co_return answer;
}

Awaitable<void> Federation::keep_fresh() {
    for (;;) {
        for (const auto& provider : providers_) co_await provider.keys->refresh_if_due();
        co_await clock_.sleep_until(clock_.steady_ns() + kRefreshTickNs);
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none) co_return;
    }
}

bool Federation::looks_like_token(std::string_view text) {
    if (text.size() > kJwsSizeMax || std::count(text.begin(), text.end(), '.') != 2) return false;
    const auto header = decode_base64url(text.substr(0, text.find('.')));
    if (!header) return false;
    const auto value = parse_strict_json(as_text(*header), kHeaderDepthMax);
    return value && value->is_object() && value->get_object().contains("alg");
}

}  // namespace orbitalreg::frontend
