// Who am I, why may somebody do something, and with which keys are tokens signed.

#include "auth/authority.h"
#include "auth/grant_json.h"
#include "handlers/management/nouns.h"

namespace orbitalreg::frontend {
namespace {

namespace json = boost::json;
using engine::Action;

}  // namespace

Awaitable<Response> api_session(Call* call) {
    co_return api_answer(200, json::object{{"principal", call->who->principal.name},
                                           {"credential", call->who->credential},
                                           {"administrator", call->administers()}});
}

Awaitable<Response> api_explain(Call* call) {
    const auto& query = call->exchange.query;
    for (const std::string_view name : {"user", "action", "image"}) {
        if (query.count(name) != 1)
            co_return api_invalid("`user`, `action` and `image` are needed, once each");
    }
    const std::string user{*query.get("user")};
    const auto action = engine::parse_action(*query.get("action"));
    if (!action) co_return api_invalid("`action` is none that there is: pull, push, delete, ...");
    const auto image = engine::ImageName::parse(*query.get("image"));
    if (!image) co_return api_invalid("`image` is not the name of an image");
    const auto project = call->access().project_of(image.value());
    if (!call->administers() && !call->is_self(user)) {
        if (auto refused = co_await refuse_project(call, Action::manage_members, project))
            co_return std::move(*refused);
    }
    const auto who = co_await call->access().describe(user);
    if (!who) co_return api_refusal(who.error());
    const auto view = co_await call->access().view(who.value(), project);
    if (!view) co_return api_refusal(view.error());
    const auto decision = engine::AccessControl::decide_in(view.value(), who.value(), *action,
                                                           project, image.value().text());
    std::vector<engine::Grant> here;
    for (const auto& grant : view.value().rights.grants) {
        if (grant.project == project) here.push_back(grant);
    }
    co_return api_answer(200, json::object{{"user", user},
                                           {"action", engine::to_string(*action)},
                                           {"image", image.value().text()},
                                           {"project", project},
                                           {"allowed", decision.allowed},
                                           {"reason", decision.reason},
                                           {"grants", to_json(here)}});
}

Awaitable<Response> api_list_keys(Call* call) {
    if (!call->administers()) co_return api_denied("this is for administrators of the system");
    json::array items;
    if (call->services.authority != nullptr) {
        for (const auto& key : call->services.authority->keys().states()) {
            items.push_back(
                json::object{{"kid", key.id}, {"state", key.state}, {"since", key.since_s}});
        }
    }
    co_return api_answer(200, json::object{{"items", std::move(items)}});
}

Awaitable<Response> api_rotate_keys(Call* call) {
    if (!call->administers()) co_return api_denied("this is for administrators of the system");
    BodyMembers members{call->body};
    const bool at_once = members.flag("now").value_or(false);
    if (auto refused = members.refuse()) co_return std::move(*refused);
    if (call->services.authority == nullptr)
        co_return api_error(409, "CONFLICT", "no tokens are signed: auth.mode is none");
    std::string trouble;
    const auto id = call->services.authority->keys().rotate(at_once, trouble);
    if (id.empty()) {
        call->services.authority->log().error("the keys could not be rotated",
                                              {{"error", trouble}});
        co_return api_error(500, "UNKNOWN", "the keys could not be written");
    }
    call->exchange.notes.reference = id;
    co_return api_answer(200, json::object{{"kid", id}});
}

}  // namespace orbitalreg::frontend
