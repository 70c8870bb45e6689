#include "handlers/token.h"

#include "auth/authority.h"
#include "auth/token_request.h"
#include "http/ascii.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>
#include <ctime>

namespace orbitalreg::frontend {
namespace {

namespace json = boost::json;
using engine::AccessControl;
using engine::Action;
using engine::Identity;

constexpr std::size_t kFormBytesMax = 64 * 1024;
constexpr std::size_t kFormParametersMax = 128;
constexpr std::string_view kFormType = "application/x-www-form-urlencoded";
constexpr std::string_view kExchangeGrant = "urn:ietf:params:oauth:grant-type:token-exchange";

std::string rfc3339(std::int64_t seconds) {
    const auto time = static_cast<std::time_t>(seconds);
    std::tm parts{};
    ::gmtime_r(&time, &parts);
    std::array<char, 32> text{};
    return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

Response uncached(Response response) {
    response.headers.add("Cache-Control", "no-store");
    response.headers.add("Pragma", "no-cache");
    return response;
}

// Both forms of an error: OCI's, and that of OAuth, which the clients of POST read (DIST-AUTH-42).
Response oauth_error(unsigned status, std::string_view error, std::string_view text) {
    const std::string_view code = status == 401 ? "UNAUTHORIZED" : "DENIED";
    const json::object body{
        {"error", error},
        {"error_description", text},
        {"errors", json::array{json::object{{"code", code}, {"message", text}}}}};
    return uncached(json_response(status, json::serialize(body)));
}

Response not_genuine() {
    auto response = oauth_error(401, "invalid_grant", "the credentials are not valid");
    response.headers.add("WWW-Authenticate", "Basic realm=\"OrbitalReg\"");
    return response;
}

// What of a scope somebody may do.
Awaitable<engine::Answer<Scope>> grant(Authority* authority, std::shared_ptr<const Identity> who,
                                       const Scope* asked) {
    Scope granted = *asked;
    granted.actions = 0;
    auto& access = authority->access();
    const auto project = access.project_of(*asked->image);
    const auto view = co_await access.view(*who, project);
    if (!view) co_return engine::refuse(view.error());
    constexpr std::array kActions{std::pair{scope_pull, Action::pull},
                                  std::pair{scope_push, Action::push},
                                  std::pair{scope_delete, Action::remove}};
    for (const auto& [bit, action] : kActions) {
        if ((asked->actions & bit) == 0) continue;
        const auto decision =
            AccessControl::decide_in(view.value(), *who, action, project, asked->image->text());
        if (decision.allowed) granted.actions |= bit;
    }
    co_return granted;
}

void add(std::vector<Scope>& scopes, const Scope& scope) {
    const auto same = std::find_if(scopes.begin(), scopes.end(),
                                   [&](const Scope& each) { return each.image == scope.image; });
    if (same != scopes.end()) {
        same->actions |= scope.actions;
    } else {
        scopes.push_back(scope);
    }
}

// Granted is what was asked for and is allowed; nothing granted is no error (DIST-AUTH-22).
Awaitable<engine::Answer<AccessToken>> fill(Authority* authority,
                                            std::shared_ptr<const Identity> who,
                                            const std::vector<Scope>* scopes) {
    AccessToken token;
    token.identity = *who;
    for (const auto& asked : *scopes) {
        if (!asked.image) {
            const bool somebody = who->kind != Identity::Kind::anonymous;
            add(somebody ? token.access : token.asked, asked);
            continue;
        }
        auto granted = co_await grant(authority, who, &asked);
        if (!granted) co_return engine::refuse(granted.error());
        Scope rest = asked;
        rest.actions = static_cast<std::uint8_t>(asked.actions & ~granted.value().actions);
        if (granted.value().actions != 0) add(token.access, granted.value());
        if (rest.actions != 0) add(token.asked, rest);
    }
    co_return token;
}

std::string new_id(Authority& authority) {
    std::array<std::byte, 16> id;
    authority.random().fill(id);
    return to_hex(id);
}

struct Issue {
    std::shared_ptr<const Identity> who;
    const std::vector<Scope>* scopes = nullptr;
    std::string refresh_token;  // to be told beside it
    bool oauth = false;         // tell the scope, as POST does
    std::int64_t life_s = 0;    // instead of the usual; 0: the usual
    bool exchanged = false;
};

std::string scope_list(const std::vector<Scope>& scopes) {
    std::string text;
    for (const auto& scope : scopes) text.append(text.empty() ? "" : " ").append(to_string(scope));
    return text;
}

Awaitable<Response> issue(Authority* authority, Exchange* exchange, Issue wanted) {
    auto filled = co_await fill(authority, wanted.who, wanted.scopes);
    if (!filled) co_return refusal_response(filled.error(), Subject::listing);
    auto token = std::move(filled).value();
    const auto now = authority->now_s();
    auto life = authority->options().token_life.count();
    if (wanted.life_s != 0) life = wanted.life_s;
    // It ends no later than what it was made from (SEC-59).
    if (wanted.who->expires_s != 0) life = std::min(life, wanted.who->expires_s - now);
    if (life < kTokenLifeMin_s) co_return not_genuine();
    token.issued_s = now;
    token.expires_s = now + life;
    token.id = new_id(*authority);
    const auto granted = scope_list(token.access);
    const auto id_text = token.id;
    const auto text =
        write_access_token(authority->keys().keys()->active, authority->names(), std::move(token));
    if (text.empty()) co_return error_response(500, "UNKNOWN", "internal error");
    json::object body;
    if (!wanted.exchanged) body["token"] = text;
    body["access_token"] = text;
    body["expires_in"] = life;
    if (wanted.exchanged) {
        body["issued_token_type"] = "urn:ietf:params:oauth:token-type:access_token";
        body["token_type"] = "Bearer";
    } else {
        body["issued_at"] = rfc3339(now);
    }
    if (wanted.oauth) body["scope"] = granted;
    if (!wanted.refresh_token.empty()) body["refresh_token"] = wanted.refresh_token;
    exchange->principal = wanted.who->principal;
    exchange->notes.credential = wanted.who->credential;
    exchange->notes.action = wanted.exchanged ? "token.exchange" : "token.issue";
    exchange->notes.rule = "token " + id_text;
    exchange->notes.reference = granted;
    co_return uncached(json_response(200, json::serialize(body)));
}

// --- refresh tokens ---

// Nothing: there is none for this one, as for nobody and for what an identity provider vouched for (SEC-59).
Awaitable<engine::Answer<std::string>> new_refresh(Authority* authority,
                                                   std::shared_ptr<const Identity> who,
                                                   const TokenRequest* request) {
    if (who->kind != Identity::Kind::user && who->kind != Identity::Kind::robot)
        co_return std::string{};
    engine::RefreshToken token;
    token.principal = who->principal.name;
    token.account_id = who->account_id;
    token.generation = who->generation;
    token.credential = who->credential;
    token.service = authority->names().service;
    token.client_id = request->client_id;
    auto made = co_await authority->access().accounts().create_refresh(
        std::move(token), authority->options().refresh_life.count());
    if (!made) co_return engine::refuse(made.error());
    co_return std::move(made.value().text);
}

std::optional<Identity> identity_of(const engine::RefreshToken& token) {
    Identity identity;
    const auto colon = token.principal.find(':');
    if (colon == token.principal.npos) return std::nullopt;
    const auto kind = token.principal.substr(0, colon);
    if (kind != "user" && kind != "robot") return std::nullopt;
    identity.kind = kind == "user" ? Identity::Kind::user : Identity::Kind::robot;
    identity.principal.name = token.principal;
    identity.account = token.principal.substr(colon + 1);
    identity.account_id = token.account_id;
    identity.generation = token.generation;
    identity.credential = token.credential;
    return identity;
}

// It was used or revoked meanwhile, or the store has trouble: then the client may keep it.
Response refusal_of_refresh(const engine::Refusal& refusal) {
    const bool gone = refusal.code == engine::Errc::precondition_failed ||
                      refusal.code == engine::Errc::document_unknown;
    return gone ? not_genuine() : refusal_response(refusal, Subject::listing);
}

Awaitable<Response> by_refresh_token(Authority* authority, Exchange* exchange,
                                     const TokenRequest* request) {
    auto& accounts = authority->access().accounts();
    const auto found = co_await accounts.find_refresh(request->refresh_token);
    if (!found && found.error().code != engine::Errc::document_unknown)
        co_return refusal_response(found.error(), Subject::listing);
    if (!found) co_return not_genuine();
    const auto& token = found.value();
    if (token.used_up) {
        // Somebody else has it too: none of the family is believed any more (SEC-47).
        exchange->notes.reason =
            "a refresh token was used again after it was replaced: its family is revoked";
        exchange->principal.name = token.principal;
        const auto revoked = co_await accounts.revoke_family(token.family);
        if (!revoked) co_return refusal_response(revoked.error(), Subject::listing);
        co_return not_genuine();
    }
    const bool same_client = request->client_id.empty() || token.client_id.empty() ||
                             token.client_id == request->client_id;
    auto identity = identity_of(token);
    if (!identity || !same_client || token.service != authority->names().service)
        co_return not_genuine();
    auto who = co_await authority->access().recall(std::move(*identity));
    if (!who && who.error().code != engine::Errc::denied)
        co_return refusal_response(who.error(), Subject::listing);
    if (!who) co_return not_genuine();
    const auto keep_s = authority->options().refresh_life.count();
    std::string refresh = request->refresh_token;
    if (authority->options().rotate_refresh) {
        auto next = co_await accounts.replace_refresh(token, keep_s);
        if (!next) co_return refusal_of_refresh(next.error());
        refresh = std::move(next.value().text);
    } else {
        const auto touched = co_await accounts.touch_refresh(token, keep_s, false);
        if (!touched) co_return refusal_of_refresh(touched.error());
    }
    auto shared = std::make_shared<const Identity>(std::move(who).value());
    Issue wanted{std::move(shared), &request->scopes, std::move(refresh), true, 0, false};
    co_return co_await issue(authority, exchange, std::move(wanted));
}

// --- names and secrets ---

Awaitable<Response> by_password(Authority* authority, Exchange* exchange,
                                const TokenRequest* request) {
    auto login = co_await authority->log_in(*exchange, request->user, request->secret);
    exchange->notes.reference = request->user;
    if (!login.identity && login.refused) co_return uncached(std::move(*login.refused));
    if (!login.identity) co_return not_genuine();
    if (login.identity->kind == Identity::Kind::bootstrap) co_return not_genuine();
    std::string refresh;
    if (request->offline) {
        auto made = co_await new_refresh(authority, login.identity, request);
        if (!made) co_return refusal_response(made.error(), Subject::listing);
        refresh = std::move(made).value();
    }
    Issue wanted{login.identity, &request->scopes, std::move(refresh), request->form, 0, false};
    co_return co_await issue(authority, exchange, std::move(wanted));
}

Awaitable<Response> for_nobody(Authority* authority, Exchange* exchange,
                               const TokenRequest* request) {
    Issue wanted{std::make_shared<const Identity>(), &request->scopes, {}, false, 0, false};
    co_return co_await issue(authority, exchange, std::move(wanted));
}

// --- tokens of identity providers, RFC 8693 ---

constexpr std::string_view kTokenType = "urn:ietf:params:oauth:token-type:";

bool is_type(std::string_view text, std::string_view name) noexcept {
    return text.size() == kTokenType.size() + name.size() && text.starts_with(kTokenType) &&
           text.ends_with(name);
}

struct ExchangeFault {
    std::string_view error;
    std::string_view text;
};

// What is wrong with the request, before the token is looked at.
std::optional<ExchangeFault> check_exchange(Authority& authority, const Exchange& exchange,
                                            const TokenRequest& request,
                                            const std::string& external_url) {
    constexpr std::string_view kInvalid = "invalid_request";
    if (authority.federation().empty())
        return ExchangeFault{kInvalid, "no identity provider is known here"};
    if (request.has_actor) return ExchangeFault{kInvalid, "actor tokens are not accepted"};
    if (request.subject_token.empty()) return ExchangeFault{kInvalid, "`subject_token` is missing"};
    if (!is_type(request.subject_token_type, "id_token") &&
        !is_type(request.subject_token_type, "jwt"))
        return ExchangeFault{kInvalid, "`subject_token_type` must end in :id_token or :jwt"};
    const auto& wanted = request.requested_token_type;
    if (!wanted.empty() && !is_type(wanted, "access_token") && !is_type(wanted, "jwt"))
        return ExchangeFault{kInvalid, "only access tokens are given"};
    if (!request.audience.empty() && request.audience != authority.names().service)
        return ExchangeFault{"invalid_target", "`audience` is another service"};
    if (!request.resource.empty() && request.resource != seen_base(external_url, exchange))
        return ExchangeFault{"invalid_target", "`resource` is another service"};
    return std::nullopt;
}

Response refuse_exchange(Exchange& exchange, const FederationAnswer& answer) {
    exchange.notes.reason = answer.reason;
    exchange.notes.credential = answer.issuer_name;
    exchange.principal.name = answer.subject;
    switch (answer.error) {
        case FederationError::invalid_target:
            return oauth_error(400, "invalid_target", "the token is for another audience");
        case FederationError::temporarily_unavailable: {
            auto response = oauth_error(503, "temporarily_unavailable",
                                        "the identity provider cannot be asked: try again later");
            response.headers.add("Retry-After", "10");
            return response;
        }
        default:
            return oauth_error(400, "invalid_request", "the token is not accepted");
    }
}

// Without a scope the job gets a password for the token endpoint, since docker asks for its scopes itself.
Response login_token(Authority& authority, Exchange& exchange,
                     const std::shared_ptr<const Identity>& who) {
    AccessToken token;
    token.type = AccessToken::Type::login;
    token.identity = *who;
    token.issued_s = authority.now_s();
    token.expires_s = who->expires_s;
    token.id = new_id(authority);
    const auto life = token.expires_s - token.issued_s;
    exchange.principal = who->principal;
    exchange.notes.credential = who->credential;
    exchange.notes.action = "token.exchange";
    exchange.notes.reference = "login";
    const auto text =
        write_access_token(authority.keys().keys()->active, authority.names(), std::move(token));
    if (text.empty()) return error_response(500, "UNKNOWN", "internal error");
    return uncached(
        json_response(200, json::serialize(json::object{
                               {"access_token", text},
                               {"issued_token_type", std::string{kTokenType} + "access_token"},
                               {"token_type", "Bearer"},
                               {"expires_in", life}})));
}

Awaitable<Response> by_exchange(Authority* authority, Exchange* exchange,
                                const TokenRequest* request, const std::string* external_url) {
    if (const auto fault = check_exchange(*authority, *exchange, *request, *external_url)) {
        exchange->notes.reason = fault->text;
        co_return oauth_error(400, fault->error, fault->text);
    }
    const auto answer = co_await authority->federation().accept(request->subject_token);
    if (!answer.identity) co_return refuse_exchange(*exchange, answer);
    const auto& federated = *answer.identity;
    const auto now = authority->now_s();
    // Durable before anything is given for it (SEC-57).
    const auto used = co_await authority->access().accounts().use_once(
        federated.issuer_name, federated.token_id, federated.expires_s - now + kClockSkewSeconds);
    if (!used && used.error().code != engine::Errc::exists)
        co_return refusal_response(used.error(), Subject::listing);
    if (!used) {
        exchange->principal.name = federated.subject;
        exchange->notes.reason = "the token was exchanged before";
        co_return oauth_error(400, "invalid_request", "the token is not accepted");
    }
    std::string rules;
    for (const auto& rule : federated.rules)
        rules.append(rules.empty() ? "rule " : ", ").append(rule);
    auto who = std::make_shared<const Identity>(identity_of(federated, now));
    if (!request->scoped) {
        auto response = login_token(*authority, *exchange, who);
        exchange->notes.rule = std::move(rules);
        co_return response;
    }
    Issue wanted{std::move(who), &request->scopes, {}, true, federated.ttl_s, true};
    auto response = co_await issue(authority, exchange, std::move(wanted));
    exchange->notes.rule = std::move(rules);
    co_return response;
}

// --- requests ---

Awaitable<Response> answer_get(Authority* authority, Exchange* exchange) {
    TokenRequest request;
    if (const auto fault = read_token_query(exchange->query, request); !fault.empty())
        co_return oauth_error(400, "invalid_request", fault);
    const auto field = exchange->head.field("Authorization");
    if (!request.names_service(authority->names().service))
        co_return oauth_error(400, "invalid_request", "this is another service");
    if (!field) co_return co_await for_nobody(authority, exchange, &request);
    auto credentials = parse_authorization(*field);
    if (credentials.kind != Credentials::Kind::basic) co_return not_genuine();
    request.user = std::move(credentials.user);
    request.secret = std::move(credentials.secret);
    co_return co_await by_password(authority, exchange, &request);
}

Awaitable<Result<std::string>> read_form(BodyIn* body) {
    body->limit(kFormBytesMax);
    std::string text(kFormBytesMax + 1, '\0');
    std::size_t filled = 0;
    while (!body->finished()) {
        auto room = std::as_writable_bytes(std::span{text}).subspan(filled);
        ORB_CO_TRY(const auto size, co_await body->read_some(room));
        filled += size;
    }
    text.resize(filled);
    co_return text;
}

bool is_form(const Exchange& exchange) {
    const auto type = exchange.head.field("Content-Type").value_or("");
    return equals_ignoring_case(trim_blanks(type.substr(0, type.find(';'))), kFormType);
}

Awaitable<Response> answer_post(Authority* authority, Exchange* exchange,
                                const std::string* external_url) {
    if (!is_form(*exchange))
        co_return oauth_error(400, "invalid_request",
                              "the body must be a form, " + std::string{kFormType});
    auto text = co_await read_form(&exchange->body);
    if (!text) co_return body_fault(text.error(), "UNSUPPORTED");
    const auto form = Query::parse(text.value(), kFormParametersMax);
    TokenRequest request;
    if (const auto fault = read_token_form(form, request); !fault.empty())
        co_return oauth_error(400, "invalid_request", fault);
    if (!request.names_service(authority->names().service))
        co_return oauth_error(400, "invalid_request", "this is another service");
    if (request.grant_type == "password")
        co_return co_await by_password(authority, exchange, &request);
    if (request.grant_type == "refresh_token")
        co_return co_await by_refresh_token(authority, exchange, &request);
    if (request.grant_type == kExchangeGrant)
        co_return co_await by_exchange(authority, exchange, &request, external_url);
    co_return oauth_error(
        400, "unsupported_grant_type",
        "grant_type is password, refresh_token or " + std::string{kExchangeGrant});
}

}  // namespace

Awaitable<Response> handle_token(const Services& services, Exchange& exchange) {
    if (services.authority == nullptr) {
        co_return error_response(404, "UNSUPPORTED",
                                 "authentication is switched off on this server");
    }
    if (exchange.head.method == Method::post)
        co_return co_await answer_post(services.authority, &exchange,
                                       &services.options.external_url);
    auto ignored = co_await ignore_body(exchange.body, services.options.limits.ignored_body_bytes);
    if (ignored) co_return std::move(*ignored);
    co_return co_await answer_get(services.authority, &exchange);
}

Awaitable<Response> handle_jwks(const Services& services, Exchange& exchange) {
    auto ignored = co_await ignore_body(exchange.body, services.options.limits.ignored_body_bytes);
    if (ignored) co_return std::move(*ignored);
    if (services.authority == nullptr) {
        co_return error_response(404, "UNSUPPORTED",
                                 "authentication is switched off on this server");
    }
    auto response = json_response(200, services.authority->keys().keys()->jwks + '\n');
    response.headers.add("Cache-Control", "public, max-age=300");
    co_return response;
}

}  // namespace orbitalreg::frontend
