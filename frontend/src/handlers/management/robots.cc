// Robots: of a project where the path names one, else of the system.

#include "auth/grant_json.h"
#include "handlers/management/nouns.h"

namespace orbitalreg::frontend {
namespace {

namespace json = boost::json;
using engine::Action;

json::object to_object(const engine::Robot& robot) {
    json::array secrets;
    for (const auto& secret : robot.secrets)
        secrets.push_back(json::object{{"id", secret.id}, {"created", secret.created_s}});
    return {{"name", robot.name},
            {"project", robot.project},
            {"full_name", robot.full_name()},
            {"disabled", robot.disabled},
            {"description", robot.description},
            {"created", robot.created_s},
            {"expires", robot.expires_s},
            {"grants", to_json(robot.grants)},
            {"secrets", std::move(secrets)}};
}

// Which robots the path is about.
struct Place {
    std::string project;  // empty: of the system
    std::string robot;    // empty: all of them
    std::string full_name() const { return project.empty() ? robot : project + '+' + robot; }
};

Place place_of(const Call& call) {
    const bool project = call.exchange.target.segments[2] == "projects";
    const std::size_t named = project ? 1 : 0;
    return {project ? call.arguments[0] : std::string{},
            call.arguments.size() > named ? call.arguments[named] : std::string{}};
}

Awaitable<std::optional<Response>> refuse_place(const Call* call, std::string project) {
    if (!project.empty())
        co_return co_await refuse_project(call, Action::manage_robots, std::move(project));
    if (call->administers()) co_return std::nullopt;
    co_return api_denied("robots of the system are for administrators");
}

// A grant of a project's robot names no other project, and need not name its own.
std::optional<Response> place_grants(const Place& place, std::vector<engine::Grant>& grants) {
    for (auto& grant : grants) {
        if (grant.project.empty()) grant.project = place.project;
        if (grant.project.empty())
            return api_invalid("a grant of a robot of the system names its project");
        if (!place.project.empty() && grant.project != place.project)
            return api_invalid("a robot of a project has rights in that project alone");
    }
    return std::nullopt;
}

json::object new_secret(const Place& place, const engine::NewSecret& secret) {
    return {{"user", "robot$" + place.full_name()}, {"id", secret.id}, {"secret", secret.text}};
}

}  // namespace

Awaitable<Response> api_list_robots(Call* call) {
    const auto place = place_of(*call);
    if (auto refused = co_await refuse_place(call, place.project)) co_return std::move(*refused);
    std::optional<Response> refused;
    const auto page = read_page(*call, refused);
    if (!page) co_return std::move(*refused);
    auto found = co_await call->accounts().list_robots(place.project, page->after, page->size);
    if (!found) co_return api_refusal(found.error());
    json::array items;
    for (const auto& robot : found.value().items) items.push_back(to_object(robot));
    const auto last = found.value().items.empty() ? std::string{} : found.value().items.back().name;
    co_return api_list(*call, std::move(items), found.value().more, last, *page);
}

Awaitable<Response> api_create_robot(Call* call) {
    auto place = place_of(*call);
    if (auto refused = co_await refuse_place(call, place.project)) co_return std::move(*refused);
    BodyMembers members{call->body};
    engine::Robot robot;
    robot.project = place.project;
    robot.name = members.text("name").value_or("");
    robot.description = members.text("description").value_or("");
    robot.expires_s = members.number("expires").value_or(0);
    auto grants = members.grants("grants");
    if (auto refused = members.refuse()) co_return std::move(*refused);
    robot.grants = grants.value_or(std::vector<engine::Grant>{});
    if (auto refused = place_grants(place, robot.grants)) co_return std::move(*refused);
    place.robot = robot.name;
    call->exchange.notes.reference = place.full_name();
    const auto made = co_await call->accounts().create_robot(std::move(robot));
    if (!made) co_return api_refusal(made.error());
    const auto kept = co_await call->accounts().find_robot(place.full_name());
    if (!kept) co_return api_refusal(kept.error());
    json::object answer{{"robot", to_object(kept.value())},
                        {"user", "robot$" + place.full_name()},
                        {"secret", made.value().text}};
    co_return api_created(*call, answer, place.robot);
}

Awaitable<Response> api_show_robot(Call* call) {
    const auto place = place_of(*call);
    if (auto refused = co_await refuse_place(call, place.project)) co_return std::move(*refused);
    const auto robot = co_await call->accounts().find_robot(place.full_name());
    if (!robot) co_return api_refusal(robot.error());
    co_return api_answer(200, to_object(robot.value()));
}

Awaitable<Response> api_change_robot(Call* call) {
    const auto place = place_of(*call);
    if (auto refused = co_await refuse_place(call, place.project)) co_return std::move(*refused);
    BodyMembers members{call->body};
    engine::RobotChange change;
    change.disabled = members.flag("disabled");
    change.description = members.text("description");
    change.grants = members.grants("grants");
    change.expires_s = members.number("expires");
    if (auto refused = members.refuse()) co_return std::move(*refused);
    if (change.grants) {
        if (auto refused = place_grants(place, *change.grants)) co_return std::move(*refused);
    }
    const auto changed =
        co_await call->accounts().change_robot(place.full_name(), std::move(change));
    if (!changed) co_return api_refusal(changed.error());
    co_return api_answer(200, to_object(changed.value()));
}

Awaitable<Response> api_remove_robot(Call* call) {
    const auto place = place_of(*call);
    if (auto refused = co_await refuse_place(call, place.project)) co_return std::move(*refused);
    const auto removed = co_await call->accounts().remove_robot(place.full_name());
    if (!removed) co_return api_refusal(removed.error());
    co_return api_gone();
}

Awaitable<Response> api_add_robot_secret(Call* call) {
    const auto place = place_of(*call);
    if (auto refused = co_await refuse_place(call, place.project)) co_return std::move(*refused);
    BodyMembers members{call->body};
    const bool replace = members.flag("replace").value_or(false);
    if (auto refused = members.refuse()) co_return std::move(*refused);
    const auto made = co_await call->accounts().add_robot_secret(place.full_name(), replace);
    if (!made) co_return api_refusal(made.error());
    co_return api_created(*call, new_secret(place, made.value()), made.value().id);
}

}  // namespace orbitalreg::frontend
