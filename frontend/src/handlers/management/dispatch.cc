// From path and method to a handler, who asks, and the body.

#include "auth/authority.h"
#include "auth/strict_json.h"
#include "handlers/management.h"
#include "handlers/management/nouns.h"
#include "handlers/openapi_document.h"
#include "http/ascii.h"

#include <array>
#include <span>

namespace orbitalreg::frontend {
namespace {

namespace json = boost::json;
using engine::Identity;

constexpr std::size_t kBodyMax = 64 * 1024;
constexpr std::size_t kBodyDepthMax = 8;
constexpr std::size_t kWordsMax = 6;
constexpr std::string_view kAny = "{}";

struct Operation {
    Method method;
    std::array<std::string_view, kWordsMax> words;  // behind /api/v1/; the rest is empty
    ApiHandler handler;
    std::string_view action{};  // of the audit log; empty: nothing is changed
};

constexpr auto kOperations = std::to_array<Operation>({
    {Method::get, {"session"}, api_session},
    {Method::get, {"projects"}, api_list_projects},
    {Method::post, {"projects"}, api_create_project, "project.create"},
    {Method::get, {"projects", kAny}, api_show_project},
    {Method::patch, {"projects", kAny}, api_change_project, "project.change"},
    {Method::delete_, {"projects", kAny}, api_remove_project, "project.delete"},
    {Method::get, {"projects", kAny, "repositories"}, api_list_repositories},
    {Method::post, {"projects", kAny, "repositories"}, api_create_repository, "repository.create"},
    {Method::get, {"projects", kAny, "repositories", kAny}, api_show_repository},
    {Method::patch,
     {"projects", kAny, "repositories", kAny},
     api_change_repository,
     "repository.change"},
    {Method::delete_,
     {"projects", kAny, "repositories", kAny},
     api_remove_repository,
     "repository.delete"},
    {Method::get, {"projects", kAny, "members"}, api_list_members},
    {Method::get, {"projects", kAny, "members", kAny}, api_show_member},
    {Method::put, {"projects", kAny, "members", kAny}, api_put_member, "member.change"},
    {Method::delete_, {"projects", kAny, "members", kAny}, api_remove_member, "member.delete"},
    {Method::get, {"projects", kAny, "robots"}, api_list_robots},
    {Method::post, {"projects", kAny, "robots"}, api_create_robot, "robot.create"},
    {Method::get, {"projects", kAny, "robots", kAny}, api_show_robot},
    {Method::patch, {"projects", kAny, "robots", kAny}, api_change_robot, "robot.change"},
    {Method::delete_, {"projects", kAny, "robots", kAny}, api_remove_robot, "robot.delete"},
    {Method::post,
     {"projects", kAny, "robots", kAny, "secrets"},
     api_add_robot_secret,
     "robot.secret"},
    {Method::get, {"robots"}, api_list_robots},
    {Method::post, {"robots"}, api_create_robot, "robot.create"},
    {Method::get, {"robots", kAny}, api_show_robot},
    {Method::patch, {"robots", kAny}, api_change_robot, "robot.change"},
    {Method::delete_, {"robots", kAny}, api_remove_robot, "robot.delete"},
    {Method::post, {"robots", kAny, "secrets"}, api_add_robot_secret, "robot.secret"},
    {Method::get, {"users"}, api_list_users},
    {Method::post, {"users"}, api_create_user, "user.create"},
    {Method::get, {"users", kAny}, api_show_user},
    {Method::patch, {"users", kAny}, api_change_user, "user.change"},
    {Method::delete_, {"users", kAny}, api_remove_user, "user.delete"},
    {Method::put, {"users", kAny, "password"}, api_set_password, "user.password"},
    {Method::get, {"users", kAny, "tokens"}, api_list_tokens},
    {Method::post, {"users", kAny, "tokens"}, api_create_token, "token.create"},
    {Method::delete_, {"users", kAny, "tokens", kAny}, api_remove_token, "token.revoke"},
    {Method::get, {"retention", "policies"}, api_list_policies},
    {Method::post, {"retention", "dry-run"}, api_plan_retention},
    {Method::post, {"retention", "run"}, api_run_retention, "retention.run"},
    {Method::get, {"retention", "runs"}, api_list_retention_runs},
    {Method::get, {"retention", "runs", kAny}, api_show_retention_run},
    {Method::get, {"retention", "explain"}, api_explain_retention},
    {Method::post, {"retention", "restore"}, api_restore_retention, "retention.restore"},
    {Method::get, {"access", "explain"}, api_explain},
    {Method::get, {"pulls", "explain"}, api_explain_pull},
    {Method::get, {"upstreams"}, api_list_upstreams},
    {Method::get, {"audit"}, api_list_audit},
    {Method::get, {"keys"}, api_list_keys},
    {Method::post, {"keys", "rotate"}, api_rotate_keys, "keys.rotate"},
});

bool fits(std::span<const std::string_view> path, const Operation& operation) noexcept {
    for (std::size_t i = 0; i < kWordsMax; ++i) {
        const auto word = operation.words[i];
        if (i >= path.size()) return word.empty() && i > 0;
        if (word != kAny && word != path[i]) return false;
        if (word == kAny && path[i].empty()) return false;
    }
    return path.size() <= kWordsMax;
}

struct Match {
    const Operation* operation = nullptr;
    std::string allowed;  // methods of the path; empty: there is no such path
    std::vector<std::string> arguments;
};

Match match(std::span<const std::string_view> path, Method method) {
    Match found;
    for (const auto& operation : kOperations) {
        if (!fits(path, operation)) continue;
        found.allowed.append(found.allowed.empty() ? "" : ", ").append(to_string(operation.method));
        if (operation.method != method) continue;
        found.operation = &operation;
        for (std::size_t i = 0; i < path.size(); ++i) {
            if (operation.words[i] == kAny) found.arguments.emplace_back(path[i]);
        }
    }
    return found;
}

Response unauthorized() {
    auto response = api_error(401, "UNAUTHORIZED", "authentication required");
    response.headers.add("WWW-Authenticate", "Basic realm=\"OrbitalReg\"");
    return response;
}

struct Caller {
    std::shared_ptr<const Identity> who;
    std::optional<Response> refused;
};

// Where nobody is asked who they are, everybody may do everything.
Caller anybody() {
    Identity identity;
    identity.administrator = true;
    return {std::make_shared<const Identity>(std::move(identity)), std::nullopt};
}

Awaitable<Caller> find_caller(const Services* services, Exchange* exchange) {
    if (services->authority == nullptr) co_return anybody();
    const auto field = exchange->head.field("Authorization");
    if (!field) co_return Caller{nullptr, unauthorized()};
    auto credentials = parse_authorization(*field);
    if (credentials.kind != Credentials::Kind::basic) co_return Caller{nullptr, unauthorized()};
    auto login = co_await services->authority->log_in(*exchange, std::move(credentials.user),
                                                      std::move(credentials.secret));
    if (!login.identity && login.refused) co_return Caller{nullptr, std::move(*login.refused)};
    if (!login.identity) co_return Caller{nullptr, unauthorized()};
    co_return Caller{std::move(login.identity), std::nullopt};
}

Awaitable<Result<std::string>> read_text(BodyIn* body) {
    body->limit(kBodyMax);
    std::string text;
    std::size_t filled = 0;
    while (!body->finished()) {
        if (filled == text.size()) text.resize(std::min(kBodyMax + 1, text.size() + 4096));
        auto room = std::as_writable_bytes(std::span{text}).subspan(filled);
        ORB_CO_TRY(const auto size, co_await body->read_some(room));
        filled += size;
    }
    text.resize(filled);
    co_return text;
}

// Nothing: `refused` is the answer.
Awaitable<std::optional<json::object>> read_body(Exchange* exchange,
                                                 std::optional<Response>* refused) {
    auto text = co_await read_text(&exchange->body);
    if (!text) {
        *refused = body_fault(text.error(), "INVALID");
        co_return std::nullopt;
    }
    if (text.value().empty()) co_return json::object{};
    auto value = parse_strict_json(text.value(), kBodyDepthMax);
    if (value && value->is_object()) co_return std::move(value->get_object());
    *refused = api_invalid("the body is not one JSON object");
    co_return std::nullopt;
}

// A page of another origin must not send what a browser would send without asking (SEC-102).
bool is_json(const Exchange& exchange) {
    const auto type = exchange.head.field("Content-Type").value_or("application/json");
    return equals_ignoring_case(trim_blanks(type.substr(0, type.find(';'))), "application/json");
}

// Anybody may read what there is to ask.
bool is_document(const Exchange& exchange) noexcept {
    const auto& segments = exchange.target.segments;
    const Method method = exchange.head.method;
    return segments.size() == 3 && segments[2] == "openapi.json" &&
           (method == Method::get || method == Method::head);
}

Response document() {
    auto response = json_response(200, std::string{kOpenApiDocument});
    response.headers.add("Cache-Control", "no-cache");
    return response;
}

}  // namespace

Awaitable<Response> handle_management(const Services& services, Exchange& exchange) {
    if (is_document(exchange)) co_return document();
    const Method asked = exchange.head.method;
    const Method method = asked == Method::head ? Method::get : asked;
    auto found = match(std::span{exchange.target.segments}.subspan(2), method);
    if (found.allowed.empty()) co_return api_not_found();
    auto caller = co_await find_caller(&services, &exchange);
    if (!caller.who) co_return std::move(*caller.refused);
    exchange.principal = caller.who->principal;
    exchange.notes.credential = caller.who->credential;
    if (found.operation == nullptr) {
        auto response = api_error(405, "UNSUPPORTED", "the method is not offered here");
        response.headers.add("Allow", found.allowed);
        co_return response;
    }
    const bool only_users = caller.who->kind == Identity::Kind::bootstrap &&
                            found.operation->handler != api_create_user &&
                            found.operation->handler != api_session;
    if (only_users)
        co_return api_denied("the bootstrap secret makes the first administrator and nothing else");
    exchange.notes.action = found.operation->action;
    if (!is_json(exchange)) co_return api_invalid("the body must be application/json");
    std::optional<Response> refused;
    auto body = co_await read_body(&exchange, &refused);
    if (!body) co_return std::move(*refused);
    Call call{services, exchange, std::move(caller.who), std::move(found.arguments),
              std::move(*body)};
    co_return co_await found.operation->handler(&call);
}

}  // namespace orbitalreg::frontend
