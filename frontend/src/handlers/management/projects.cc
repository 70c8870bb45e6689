// Projects, their repositories and members.

#include "auth/grant_json.h"
#include "handlers/management/nouns.h"
#include "handlers/management/repository_json.h"

namespace orbitalreg::frontend {
namespace {

namespace json = boost::json;
using engine::Action;

json::object to_object(const engine::Project& project) {
    return {{"name", project.name},
            {"public", project.open_to_all},
            {"auto_create", project.auto_create},
            {"declared", project.declared},
            {"description", project.description},
            {"created", project.created_s}};
}

json::object to_object(const engine::RepositorySettings& settings) {
    json::object object{{"project", settings.project},
                        {"name", settings.name},
                        {"type", "local"},
                        {"public", nullptr},
                        {"sparse_index", settings.sparse_index_allowed ? "allow" : "refuse"},
                        {"declared", settings.declared},
                        {"description", settings.description}};
    if (settings.open_to_all) object["public"] = *settings.open_to_all;
    if (settings.remote) {
        object["type"] = "remote";
        object["remote"] = to_json(*settings.remote);
    }
    if (settings.members) {
        object["type"] = "virtual";
        object["virtual"] = to_json(*settings.members);
    }
    return object;
}

constexpr std::string_view kOnlyAdministrators =
    "where a remote repository fetches from is for administrators of the system";

// The members are repositories of the project, none of them virtual; the one that takes pushes is local.
Awaitable<std::string> check_members(const Call* call, std::string project,
                                     std::shared_ptr<const engine::VirtualSettings> settings) {
    bool deployed = settings->deploy_to.empty();
    for (const auto& member : settings->members) {
        const auto found = co_await call->projects().find_repository(project, member.repository);
        const bool absent = !found && found.error().code == engine::Errc::document_unknown;
        if (!found && !absent) co_return found.error().message;
        const auto type = found ? found.value().type : engine::RepositoryType::local;
        if (type == engine::RepositoryType::virtual_members)
            co_return "member `" + member.repository + "` is virtual itself";
        const bool takes_pushes =
            type == engine::RepositoryType::local && member.repository == settings->deploy_to;
        deployed = deployed || takes_pushes;
    }
    co_return deployed ? std::string{} : "`virtual.deploy_to` is no local member of the repository";
}

// `type`, `remote` and `virtual` of a new repository. Nothing: all is well.
std::optional<Response> read_type(BodyMembers& members, engine::RepositorySettings& settings) {
    const auto type = members.text("type").value_or("local");
    const auto* remote = members.object("remote");
    const auto* view = members.object("virtual");
    if (type != "local" && type != "remote" && type != "virtual")
        return api_invalid("`type` is local, remote or virtual");
    if ((remote != nullptr) != (type == "remote"))
        return api_invalid("`remote` belongs to a repository of type remote, and is needed there");
    if ((view != nullptr) != (type == "virtual"))
        return api_invalid(
            "`virtual` belongs to a repository of type virtual, and is needed there");
    std::string wrong;
    if (remote != nullptr) {
        auto read = std::make_shared<engine::RemoteSettings>();
        wrong = read_remote(*remote, *read);
        settings.type = engine::RepositoryType::remote;
        settings.remote = std::move(read);
    } else if (view != nullptr) {
        auto read = std::make_shared<engine::VirtualSettings>();
        wrong = read_virtual(*view, *read);
        settings.type = engine::RepositoryType::virtual_members;
        settings.members = std::move(read);
    }
    return wrong.empty() ? std::nullopt : std::optional{api_invalid(wrong)};
}

json::object to_object(const engine::Member& member) {
    return {{"member", member.text()},
            {"grants", to_json(member.grants)},
            {"declared", member.declared}};
}

// What is not named stays as it is; but for another URL the password must be given again, which was meant for the old one.
std::string read_change(const json::object* remote, const json::object* view,
                        const engine::RepositorySettings& known, engine::RepositoryChange& change) {
    if ((remote != nullptr && !known.remote) || (view != nullptr && !known.members))
        return "the repository is of another type";
    if (remote != nullptr) {
        auto changed = std::make_shared<engine::RemoteSettings>(*known.remote);
        const auto wrong = read_remote(*remote, *changed);
        if (!wrong.empty()) return wrong;
        if (changed->url != known.remote->url && !remote->contains("password"))
            changed->password.clear();
        change.remote = std::move(changed);
    }
    if (view != nullptr) {
        auto changed = std::make_shared<engine::VirtualSettings>(*known.members);
        const auto wrong = read_virtual(*view, *changed);
        if (!wrong.empty()) return wrong;
        change.members = std::move(changed);
    }
    return {};
}

// Nothing for anything but the two words.
std::optional<bool> read_sparse(const std::optional<std::string>& text) {
    if (!text || (*text != "allow" && *text != "refuse")) return std::nullopt;
    return *text == "allow";
}

// Whether an image of this name is left, or one below it.
Awaitable<engine::Answer<bool>> holds_images(const Call* call, std::string name) {
    auto& registry = call->services.registry;
    const auto prefix = name + '/';
    const auto below = co_await registry.list_images(call->who->principal, prefix, 1);
    if (!below) co_return engine::refuse(below.error());
    const auto& items = below.value().items;
    if (!items.empty() && items.front().starts_with(prefix)) co_return true;
    auto image = engine::ImageName::parse(name);
    if (!image) co_return false;
    const auto tags =
        co_await registry.list_tags(call->who->principal, std::move(image).value(), {}, 0);
    if (!tags && tags.error().code != engine::Errc::name_unknown)
        co_return engine::refuse(tags.error());
    co_return tags.has_value();
}

}  // namespace

Awaitable<Response> api_list_projects(Call* call) {
    std::optional<Response> refused;
    const auto page = read_page(*call, refused);
    if (!page) co_return std::move(*refused);
    auto found = co_await call->projects().list(page->after, page->size);
    if (!found) co_return api_refusal(found.error());
    json::array items;
    std::string last;
    for (const auto& project : found.value().items) {
        last = project.name;
        const auto seen =
            co_await call->access().decide_project(*call->who, Action::list, project.name);
        if (!seen) co_return api_refusal(seen.error());
        if (seen.value().allowed) items.push_back(to_object(project));
    }
    co_return api_list(*call, std::move(items), found.value().more, last, *page);
}

Awaitable<Response> api_create_project(Call* call) {
    if (!call->administers()) co_return api_denied("projects are made by administrators");
    BodyMembers members{call->body};
    engine::Project project;
    project.name = members.text("name").value_or("");
    project.open_to_all = members.flag("public").value_or(false);
    project.auto_create = members.flag("auto_create").value_or(false);
    project.description = members.text("description").value_or("");
    if (auto refused = members.refuse()) co_return std::move(*refused);
    call->exchange.notes.reference = project.name;
    const auto name = project.name;
    const auto made = co_await call->projects().create(std::move(project));
    if (!made) co_return api_refusal(made.error());
    co_return api_created(*call, to_object(made.value()), name);
}

Awaitable<Response> api_show_project(Call* call) {
    if (auto refused = co_await refuse_project(call, Action::list, call->arguments[0]))
        co_return std::move(*refused);
    const auto project = co_await call->projects().find(call->arguments[0]);
    if (!project) co_return api_refusal(project.error());
    co_return api_answer(200, to_object(project.value()));
}

Awaitable<Response> api_change_project(Call* call) {
    if (auto refused = co_await refuse_project(call, Action::manage_members, call->arguments[0]))
        co_return std::move(*refused);
    BodyMembers members{call->body};
    engine::ProjectChange change;
    change.open_to_all = members.flag("public");
    change.auto_create = members.flag("auto_create");
    change.description = members.text("description");
    if (auto refused = members.refuse()) co_return std::move(*refused);
    const auto changed = co_await call->projects().change(call->arguments[0], std::move(change));
    if (!changed) co_return api_refusal(changed.error());
    co_return api_answer(200, to_object(changed.value()));
}

Awaitable<Response> api_remove_project(Call* call) {
    if (auto refused = co_await refuse_project(call, Action::administer, call->arguments[0]))
        co_return std::move(*refused);
    const auto held = co_await holds_images(call, call->arguments[0]);
    if (!held) co_return api_refusal(held.error());
    if (held.value())
        co_return api_error(409, "CONFLICT", "images are left in the project: delete them first");
    const auto removed = co_await call->projects().remove(call->arguments[0]);
    if (!removed) co_return api_refusal(removed.error());
    co_return api_gone();
}

// --- repositories ---

Awaitable<Response> api_list_repositories(Call* call) {
    if (auto refused = co_await refuse_project(call, Action::list, call->arguments[0]))
        co_return std::move(*refused);
    std::optional<Response> refused;
    const auto page = read_page(*call, refused);
    if (!page) co_return std::move(*refused);
    auto found =
        co_await call->projects().list_repositories(call->arguments[0], page->after, page->size);
    if (!found) co_return api_refusal(found.error());
    json::array items;
    for (const auto& settings : found.value().items) items.push_back(to_object(settings));
    const auto last = found.value().items.empty() ? std::string{} : found.value().items.back().name;
    co_return api_list(*call, std::move(items), found.value().more, last, *page);
}

Awaitable<Response> api_create_repository(Call* call) {
    if (auto refused = co_await refuse_project(call, Action::push, call->arguments[0]))
        co_return std::move(*refused);
    BodyMembers members{call->body};
    engine::RepositorySettings settings;
    settings.project = call->arguments[0];
    settings.name = members.text("name").value_or("");
    const auto visible = members.choice("public");
    const auto sparse = members.text("sparse_index");
    settings.description = members.text("description").value_or("");
    auto wrong = read_type(members, settings);
    if (auto refused = members.refuse()) co_return std::move(*refused);
    if (wrong) co_return std::move(*wrong);
    if (settings.remote && !call->administers()) co_return api_denied(kOnlyAdministrators);
    if (settings.members) {
        const auto trouble = co_await check_members(call, settings.project, settings.members);
        if (!trouble.empty()) co_return api_invalid(trouble);
    }
    if (sparse && !read_sparse(sparse)) co_return api_invalid("`sparse_index` is allow or refuse");
    settings.sparse_index_allowed = read_sparse(sparse).value_or(false);
    settings.open_to_all = visible.value_or(std::nullopt);
    if (settings.open_to_all || settings.sparse_index_allowed || settings.members) {
        // To make one is a developer's right; to open it to all is not.
        if (auto refused = co_await refuse_project(call, Action::manage_members, settings.project))
            co_return std::move(*refused);
    }
    const auto name = settings.name;
    call->exchange.notes.reference = name;
    const auto made = co_await call->projects().create_repository(std::move(settings));
    if (!made) co_return api_refusal(made.error());
    co_return api_created(*call, to_object(made.value()), name);
}

Awaitable<Response> api_show_repository(Call* call) {
    if (auto refused = co_await refuse_project(call, Action::list, call->arguments[0]))
        co_return std::move(*refused);
    const auto found =
        co_await call->projects().find_repository(call->arguments[0], call->arguments[1]);
    if (!found) co_return api_refusal(found.error());
    co_return api_answer(200, to_object(found.value()));
}

Awaitable<Response> api_change_repository(Call* call) {
    if (auto refused = co_await refuse_project(call, Action::manage_members, call->arguments[0]))
        co_return std::move(*refused);
    BodyMembers members{call->body};
    engine::RepositoryChange change;
    change.open_to_all = members.choice("public");
    const auto sparse = members.text("sparse_index");
    change.description = members.text("description");
    const auto* remote = members.object("remote");
    const auto* view = members.object("virtual");
    if (auto refused = members.refuse()) co_return std::move(*refused);
    if (sparse && !read_sparse(sparse)) co_return api_invalid("`sparse_index` is allow or refuse");
    change.sparse_index_allowed = read_sparse(sparse);
    if (remote != nullptr || view != nullptr) {
        if (remote != nullptr && !call->administers()) co_return api_denied(kOnlyAdministrators);
        const auto known =
            co_await call->projects().find_repository(call->arguments[0], call->arguments[1]);
        if (!known) co_return api_refusal(known.error());
        const auto wrong = read_change(remote, view, known.value(), change);
        if (!wrong.empty()) co_return api_invalid(wrong);
        if (change.members) {
            const auto trouble = co_await check_members(call, call->arguments[0], change.members);
            if (!trouble.empty()) co_return api_invalid(trouble);
        }
    }
    const auto changed = co_await call->projects().change_repository(
        call->arguments[0], call->arguments[1], std::move(change));
    if (!changed) co_return api_refusal(changed.error());
    co_return api_answer(200, to_object(changed.value()));
}

Awaitable<Response> api_remove_repository(Call* call) {
    if (auto refused = co_await refuse_project(call, Action::manage_members, call->arguments[0]))
        co_return std::move(*refused);
    const auto held = co_await holds_images(call, call->arguments[0] + '/' + call->arguments[1]);
    if (!held) co_return api_refusal(held.error());
    if (held.value())
        co_return api_error(409, "CONFLICT",
                            "images are left in the repository: delete them first");
    const auto removed =
        co_await call->projects().remove_repository(call->arguments[0], call->arguments[1]);
    if (!removed) co_return api_refusal(removed.error());
    co_return api_gone();
}

// --- members ---

Awaitable<Response> api_list_members(Call* call) {
    if (auto refused = co_await refuse_project(call, Action::manage_members, call->arguments[0]))
        co_return std::move(*refused);
    std::optional<Response> refused;
    const auto page = read_page(*call, refused);
    if (!page) co_return std::move(*refused);
    auto found =
        co_await call->projects().list_members(call->arguments[0], page->after, page->size);
    if (!found) co_return api_refusal(found.error());
    json::array items;
    for (const auto& member : found.value().items) items.push_back(to_object(member));
    const auto last =
        found.value().items.empty() ? std::string{} : found.value().items.back().text();
    co_return api_list(*call, std::move(items), found.value().more, last, *page);
}

Awaitable<Response> api_show_member(Call* call) {
    if (auto refused = co_await refuse_project(call, Action::manage_members, call->arguments[0]))
        co_return std::move(*refused);
    const auto who = engine::parse_member(call->arguments[1]);
    if (!who) co_return api_not_found();
    const auto found =
        co_await call->projects().find_member(call->arguments[0], who->first, who->second);
    if (!found) co_return api_refusal(found.error());
    co_return api_answer(200, to_object(found.value()));
}

Awaitable<Response> api_put_member(Call* call) {
    if (auto refused = co_await refuse_project(call, Action::manage_members, call->arguments[0]))
        co_return std::move(*refused);
    BodyMembers members{call->body};
    auto grants = members.grants("grants");
    if (auto refused = members.refuse()) co_return std::move(*refused);
    if (!grants) co_return api_invalid("`grants` is missing");
    const auto who = engine::parse_member(call->arguments[1]);
    if (!who) co_return api_invalid("a member is user:<name> or group:<name>");
    engine::Member member{call->arguments[0], who->first, who->second, {},
                          std::move(*grants), false};
    for (const auto& grant : member.grants) {
        if (!grant.project.empty() && grant.project != member.project)
            co_return api_invalid("a member's grants are in this project");
    }
    if (member.kind == engine::Member::Kind::user) {
        const auto user = co_await call->accounts().find_user(member.name);
        if (!user && user.error().code == engine::Errc::document_unknown)
            co_return api_invalid("there is no user of this name");
        if (!user) co_return api_refusal(user.error());
        member.account_id = user.value().id;
    }
    call->exchange.notes.reference = member.text();
    const auto written = co_await call->projects().put_member(member);
    if (!written) co_return api_refusal(written.error());
    const auto found =
        co_await call->projects().find_member(call->arguments[0], who->first, who->second);
    if (!found) co_return api_refusal(found.error());
    co_return api_answer(200, to_object(found.value()));
}

Awaitable<Response> api_remove_member(Call* call) {
    if (auto refused = co_await refuse_project(call, Action::manage_members, call->arguments[0]))
        co_return std::move(*refused);
    const auto who = engine::parse_member(call->arguments[1]);
    if (!who) co_return api_not_found();
    call->exchange.notes.reference = call->arguments[1];
    const auto removed =
        co_await call->projects().remove_member(call->arguments[0], who->first, who->second);
    if (!removed) co_return api_refusal(removed.error());
    co_return api_gone();
}

}  // namespace orbitalreg::frontend
