#include "handlers/management/call.h"

#include "auth/grant_json.h"
#include "http/ascii.h"

#include <boost/json/serialize.hpp>

#include <algorithm>

namespace orbitalreg::frontend {
namespace {

namespace json = boost::json;
using engine::Errc;

constexpr std::uint32_t kPageMax = 1000;

Response kept_by_nobody(Response response) {
    response.headers.add("Cache-Control", "no-store");
    return response;
}

}  // namespace

Response api_error(unsigned status, std::string_view code, std::string_view message) {
    return kept_by_nobody(error_response(status, code, message));
}

Response api_not_found() {
    return api_error(404, "NOT_FOUND", "there is no such thing, or not for you");
}

Response api_denied(std::string_view message) { return api_error(403, "DENIED", message); }

Response api_invalid(std::string_view message) { return api_error(400, "INVALID", message); }

Response api_refusal(const engine::Refusal& refusal) {
    if (refusal.code.category() != engine::category())
        return kept_by_nobody(refusal_response(refusal, Subject::listing));
    switch (static_cast<Errc>(refusal.code.value())) {
        case Errc::document_unknown:
        case Errc::name_unknown:
            return api_not_found();
        case Errc::name_invalid:
        case Errc::limit_reached:
        case Errc::too_large:
        case Errc::denied:
            return api_invalid(refusal.message);
        case Errc::exists:
            return api_error(409, "CONFLICT", "it exists already");
        case Errc::unsupported:
        case Errc::in_use:
        case Errc::precondition_failed:
            return api_error(409, "CONFLICT", refusal.message);
        default:
            return kept_by_nobody(refusal_response(refusal, Subject::listing));
    }
}

Response api_answer(unsigned status, const json::object& object) {
    return kept_by_nobody(json_response(status, json::serialize(object) + '\n'));
}

Response api_created(const Call& call, const json::object& object, std::string_view name) {
    auto response = api_answer(201, object);
    response.headers.add("Location", call.services.options.external_url +
                                         std::string{call.exchange.target.path} + '/' +
                                         percent_encode(name));
    return response;
}

Response api_gone() {
    Response response;
    response.status = 204;
    response.headers.add("Cache-Control", "no-store");
    return response;
}

std::optional<ApiPage> read_page(const Call& call, std::optional<Response>& refused) {
    ApiPage page;
    const auto& query = call.exchange.query;
    if (query.count("after") > 1 || query.count("page_size") > 1) {
        refused = api_invalid("a query parameter is given more than once");
        return std::nullopt;
    }
    page.after = query.get("after").value_or("");
    if (const auto text = query.get("page_size")) {
        const auto size = parse_decimal(*text);
        if (!size || *size == 0 || *size > kPageMax) {
            refused = api_invalid("`page_size` is a number from 1 to 1000");
            return std::nullopt;
        }
        page.size = static_cast<std::uint32_t>(*size);
    }
    return page;
}

Response api_list(const Call& call, json::array items, bool more, std::string_view last,
                  const ApiPage& page) {
    auto response = api_answer(200, json::object{{"items", std::move(items)}});
    if (!more || last.empty()) return response;
    std::string target =
        call.services.options.external_url + std::string{call.exchange.target.path};
    target += "?page_size=" + std::to_string(page.size) + "&after=" + percent_encode(last);
    response.headers.add("Link", '<' + target + ">; rel=\"next\"");
    return response;
}

const json::value* BodyMembers::take(std::string_view name) {
    taken_.emplace_back(name);
    return body_.if_contains(name);
}

void BodyMembers::wrong(std::string_view name, std::string_view expected) {
    if (trouble_.empty()) trouble_ = '`' + std::string{name} + "` must be " + std::string{expected};
}

std::optional<std::string> BodyMembers::text(std::string_view name) {
    const auto* value = take(name);
    if (value == nullptr) return std::nullopt;
    if (value->is_string()) return std::string{value->get_string()};
    wrong(name, "a text");
    return std::nullopt;
}

std::optional<bool> BodyMembers::flag(std::string_view name) {
    const auto* value = take(name);
    if (value == nullptr) return std::nullopt;
    if (value->is_bool()) return value->get_bool();
    wrong(name, "true or false");
    return std::nullopt;
}

std::optional<std::int64_t> BodyMembers::number(std::string_view name) {
    const auto* value = take(name);
    if (value == nullptr) return std::nullopt;
    if (value->is_int64() && value->get_int64() >= 0) return value->get_int64();
    wrong(name, "a whole number, not negative");
    return std::nullopt;
}

std::optional<std::optional<bool>> BodyMembers::choice(std::string_view name) {
    const auto* value = take(name);
    if (value == nullptr) return std::nullopt;
    if (value->is_null()) return std::optional<bool>{};
    if (value->is_bool()) return std::optional{value->get_bool()};
    wrong(name, "true, false or null");
    return std::nullopt;
}

const json::object* BodyMembers::object(std::string_view name) {
    const auto* value = take(name);
    if (value == nullptr) return nullptr;
    if (!value->is_object()) wrong(name, "an object");
    return value->if_object();
}

std::optional<std::vector<engine::Grant>> BodyMembers::grants(std::string_view name) {
    const auto* value = take(name);
    if (value == nullptr) return std::nullopt;
    auto grants = grants_from_json(*value);
    if (!grants) wrong(name, "a list of {role, repositories?, actions?} with names that are known");
    // It is what we say about a grant, and nothing that one can claim.
    for (auto& grant : grants.value_or(std::vector<engine::Grant>{})) {
        if (!grant.origin.empty()) wrong(name, "without `origin`");
    }
    return grants;
}

std::optional<engine::Restriction> BodyMembers::restriction() {
    json::object limits;
    for (const std::string_view name : {"repositories", "actions"}) {
        if (const auto* value = take(name)) limits[name] = *value;
    }
    auto limit = restriction_from_json(limits);
    if (!limit) wrong("repositories` and `actions", "lists of patterns and of actions, not empty");
    return limit;
}

std::optional<Response> BodyMembers::refuse() {
    if (!trouble_.empty()) return api_invalid(trouble_);
    for (const auto& member : body_) {
        const std::string_view name{member.key().data(), member.key().size()};
        if (std::find(taken_.begin(), taken_.end(), name) == taken_.end())
            return api_invalid("`" + std::string{name} + "` is nothing that can be set here");
    }
    return std::nullopt;
}

Awaitable<std::optional<Response>> refuse_project(const Call* call, engine::Action action,
                                                  std::string project) {
    const auto view = co_await call->access().view(*call->who, project);
    if (!view) co_return api_refusal(view.error());
    using engine::AccessControl;
    using engine::Action;
    const auto sees = AccessControl::decide_in(view.value(), *call->who, Action::list, project, {});
    if (!sees.allowed) co_return api_not_found();
    const auto may = AccessControl::decide_in(view.value(), *call->who, action, project, {});
    call->exchange.notes.rule = may.reason;
    if (!may.allowed)
        co_return api_denied("this needs `" + std::string{to_string(action)} + "` in the project");
    const auto known = co_await call->projects().find(project);
    if (!known) co_return api_refusal(known.error());
    co_return std::nullopt;
}

}  // namespace orbitalreg::frontend
