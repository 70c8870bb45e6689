#include "auth/token_request.h"

#include <array>

namespace orbitalreg::frontend {
namespace {

std::string text_of(const Query& query, std::string_view name) {
    return std::string{query.get(name).value_or("")};
}

template <std::size_t N>
bool repeats(const Query& query, const std::array<std::string_view, N>& names) {
    for (const auto name : names) {
        if (query.count(name) > 1) return true;
    }
    return false;
}

std::string_view read_scopes(const Query& query, TokenRequest& request) {
    std::vector<std::string> values;
    for (const auto value : query.all("scope")) values.emplace_back(value);
    for (const auto& value : values) request.scoped = request.scoped || !value.empty();
    auto scopes = parse_scopes(values);
    if (!scopes) return "too many scopes: at most 32";
    request.scopes = std::move(*scopes);
    return {};
}

}  // namespace

std::string_view read_token_query(const Query& query, TokenRequest& request) {
    // SEC-05. Credentials never stand in an address (SEC-50).
    constexpr std::array<std::string_view, 4> kSingle{"service", "account", "client_id",
                                                      "offline_token"};
    constexpr std::array<std::string_view, 4> kSecret{"password", "refresh_token", "access_token",
                                                      "subject_token"};
    if (query.too_many()) return "too many parameters";
    if (repeats(query, kSingle)) return "a parameter is given more than once";
    for (const auto name : kSecret) {
        if (query.get(name)) return "credentials are not accepted in an address";
    }
    request.service = text_of(query, "service");
    request.client_id = text_of(query, "client_id");
    request.offline = text_of(query, "offline_token") == "true";
    return read_scopes(query, request);
}

std::string_view read_token_form(const Query& form, TokenRequest& request) {
    constexpr std::array<std::string_view, 14> kSingle{
        "grant_type",           "service",     "client_id",     "username",           "password",
        "refresh_token",        "access_type", "subject_token", "subject_token_type", "audience",
        "requested_token_type", "resource",    "actor_token",   "actor_token_type"};
    if (form.too_many()) return "too many parameters";
    if (repeats(form, kSingle)) return "a parameter is given more than once";
    request.form = true;
    request.grant_type = text_of(form, "grant_type");
    request.service = text_of(form, "service");
    request.client_id = text_of(form, "client_id");
    request.offline = text_of(form, "access_type") == "offline";
    request.user = text_of(form, "username");
    request.secret = text_of(form, "password");
    request.refresh_token = text_of(form, "refresh_token");
    request.subject_token = text_of(form, "subject_token");
    request.subject_token_type = text_of(form, "subject_token_type");
    request.requested_token_type = text_of(form, "requested_token_type");
    request.audience = text_of(form, "audience");
    request.resource = text_of(form, "resource");
    request.has_actor = form.get("actor_token") || form.get("actor_token_type");
    return read_scopes(form, request);
}

}  // namespace orbitalreg::frontend
