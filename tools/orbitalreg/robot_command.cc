// `orbitalreg robot ...`: accounts of machines, of a project or of the system.

#include "exit_codes.h"
#include "grant_text.h"
#include "management_call.h"
#include "subcommands.h"

#include <iostream>
#include <memory>

namespace orbitalreg::program {
namespace {

constexpr std::string_view kLoginPrefix = "robot$";

struct RobotArguments {
    ManagementPlace place;
    std::string name;
    std::string project;
    std::string description;
    std::vector<std::string> grants;
    bool replace = false;
};

struct RobotName {
    std::string project;  // empty: of the system
    std::string name;

    std::string full() const { return project.empty() ? name : project + '+' + name; }
    std::string path() const {
        return project.empty() ? api_path({"robots", name})
                               : api_path({"projects", project, "robots", name});
    }
};

std::string list_path(const std::string& project) {
    return project.empty() ? api_path({"robots"}) : api_path({"projects", project, "robots"});
}

// `acme+ci`, `robot$acme+ci`, or `ci` with --project acme. Nothing: told on stderr.
std::optional<RobotName> read_name(const RobotArguments& arguments) {
    std::string_view text = arguments.name;
    if (text.starts_with(kLoginPrefix)) text.remove_prefix(kLoginPrefix.size());
    const auto plus = text.find('+');
    RobotName name{arguments.project, std::string{text.substr(plus == text.npos ? 0 : plus + 1)}};
    if (plus == text.npos) return name;
    const std::string project{text.substr(0, plus)};
    if (!name.project.empty() && name.project != project) {
        could_not_run(arguments.name + ": is no robot of " + arguments.project);
        return std::nullopt;
    }
    name.project = project;
    return name;
}

std::string describe_robots(const json::object& answer) {
    std::vector<TextRow> rows{
        {"NAME", "DISABLED", "SECRETS", "CREATED", "EXPIRES", "GRANTS", "DESCRIPTION"}};
    for (const auto& robot : objects(answer, "items")) {
        rows.push_back({text(robot, "full_name"), flag(robot, "disabled") ? "yes" : "",
                        std::to_string(objects(robot, "secrets").size()),
                        time_text(number(robot, "created")), time_text(number(robot, "expires")),
                        grants_text(robot), text(robot, "description")});
    }
    return rows.size() == 1 ? "there are no robots\n" : aligned(rows);
}

std::string describe_robot(const json::object& robot) {
    auto described = describe_robots({{"items", json::array{robot}}});
    std::vector<TextRow> rows{{"SECRET", "CREATED"}};
    for (const auto& secret : objects(robot, "secrets"))
        rows.push_back({text(secret, "id"), time_text(number(secret, "created"))});
    return described + aligned(rows);
}

// The secret alone on standard output, so that it can be piped on.
std::string describe_secret(const json::object& answer) {
    std::cerr << "user name " << plain_text(text(answer, "user"))
              << "; the secret is shown this once\n";
    return plain_text(text(answer, "secret")) + '\n';
}

int list(const RobotArguments& arguments) {
    return show_list(arguments.place, list_path(arguments.project), describe_robots);
}

int create(const RobotArguments& arguments) {
    const auto name = read_name(arguments);
    if (!name) return exit_could_not_run;
    std::string trouble;
    auto grants = parse_grants(arguments.grants, name->project, trouble);
    if (!grants) return could_not_run(trouble);
    json::object body{{"name", name->name}, {"grants", std::move(*grants)}};
    if (!arguments.description.empty()) body["description"] = arguments.description;
    return call(arguments.place, {"POST", list_path(name->project), std::move(body)},
                describe_secret);
}

int show(const RobotArguments& arguments) {
    const auto name = read_name(arguments);
    if (!name) return exit_could_not_run;
    return call(arguments.place, {"GET", name->path(), {}}, describe_robot);
}

int grant(const RobotArguments& arguments) {
    const auto name = read_name(arguments);
    if (!name) return exit_could_not_run;
    std::string trouble;
    auto grants = parse_grants(arguments.grants, name->project, trouble);
    if (!grants) return could_not_run(trouble);
    return call(arguments.place, {"PATCH", name->path(), {{"grants", std::move(*grants)}}},
                describe_robot);
}

int rotate(const RobotArguments& arguments) {
    const auto name = read_name(arguments);
    if (!name) return exit_could_not_run;
    const json::object body{{"replace", arguments.replace}};
    return call(arguments.place, {"POST", name->path() + "/secrets", body}, describe_secret);
}

int switch_off(const RobotArguments& arguments, bool disabled) {
    const auto name = read_name(arguments);
    if (!name) return exit_could_not_run;
    return call(arguments.place, {"PATCH", name->path(), {{"disabled", disabled}}},
                [&](const json::object&) {
                    return name->full() + (disabled ? " is disabled: none of its secrets is good\n"
                                                    : " is enabled\n");
                });
}

int disable(const RobotArguments& arguments) { return switch_off(arguments, true); }
int enable(const RobotArguments& arguments) { return switch_off(arguments, false); }

int remove(const RobotArguments& arguments) {
    const auto name = read_name(arguments);
    if (!name) return exit_could_not_run;
    return call(arguments.place, {"DELETE", name->path(), {}},
                [&](const json::object&) { return name->full() + " is removed\n"; });
}

using Work = int (*)(const RobotArguments&);

CLI::App* add(CLI::App& robot, const char* name, const char* description, Work work, int& exit_code,
              const std::shared_ptr<RobotArguments>& arguments) {
    auto* command = robot.add_subcommand(name, description);
    command->add_option("--project", arguments->project, "Whose; of the system without it");
    add_management_options(*command, arguments->place);
    command->callback([arguments, work, &exit_code] { exit_code = work(*arguments); });
    return command;
}

CLI::App* add_named(CLI::App& robot, const char* name, const char* description, Work work,
                    int& exit_code, const std::shared_ptr<RobotArguments>& arguments) {
    auto* command = add(robot, name, description, work, exit_code, arguments);
    command->add_option("name", arguments->name, "acme+ci, or ci with --project acme")->required();
    return command;
}

CLI::Option* add_grants(CLI::App& command, RobotArguments& arguments) {
    return command.add_option(
        "--grant", arguments.grants,
        std::string{"developer or developer:acme/app,acme/web/**; of the system: "
                    "acme:developer:acme/app. Roles: "} +
            kRoleNames);
}

}  // namespace

void add_robot(CLI::App& app, int& exit_code) {
    auto* robot = app.add_subcommand("robot", "Accounts of machines");
    robot->require_subcommand(1);
    auto arguments = std::make_shared<RobotArguments>();
    add(*robot, "list", "All of a project, or of the system", list, exit_code, arguments);
    auto* create_command = add_named(*robot, "create", "A new one; its secret is printed this once",
                                     create, exit_code, arguments);
    add_grants(*create_command, *arguments);
    create_command->add_option("--description", arguments->description, "For people");
    create_command->footer("It logs in as robot$acme+ci, or robot$ci, with the secret.");
    add_named(*robot, "show", "One of them", show, exit_code, arguments);
    auto* grant_command = add_named(*robot, "grant", "Other grants, in place of those it has",
                                    grant, exit_code, arguments);
    add_grants(*grant_command, *arguments)->required();
    auto* rotate_command =
        add_named(*robot, "rotate", "A further secret, which is printed this once; two may be good",
                  rotate, exit_code, arguments);
    rotate_command->add_flag("--replace", arguments->replace,
                             "The others are good for nothing at once");
    add_named(*robot, "disable", "Good for nothing until it is enabled", disable, exit_code,
              arguments);
    add_named(*robot, "enable", "Undo disable", enable, exit_code, arguments);
    add_named(*robot, "remove", "For good", remove, exit_code, arguments);
}

}  // namespace orbitalreg::program
