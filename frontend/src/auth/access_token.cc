#include "auth/access_token.h"

#include "auth/grant_json.h"
#include "auth/jws.h"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>

namespace orbitalreg::frontend {
namespace {

namespace json = boost::json;
using engine::Identity;

constexpr std::string_view kAccessType = "JWT";
constexpr std::string_view kLoginType = "orbital-login+jwt";
// Header and signature, and the dots between.
constexpr std::size_t kAroundClaims = 300;

struct NamedKind {
    Identity::Kind kind;
    std::string_view prefix;  // of the subject
};
constexpr std::array kKinds{NamedKind{Identity::Kind::user, "user:"},
                            NamedKind{Identity::Kind::robot, "robot:"},
                            NamedKind{Identity::Kind::federated, "oidc:"}};

std::string_view type_name(AccessToken::Type type) noexcept {
    return type == AccessToken::Type::access ? kAccessType : kLoginType;
}

std::string audience(const TokenNames& names, AccessToken::Type type) {
    return type == AccessToken::Type::access ? names.service : names.service + "/token";
}

json::array action_array(std::uint8_t actions) {
    json::array array;
    const auto names = action_names(actions);
    for (std::size_t at = 0; at < names.size();) {
        const auto comma = std::min(names.find(',', at), names.size());
        array.emplace_back(names.substr(at, comma - at));
        at = comma + 1;
    }
    return array;
}

json::array access_array(const std::vector<Scope>& scopes) {
    json::array array;
    for (const auto& scope : scopes) {
        if (!scope.image) {
            array.push_back(json::object{
                {"type", "registry"}, {"name", "catalog"}, {"actions", json::array{"*"}}});
            continue;
        }
        array.push_back(json::object{{"type", "repository"},
                                     {"name", scope.image->text()},
                                     {"actions", action_array(scope.actions)}});
    }
    return array;
}

json::object claims_of(const TokenNames& names, const AccessToken& token) {
    const auto& identity = token.identity;
    json::object claims{{"iss", names.issuer},
                        {"sub", identity.principal.name},
                        {"aud", audience(names, token.type)},
                        {"iat", token.issued_s},
                        {"nbf", token.issued_s - kClockLeeway_s},
                        {"exp", token.expires_s},
                        {"jti", token.id},
                        {"gen", static_cast<std::int64_t>(identity.generation)},
                        {"amr", identity.credential}};
    if (!identity.account_id.empty()) claims["uid"] = identity.account_id;
    if (identity.kind == Identity::Kind::federated) {
        claims["grants"] = to_json(identity.grants);
        claims["rules"] = json::array(identity.rules.begin(), identity.rules.end());
        claims["groups"] = json::array(identity.groups.begin(), identity.groups.end());
    }
    if (token.type == AccessToken::Type::login) return claims;
    claims["access"] = access_array(token.access);
    json::array asked;
    for (const auto& scope : token.asked) asked.emplace_back(to_string(scope));
    if (!asked.empty()) claims["asked"] = std::move(asked);
    return claims;
}

std::optional<std::vector<std::string>> texts_claim(const json::object& claims,
                                                    std::string_view name) {
    std::vector<std::string> texts;
    const auto* value = claims.if_contains(name);
    if (value == nullptr) return texts;
    if (!value->is_array()) return std::nullopt;
    for (const auto& each : value->get_array()) {
        if (!each.is_string()) return std::nullopt;
        texts.emplace_back(each.get_string());
    }
    return texts;
}

bool read_identity(const json::object& claims, Identity& identity) {
    const auto subject = text_claim(claims, "sub");
    const auto generation = number_claim(claims, "gen");
    const auto credential = text_claim(claims, "amr");
    if (!subject || !generation || *generation < 0 || !credential) return false;
    identity.principal.name = *subject;
    identity.generation = static_cast<std::uint64_t>(*generation);
    identity.credential = *credential;
    if (const auto id = text_claim(claims, "uid")) identity.account_id = *id;
    if (subject->empty()) return true;
    const auto kind = std::find_if(kKinds.begin(), kKinds.end(), [&](const NamedKind& each) {
        return subject->starts_with(each.prefix);
    });
    if (kind == kKinds.end()) return false;
    identity.kind = kind->kind;
    if (identity.kind != Identity::Kind::federated) {
        identity.account = subject->substr(kind->prefix.size());
        return true;
    }
    const auto* grants = claims.if_contains("grants");
    auto rules = texts_claim(claims, "rules");
    auto groups = texts_claim(claims, "groups");
    auto read = grants == nullptr ? std::nullopt : grants_from_json(*grants);
    if (!read || !rules || !groups) return false;
    identity.grants = std::move(*read);
    identity.rules = std::move(*rules);
    identity.groups = std::move(*groups);
    return true;
}

// One entry of `access`; several for one name are united by the caller (DIST-AUTH-52).
std::optional<Scope> read_access(const json::value& value) {
    if (!value.is_object()) return std::nullopt;
    const auto& entry = value.get_object();
    const auto type = text_claim(entry, "type");
    const auto name = text_claim(entry, "name");
    const auto actions = texts_claim(entry, "actions");
    if (!type || !name || !actions) return std::nullopt;
    std::string text = std::string{*type} + ':' + std::string{*name} + ':';
    for (const auto& action : *actions)
        text.append(&action == &actions->front() ? "" : ",").append(action);
    return parse_scope(text);
}

void unite(std::vector<Scope>& scopes, Scope scope) {
    const auto same = std::find_if(scopes.begin(), scopes.end(),
                                   [&](const Scope& each) { return each.image == scope.image; });
    if (same == scopes.end()) {
        scopes.push_back(std::move(scope));
    } else {
        same->actions |= scope.actions;
    }
}

bool read_scopes(const json::object& claims, AccessToken& token) {
    const auto* access = claims.if_contains("access");
    if (access != nullptr && access->is_array()) {
        for (const auto& value : access->get_array()) {
            auto scope = read_access(value);
            if (!scope) return false;
            unite(token.access, std::move(*scope));
        }
    } else if (access != nullptr && !access->is_null()) {
        return false;
    }
    const auto asked = texts_claim(claims, "asked");
    if (!asked) return false;
    for (const auto& text : *asked) {
        if (auto scope = parse_scope(text)) unite(token.asked, std::move(*scope));
    }
    return true;
}

bool is_audience(const json::object& claims, const std::string& wanted) {
    if (const auto text = text_claim(claims, "aud")) return *text == wanted;
    const auto several = texts_claim(claims, "aud");
    return several && several->size() == 1 && several->front() == wanted;
}

std::string_view check_times(const json::object& claims, AccessToken& token, std::int64_t now_s) {
    const auto issued = number_claim(claims, "iat");
    const auto expires = number_claim(claims, "exp");
    const auto from = number_claim(claims, "nbf");
    if (!issued || !expires || !from) return "a time is missing or is no whole number";
    if (*from < 0 || *from > *issued) return "its times contradict each other";
    if (*expires <= *issued || *expires - *issued > kTokenLifeMax_s) return "it lives for too long";
    if (now_s + kClockLeeway_s < *from || now_s + kClockLeeway_s < *issued)
        return "it is not good yet";
    if (now_s >= *expires + kClockLeeway_s) return "it has ended";
    token.issued_s = *issued;
    token.expires_s = *expires;
    return {};
}

template <class T>
std::uint8_t find_actions(const T& scopes, const engine::ImageName& image) noexcept {
    for (const auto& scope : scopes) {
        if (scope.image && *scope.image == image) return scope.actions;
    }
    return 0;
}

bool has_catalog(const std::vector<Scope>& scopes) noexcept {
    return std::any_of(scopes.begin(), scopes.end(), [](const Scope& each) { return !each.image; });
}

}  // namespace

std::uint8_t AccessToken::actions_on(const engine::ImageName& image) const noexcept {
    return find_actions(access, image);
}
std::uint8_t AccessToken::asked_on(const engine::ImageName& image) const noexcept {
    return find_actions(asked, image);
}
bool AccessToken::lists_catalog() const noexcept { return has_catalog(access); }
bool AccessToken::asked_catalog() const noexcept { return has_catalog(asked); }

std::string write_access_token(const SigningKey& key, const TokenNames& names, AccessToken token) {
    for (;;) {
        const auto claims = claims_of(names, token);
        const auto size = json::serialize(claims).size();
        if ((size * 4 + 2) / 3 + kAroundClaims <= kJwsSizeMax)
            return write_jws(key, type_name(token.type), claims);
        if (!token.asked.empty()) {
            token.asked.clear();
        } else if (!token.access.empty()) {
            token.access.pop_back();
        } else {
            return {};
        }
    }
}

AccessTokenReading read_access_token(std::string_view text, const KeySet& keys,
                                     const TokenNames& names, AccessToken::Type type,
                                     std::int64_t now_s) {
    auto reading = read_jws(text);
    if (!reading.jws) return {{}, reading.fault, {}};
    const auto& jws = *reading.jws;
    if (jws.type != type_name(type)) return {{}, "it is of another type", {}};
    const auto key = keys.verifying.find(jws.key_id);
    if (key == keys.verifying.end()) return {{}, "its key is not known", jws.key_id};
    if (!jws.verify(key->second)) return {{}, "its signature does not fit", {}};
    if (text_claim(jws.claims, "iss") != names.issuer) return {{}, "it is of another issuer", {}};
    if (!is_audience(jws.claims, audience(names, type)))
        return {{}, "it is for another service", {}};
    AccessToken token;
    token.type = type;
    if (const auto fault = check_times(jws.claims, token, now_s); !fault.empty())
        return {{}, fault, {}};
    if (const auto id = text_claim(jws.claims, "jti")) token.id = *id;
    if (!read_identity(jws.claims, token.identity) || !read_scopes(jws.claims, token))
        return {{}, "its claims are not ours", {}};
    return {std::move(token), {}, {}};
}

}  // namespace orbitalreg::frontend
