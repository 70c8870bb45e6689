#include "auth/authority.h"

#include "base/hasher.h"
#include "http/error_map.h"

#include <algorithm>
#include <utility>

namespace orbitalreg::frontend {
namespace {

using engine::AccessControl;
using engine::Action;
using engine::Identity;

// How long a name and secret are believed without looking again; a change of an account ends it at once.
constexpr std::int64_t kBasicKeep_s = 60;
constexpr std::string_view kTokenUser = "token";
constexpr std::string_view kForeignUser = "oidc";

std::string scope_text(const engine::ImageName& image, std::string_view actions) {
    return "repository:" + image.text() + ':' + std::string{actions};
}

Response denied(std::string_view message) { return error_response(403, "DENIED", message); }

Response wait(std::int64_t seconds) {
    auto response =
        error_response(429, "TOOMANYREQUESTS", "too many failed logins: wait, then try again");
    response.headers.add("Retry-After", static_cast<std::uint64_t>(seconds));
    return response;
}

// Host and port of a URL.
std::string authority_of(std::string_view url) {
    const auto scheme = url.find("://");
    if (scheme != url.npos) url.remove_prefix(scheme + 3);
    return std::string{url.substr(0, url.find('/'))};
}

TokenNames names_of(const AuthOptions& options, const std::string& external_url) {
    TokenNames names;
    names.service = !options.service.empty() ? options.service : authority_of(external_url);
    if (names.service.empty()) names.service = "orbitalreg";
    names.issuer = external_url.empty() ? names.service : external_url;
    return names;
}

KeyRingOptions ring_options(const AuthOptions& options) {
    KeyRingOptions ring;
    ring.folder = options.keys_path;
    ring.rotate_every_s = options.key_life.count();
    return ring;
}

// Of one account. Clients ask at each login; who asks in a loop would fill the store.
RateOptions refresh_limits() noexcept {
    RateOptions limits;
    limits.pulls = 200;
    limits.pull_window = std::chrono::hours{1};
    return limits;
}

// Only what never changes is kept by caches, and only there it matters whether several may share one.
bool is_kept_by_caches(const Exchange& exchange) noexcept {
    const Method method = exchange.head.method;
    if (method != Method::get && method != Method::head) return false;
    return exchange.match.route == Route::blob ||
           (exchange.match.route == Route::manifest &&
            exchange.match.reference.find(':') != std::string::npos);
}

bool writes(Method method) noexcept {
    return method == Method::put || method == Method::post || method == Method::patch ||
           method == Method::delete_;
}

}  // namespace

std::string seen_base(const std::string& external_url, const Exchange& exchange) {
    if (!external_url.empty()) return external_url;
    if (exchange.seen_base.starts_with("http")) return exchange.seen_base;
    std::string base = exchange.encrypted ? "https://" : "http://";
    base.append(exchange.head.field("Host").value_or("localhost"));
    return base + exchange.seen_base;
}

// What a request must be allowed.
struct Authority::Need {
    enum class Kind : std::uint8_t {
        nothing,  // the handler refuses it, or sees to it itself
        login,    // anybody who is somebody
        image,
        catalog,
        system,
    };
    Kind kind = Kind::nothing;
    std::optional<engine::ImageName> image;
    std::uint8_t scope = 0;       // actions that a token must have
    std::string_view challenged;  // those that a client is told to ask for
    Action action = Action::pull;
    bool decided_again = false;  // also with a token: rights that were withdrawn count at once
    std::optional<engine::ImageName> mounted_from;

    std::string scopes() const {
        if (kind == Kind::catalog) return "registry:catalog:*";
        if (!image) return {};
        auto text = scope_text(*image, challenged);
        // One value names both (DIST-MNT-05).
        if (mounted_from) text += ' ' + scope_text(*mounted_from, "pull");
        return text;
    }
};

// DIST-AUTH-04.
Authority::Need Authority::need_of(const Exchange& exchange) {
    Need need;
    const Method method = exchange.head.method;
    switch (exchange.match.route) {
        case Route::ping:
            need.kind = Need::Kind::login;
            return need;
        case Route::catalog:
            need.kind = Need::Kind::catalog;
            return need;
        case Route::system_gc:
        case Route::system_gc_blob:
        case Route::system_stats:
        case Route::system_compaction:
        case Route::system_scrub:
            need.kind = Need::Kind::system;
            return need;
        case Route::blob:
        case Route::uploads:
        case Route::upload:
        case Route::manifest:
        case Route::tags:
        case Route::referrers:
            break;
        default:
            return need;
    }
    auto image = engine::ImageName::parse(exchange.match.name);
    if (!image) return need;
    need.kind = Need::Kind::image;
    need.image = std::move(image).value();
    const bool upload =
        exchange.match.route == Route::uploads || exchange.match.route == Route::upload;
    if (method == Method::delete_ && !upload) {
        need.scope = scope_delete;
        need.challenged = "pull,delete";
        need.action = Action::remove;
        need.decided_again = true;
    } else if (upload || writes(method)) {
        need.scope = scope_push;
        need.challenged = "pull,push";
        need.action = Action::push;
    } else {
        need.scope = scope_pull;
        need.challenged = "pull";
        const bool lists = exchange.match.route == Route::tags;
        need.action = lists ? Action::list : Action::pull;
        need.decided_again = lists;
    }
    if (exchange.match.route != Route::uploads || !exchange.query.get("mount")) return need;
    if (const auto from = exchange.query.get("from")) {
        if (auto source = engine::ImageName::parse(*from))
            need.mounted_from = std::move(source).value();
    }
    return need;
}

// What one request may do, for those who look beyond the name in its path.
class Authority::Rights final : public engine::RequestAccess {
public:
    Rights(AccessControl& access, Shared presented)
        : access_{access}, presented_{std::move(presented)} {}

    Awaitable<bool> may(Action action, const engine::ImageName& image) const override {
        const auto& token = presented_->token();
        if (token && action == Action::pull && (token->actions_on(image) & scope_pull) == 0)
            co_return false;
        const auto project = access_.project_of(image);
        const auto view = co_await presented_->view(access_, project);
        if (!view) co_return false;
        const auto who = presented_->identity();
        co_return AccessControl::allows_in(*view.value(), *who, action, project, image.text());
    }

    Awaitable<bool> sees(std::string project) const override {
        const auto view = co_await presented_->view(access_, project);
        if (!view) co_return false;
        const auto& seen = *view.value();
        if (seen.rights.administrator || seen.open_to_all) co_return true;
        const bool granted =
            std::any_of(seen.rights.grants.begin(), seen.rights.grants.end(),
                        [&](const engine::Grant& grant) { return grant.project == project; });
        const bool open = std::any_of(seen.repositories.begin(), seen.repositories.end(),
                                      [](const auto& each) { return each.second; });
        co_return granted || open;
    }

private:
    AccessControl& access_;
    const Shared presented_;
};

engine::Identity identity_of(const FederatedIdentity& federated, std::int64_t now_s) {
    Identity identity;
    identity.kind = Identity::Kind::federated;
    identity.principal.name = federated.subject;
    identity.credential = "oidc:" + federated.issuer_name;
    identity.grants = federated.grants;
    identity.rules = federated.rules;
    identity.groups = federated.groups;
    identity.expires_s = now_s + federated.ttl_s;
    return identity;
}

Authority::Authority(AuthorityEnvironment environment, const AuthOptions& options,
                     const OidcOptions& oidc, std::string external_url)
    : environment_{environment},
      options_{options},
      external_url_{std::move(external_url)},
      names_{names_of(options, external_url_)},
      keys_{ring_options(options), environment.clock},
      federation_{oidc, environment.clock, environment.log, fetch_on(fetching_)},
      throttle_{options.login_failures},
      refreshes_{refresh_limits()},
      nobody_{std::make_shared<Presented>(Identity{}, std::nullopt, 0, 0)},
      accepted_{environment.metrics.counter("auth_total", "Credentials that were looked at.",
                                            {{"result", "accepted"}})},
      rejected_{environment.metrics.counter("auth_total", "Credentials that were looked at.",
                                            {{"result", "rejected"}})},
      throttled_{environment.metrics.counter("auth_total", "Credentials that were looked at.",
                                             {{"result", "throttled"}})} {
    environment_.random.fill(cache_key_);
}

Authority::~Authority() { fetching_.join(); }

std::string Authority::open() { return keys_.open(); }

CredentialCache::Key Authority::key_of(std::string_view kind, std::string_view user,
                                       std::string_view secret) const {
    // Neither a kind nor a name has a line end: no two are written alike. The whole text is hashed: who could find another one with
    // the same hash would be taken for the first.
    constexpr std::string_view kEnd = "\n";
    Hasher hasher{DigestAlgorithm::sha256};
    hasher.update(cache_key_);
    for (const auto part : {kind, kEnd, user, kEnd, secret}) hasher.update(as_bytes(part));
    CredentialCache::Key key{};
    const auto digest = hasher.digest();
    std::copy(digest.hash().begin(), digest.hash().end(), key.begin());
    return key;
}

Response Authority::challenge(const Exchange& exchange, std::string_view scope,
                              std::string_view error) const {
    // Nothing that a client wrote stands between the quotes but a Host that the guard let pass and a name of its grammar.
    std::string text = "Bearer realm=\"" + seen_base(external_url_, exchange) +
                       "/token\",service=\"" + names_.service + '"';
    if (!scope.empty()) text.append(",scope=\"").append(scope).append("\"");
    if (!error.empty()) text.append(",error=\"").append(error).append("\"");
    std::string_view message = "authentication required";
    if (error == "invalid_token") message = "the token is not valid, or not any more";
    if (error == "insufficient_scope") message = "the token does not allow this";
    auto response = error_response(401, "UNAUTHORIZED", message);
    response.headers.add("WWW-Authenticate", text);
    return response;
}

// --- who it is ---

engine::Answer<Identity> Authority::prove_login_token(std::string_view text) {
    const auto reading =
        read_access_token(text, *keys_.keys(), names_, AccessToken::Type::login, now_s());
    if (!reading.token) return engine::refuse({engine::Errc::denied, std::string{reading.fault}});
    auto identity = reading.token->identity;
    identity.expires_s = reading.token->expires_s;
    if (!rules_stand(identity))
        return engine::refuse({engine::Errc::denied, "a rule that granted it is gone"});
    return identity;
}

// The identity provider's own token as a password, where it was said that it may be presented again and again (SEC-57).
Awaitable<engine::Answer<Identity>> Authority::prove_foreign_token(std::string text) {
    const auto answer = co_await federation_.accept(std::move(text));
    if (answer.error == FederationError::temporarily_unavailable)
        co_return engine::refuse(
            {engine::Errc::overloaded, "the identity provider cannot be asked"});
    if (!answer.identity) co_return engine::refuse({engine::Errc::denied, answer.reason});
    if (!answer.identity->password_login) {
        co_return engine::refuse(
            {engine::Errc::denied, "tokens of this issuer are no passwords: exchange it first"});
    }
    co_return identity_of(*answer.identity, now_s());
}

bool Authority::rules_stand(const Identity& identity) const {
    return std::all_of(identity.rules.begin(), identity.rules.end(),
                       [this](const auto& rule) { return federation_.has_rule(rule); });
}

Awaitable<engine::Answer<Identity>> Authority::prove(std::string user, std::string secret) {
    if (Federation::looks_like_token(secret)) {
        if (user == kTokenUser) co_return prove_login_token(secret);
        if (user == kForeignUser) co_return co_await prove_foreign_token(std::move(secret));
        co_return engine::refuse({engine::Errc::denied, "a token is not a password here"});
    }
    co_return co_await environment_.access.log_in(std::move(user), std::move(secret));
}

Awaitable<Authority::Found> Authority::find_basic(Exchange* exchange, std::string user,
                                                  std::string secret) {
    const auto key = key_of("basic", user, secret);
    const auto now = now_s();
    if (auto known = cache_.find(key); known && now < known->good_until_s()) {
        const auto genuine = co_await known->recall(environment_.access);
        if (!genuine) co_return Found{nullptr, refusal_response(genuine.error(), Subject::listing)};
        if (genuine.value()) co_return Found{known, std::nullopt};
        cache_.forget(key);
    }
    const auto& address = exchange->client_address;
    if (const auto seconds = throttle_.wait_s(address, user, environment_.clock.steady_ns())) {
        throttled_.add();
        co_return Found{nullptr, wait(*seconds)};
    }
    const auto epoch = environment_.access.epoch();
    auto proven = co_await prove(user, std::move(secret));
    // Of guesses that came side by side no more are answered than of guesses that came one by one: which of the others was
    // right is not told.
    const auto steady = environment_.clock.steady_ns();
    if (const auto seconds = throttle_.wait_s(address, user, steady)) {
        throttled_.add();
        co_return Found{nullptr, wait(*seconds)};
    }
    if (!proven && proven.error().code != engine::Errc::denied) {
        co_return Found{nullptr, refusal_response(proven.error(), Subject::listing)};
    }
    if (!proven) {
        throttle_.failed(address, user, steady);
        rejected_.add();
        exchange->notes.login = AccessNotes::Login::failed;
        exchange->notes.login_name = std::move(user);
        exchange->notes.reason = proven.error().message;
        co_return Found{};
    }
    throttle_.succeeded(address, user);
    accepted_.add();
    exchange->notes.login = AccessNotes::Login::accepted;
    exchange->notes.login_name = user;
    auto identity = std::move(proven).value();
    auto until = now + kBasicKeep_s;
    if (identity.expires_s != 0) until = std::min(until, identity.expires_s);
    const bool once = identity.kind == Identity::Kind::bootstrap;
    auto presented = std::make_shared<Presented>(std::move(identity), std::nullopt, epoch, until);
    if (!once) cache_.keep(key, presented);
    co_return Found{std::move(presented), std::nullopt};
}

Awaitable<Authority::Login> Authority::log_in(Exchange& exchange, std::string user,
                                              std::string secret) {
    auto found = co_await find_basic(&exchange, std::move(user), std::move(secret));
    if (!found.presented) co_return Login{nullptr, std::move(found.refused)};
    co_return Login{found.presented->identity(), std::nullopt};
}

// A token that was looked at before, while nothing has changed since: what most requests bring.
Authority::Shared Authority::know_bearer(std::string_view header) const {
    constexpr std::string_view kScheme = "Bearer ";
    if (!header.starts_with(kScheme)) return nullptr;
    auto presented = cache_.find(key_of("bearer", {}, header.substr(kScheme.size())));
    const bool good = presented && presented->is_current(environment_.access.epoch()) &&
                      now_s() < presented->good_until_s();
    return good ? std::move(presented) : nullptr;
}

Awaitable<Authority::Found> Authority::find_bearer(Exchange* exchange, const Need* need,
                                                   std::string text) {
    const auto key = key_of("bearer", {}, text);
    const auto now = now_s();
    auto presented = cache_.find(key);
    if (!presented) {
        const auto epoch = environment_.access.epoch();
        auto keys = keys_.keys();
        auto reading = read_access_token(text, *keys, names_, AccessToken::Type::access, now);
        if (!reading.token && !reading.key_id.empty() && keys_.look_again(reading.key_id)) {
            keys = keys_.keys();
            reading = read_access_token(text, *keys, names_, AccessToken::Type::access, now);
        }
        if (reading.token && !rules_stand(reading.token->identity)) reading.token.reset();
        if (reading.token) {
            auto identity = reading.token->identity;
            const auto recalled = co_await environment_.access.recall(std::move(identity));
            if (recalled) {
                const auto until = reading.token->expires_s;
                presented = std::make_shared<Presented>(recalled.value(), std::move(reading.token),
                                                        epoch, until);
                cache_.keep(key, presented);
                accepted_.add();
            } else if (recalled.error().code != engine::Errc::denied) {
                co_return Found{nullptr, refusal_response(recalled.error(), Subject::listing)};
            }
        } else {
            exchange->notes.rule = std::string{"token refused: "} + std::string{reading.fault};
        }
    } else {
        const auto genuine = co_await presented->recall(environment_.access);
        if (!genuine) co_return Found{nullptr, refusal_response(genuine.error(), Subject::listing)};
        if (!genuine.value() || now >= presented->good_until_s() + kClockLeeway_s) {
            cache_.forget(key);
            presented = nullptr;
        }
    }
    if (presented) co_return Found{std::move(presented), std::nullopt};
    rejected_.add();
    co_return Found{nullptr, challenge(*exchange, need->scopes(), "invalid_token")};
}

Awaitable<Authority::Found> Authority::find(Exchange* exchange, const Need* need) {
    const auto field = exchange->head.field("Authorization");
    if (!field) {
        const auto genuine = co_await nobody_->recall(environment_.access);
        if (!genuine) co_return Found{nullptr, refusal_response(genuine.error(), Subject::listing)};
        co_return Found{nobody_, std::nullopt};
    }
    auto credentials = parse_authorization(*field);
    const bool is_basic = credentials.kind == Credentials::Kind::basic;
    // A scoped token never reaches what operators do: it says nothing about that.
    if (credentials.kind == Credentials::Kind::bearer && need->kind != Need::Kind::system)
        co_return co_await find_bearer(exchange, need, std::move(credentials.secret));
    if (is_basic && (options_.basic_on_v2 || need->kind == Need::Kind::system)) {
        auto found = co_await find_basic(exchange, std::move(credentials.user),
                                         std::move(credentials.secret));
        if (found.presented || found.refused) co_return found;
    }
    co_return Found{
        nullptr, challenge(*exchange, need->scopes(),
                           credentials.kind == Credentials::Kind::bearer ? "invalid_token" : "")};
}

bool Authority::may_refresh(const Identity& who) {
    return !refreshes_.pull(who.principal.name, environment_.clock.steady_ns(), true).wait_s;
}

// --- what it may ---

void Authority::admit(Exchange& exchange, const Shared& presented) {
    exchange.access = std::make_shared<const Rights>(environment_.access, presented);
}

Awaitable<engine::Answer<engine::Decision>> Authority::decide(Shared presented, Action action,
                                                              const engine::ImageName* image) {
    const auto project = environment_.access.project_of(*image);
    const auto view = co_await presented->view(environment_.access, project);
    if (!view) co_return engine::refuse(view.error());
    const auto who = presented->identity();
    co_return AccessControl::decide_in(*view.value(), *who, action, project, image->text());
}

// The scope that is missing was asked for when the token was made, and not granted: to ask again would be no use (DIST-AUTH-07).
std::optional<Response> Authority::refuse_scope(const Exchange& exchange, const Need& need,
                                                const AccessToken& token) const {
    if ((token.actions_on(*need.image) & need.scope) == need.scope) return std::nullopt;
    if ((token.asked_on(*need.image) & need.scope) != 0)
        return denied("the requested access was not granted");
    return challenge(exchange, need.scopes(), "insufficient_scope");
}

Awaitable<std::optional<Response>> Authority::refuse_image(Exchange* exchange, const Need* need,
                                                           Shared presented) {
    const auto& token = presented->token();
    if (token) {
        if (auto refused = refuse_scope(*exchange, *need, *token)) co_return refused;
        exchange->notes.rule = "token " + token->id;
    }
    if (!token || need->decided_again) {
        const auto decision = co_await decide(presented, need->action, &*need->image);
        if (!decision) co_return refusal_response(decision.error(), Subject::listing);
        exchange->notes.rule = decision.value().reason;
        const bool nobody = presented->identity()->kind == Identity::Kind::anonymous && !token;
        if (!decision.value().allowed && nobody) co_return challenge(*exchange, need->scopes(), {});
        if (!decision.value().allowed) co_return denied("the requested access is not granted");
    }
    if (exchange->match.route == Route::manifest && exchange->head.method == Method::put) {
        const auto moves = co_await decide(presented, Action::move_tag, &*need->image);
        if (!moves) co_return refusal_response(moves.error(), Subject::manifest_push);
        exchange->may_move_tags = moves.value().allowed;
    }
    if (exchange->match.route == Route::uploads)
        co_return co_await refuse_mount(exchange, need, std::move(presented));
    if (!is_kept_by_caches(*exchange)) co_return std::nullopt;
    const auto anybody = co_await decide(nobody_, Action::pull, &*need->image);
    exchange->open_to_all = anybody && anybody.value().allowed;
    co_return std::nullopt;
}

// A token that was not asked for the source is widened; with one that was, and has no right, an ordinary upload begins: the
// handler finds nothing to mount (SEC-26, DIST-MNT-05).
Awaitable<std::optional<Response>> Authority::refuse_mount(Exchange* exchange, const Need* need,
                                                           Shared presented) {
    const auto& token = presented->token();
    if (need->mounted_from && token) {
        const auto& source = *need->mounted_from;
        const bool asked =
            ((token->actions_on(source) | token->asked_on(source)) & scope_pull) != 0;
        if (!asked) co_return challenge(*exchange, need->scopes(), "insufficient_scope");
    }
    admit(*exchange, presented);
    co_return std::nullopt;
}

std::optional<Response> Authority::refuse_catalog(Exchange& exchange, const Shared& presented) {
    const auto& token = presented->token();
    constexpr std::string_view kScope = "registry:catalog:*";
    const bool nobody = presented->identity()->kind == Identity::Kind::anonymous;
    if (!token && nobody) return challenge(exchange, kScope, {});
    if (token && !token->lists_catalog()) {
        if (token->asked_catalog()) return denied("the catalog is for those who say who they are");
        return challenge(exchange, kScope, "insufficient_scope");
    }
    admit(exchange, presented);
    return std::nullopt;
}

Awaitable<std::optional<Response>> Authority::refuse(Exchange& exchange) {
    const auto need = need_of(exchange);
    if (need.kind == Need::Kind::nothing) co_return std::nullopt;
    Found found;
    if (need.kind != Need::Kind::system)
        found.presented = know_bearer(exchange.head.field("Authorization").value_or(""));
    if (!found.presented) found = co_await find(&exchange, &need);
    if (!found.presented) co_return std::move(found.refused);
    const auto who = found.presented->identity();
    exchange.principal = who->principal;
    exchange.notes.credential = who->credential;
    const bool nobody = who->kind == Identity::Kind::anonymous && !found.presented->token();
    switch (need.kind) {
        case Need::Kind::image:
            co_return co_await refuse_image(&exchange, &need, std::move(found.presented));
        case Need::Kind::catalog:
            co_return refuse_catalog(exchange, found.presented);
        case Need::Kind::login:
            // DIST-PING-01: also where anonymous pulls are allowed.
            if (nobody) co_return challenge(exchange, {}, {});
            co_return std::nullopt;
        case Need::Kind::system:
            if (nobody) co_return challenge(exchange, {}, {});
            if (AccessControl::administers(*who)) co_return std::nullopt;
            co_return denied("this is for administrators of the system");
        case Need::Kind::nothing:
            break;
    }
    co_return std::nullopt;
}

}  // namespace orbitalreg::frontend
