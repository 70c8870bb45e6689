// `orbitalreg project ...`: projects, and who belongs to them.

#include "exit_codes.h"
#include "grant_text.h"
#include "management_call.h"
#include "subcommands.h"

#include <algorithm>
#include <memory>

namespace orbitalreg::program {
namespace {

constexpr unsigned kNotFound = 404;

struct ProjectArguments {
    ManagementPlace place;
    std::string name;
    bool open_to_all = false;
    bool auto_create = false;
    std::string open_to_all_on;
    std::string auto_create_on;
    std::optional<std::string> description;
    std::string member;
    std::string role;
    std::vector<std::string> patterns;
};

std::string describe_projects(const json::object& answer) {
    std::vector<TextRow> rows{
        {"NAME", "PUBLIC", "AUTO-CREATE", "DECLARED", "CREATED", "DESCRIPTION"}};
    for (const auto& project : objects(answer, "items")) {
        const bool declared = flag(project, "declared");
        rows.push_back({text(project, "name"), flag(project, "public") ? "yes" : "",
                        flag(project, "auto_create") ? "yes" : "", declared ? "yes" : "",
                        declared ? "" : time_text(number(project, "created")),
                        text(project, "description")});
    }
    return rows.size() == 1 ? "there are no projects that you may see\n" : aligned(rows);
}

std::string describe_project(const json::object& project) {
    return describe_projects({{"items", json::array{project}}});
}

int list(const ProjectArguments& arguments) {
    return show_list(arguments.place, api_path({"projects"}), describe_projects);
}

int create(const ProjectArguments& arguments) {
    json::object body{{"name", arguments.name},
                      {"public", arguments.open_to_all},
                      {"auto_create", arguments.auto_create}};
    if (arguments.description) body["description"] = *arguments.description;
    return call(arguments.place, {"POST", api_path({"projects"}), std::move(body)},
                describe_project);
}

int show(const ProjectArguments& arguments) {
    return call(arguments.place, {"GET", api_path({"projects", arguments.name}), {}},
                describe_project);
}

int set(const ProjectArguments& arguments) {
    json::object body;
    if (!arguments.open_to_all_on.empty()) body["public"] = is_on(arguments.open_to_all_on);
    if (!arguments.auto_create_on.empty()) body["auto_create"] = is_on(arguments.auto_create_on);
    if (arguments.description) body["description"] = *arguments.description;
    if (body.empty()) return could_not_run("set what? --public, --auto-create or --description");
    return call(arguments.place, {"PATCH", api_path({"projects", arguments.name}), std::move(body)},
                describe_project);
}

int remove(const ProjectArguments& arguments) {
    return call(arguments.place, {"DELETE", api_path({"projects", arguments.name}), {}},
                [&](const json::object&) {
                    return arguments.name + " is removed, with its members and settings\n";
                });
}

// --- members ---

// `alice` is `user:alice`.
std::string member_of(const ProjectArguments& arguments) {
    const bool kind = arguments.member.find(':') != std::string::npos;
    return kind ? arguments.member : "user:" + arguments.member;
}

std::string member_path(const ProjectArguments& arguments) {
    return api_path({"projects", arguments.name, "members", member_of(arguments)});
}

std::string describe_members(const json::object& answer) {
    std::vector<TextRow> rows{{"MEMBER", "DECLARED", "GRANTS"}};
    for (const auto& member : objects(answer, "items")) {
        rows.push_back(
            {text(member, "member"), flag(member, "declared") ? "yes" : "", grants_text(member)});
    }
    return rows.size() == 1 ? "there are no members\n" : aligned(rows);
}

std::string describe_member(const json::object& member) {
    return describe_members({{"items", json::array{member}}});
}

int list_members(const ProjectArguments& arguments) {
    return show_list(arguments.place, api_path({"projects", arguments.name, "members"}),
                     describe_members);
}

int set_member(const ProjectArguments& arguments) {
    const json::object body{
        {"grants", json::array{grant_body(arguments.role, arguments.patterns)}}};
    return call(arguments.place, {"PUT", member_path(arguments), body}, describe_member);
}

// What the server says of a grant and does not take back.
json::object without_notes(json::object grant) {
    grant.erase("project");
    grant.erase("origin");
    return grant;
}

int add_member_grant(const ProjectArguments& arguments) {
    const auto client = find_server(arguments.place.server);
    if (!client) return exit_could_not_run;
    const auto before = client->get(member_path(arguments));
    if (!before.ok() && before.status != kNotFound) return could_not_run(before.trouble);
    json::array grants;
    if (const auto member = parse_object(before.body); before.ok() && member) {
        for (const auto& grant : objects(*member, "grants"))
            grants.emplace_back(without_notes(grant));
    }
    const json::value added = grant_body(arguments.role, arguments.patterns);
    if (std::find(grants.begin(), grants.end(), added) == grants.end()) grants.push_back(added);
    return call(arguments.place, *client,
                {"PUT", member_path(arguments), {{"grants", std::move(grants)}}}, describe_member);
}

int remove_member(const ProjectArguments& arguments) {
    return call(arguments.place, {"DELETE", member_path(arguments), {}}, [&](const json::object&) {
        return member_of(arguments) + " is no member of " + arguments.name + " any more\n";
    });
}

// --- the command line ---

using Work = int (*)(const ProjectArguments&);

CLI::App* add(CLI::App& under, const char* name, const char* description, Work work, int& exit_code,
              const std::shared_ptr<ProjectArguments>& arguments) {
    auto* command = under.add_subcommand(name, description);
    add_management_options(*command, arguments->place);
    command->callback([arguments, work, &exit_code] { exit_code = work(*arguments); });
    return command;
}

CLI::App* add_named(CLI::App& under, const char* name, const char* description, Work work,
                    int& exit_code, const std::shared_ptr<ProjectArguments>& arguments) {
    auto* command = add(under, name, description, work, exit_code, arguments);
    command->add_option("project", arguments->name, "Its name")->required();
    return command;
}

void add_members(CLI::App& project, int& exit_code,
                 const std::shared_ptr<ProjectArguments>& arguments) {
    auto* member = project.add_subcommand("member", "Who belongs to a project");
    member->require_subcommand(1);
    add_named(*member, "list", "All of them", list_members, exit_code, arguments);
    auto* set_command = add_named(*member, "set", "One role, in place of what the member has",
                                  set_member, exit_code, arguments);
    auto* add_command = add_named(*member, "add", "A role beside those that the member has",
                                  add_member_grant, exit_code, arguments);
    auto* remove_command =
        add_named(*member, "remove", "With all roles", remove_member, exit_code, arguments);
    for (auto* command : {set_command, add_command, remove_command}) {
        command->add_option("member", arguments->member, "user:alice, or group:developers")
            ->required();
    }
    for (auto* command : {set_command, add_command}) {
        command->add_option("role", arguments->role, kRoleNames)->required();
        command->add_option("--repositories", arguments->patterns,
                            "Patterns of image names, as acme/app or acme/web/**; the whole "
                            "project without it");
    }
}

}  // namespace

void add_project(CLI::App& app, int& exit_code) {
    auto* project = app.add_subcommand("project", "Projects, and who belongs to them");
    project->require_subcommand(1);
    auto arguments = std::make_shared<ProjectArguments>();
    add(*project, "list", "All that you may see", list, exit_code, arguments);
    auto* create_command = add_named(*project, "create", "A new one", create, exit_code, arguments);
    create_command->add_flag("--public", arguments->open_to_all, "Anybody may pull");
    create_command->add_flag("--auto-create", arguments->auto_create,
                             "A push makes a repository that is not there");
    create_command->add_option("--description", arguments->description, "For people");
    add_named(*project, "show", "One of them", show, exit_code, arguments);
    auto* set_command = add_named(*project, "set", "Change it", set, exit_code, arguments);
    set_command->add_option("--public", arguments->open_to_all_on, "on: anybody may pull; off")
        ->check(kOnOff);
    set_command
        ->add_option("--auto-create", arguments->auto_create_on,
                     "on: a push makes a repository that is not there; off")
        ->check(kOnOff);
    set_command->add_option("--description", arguments->description, "For people");
    add_named(*project, "remove", "Its members and settings; no image may be left in it", remove,
              exit_code, arguments);
    add_members(*project, exit_code, arguments);
}

}  // namespace orbitalreg::program
