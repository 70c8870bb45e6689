// `orbitalreg access explain`, `orbitalreg keys ...`: why somebody may or may not, and what tokens are signed with.

#include "exit_codes.h"
#include "grant_text.h"
#include "management_call.h"
#include "subcommands.h"

#include <memory>

namespace orbitalreg::program {
namespace {

struct AccessArguments {
    ManagementPlace place;
    std::string user;
    std::string action;
    std::string image;
    bool now = false;
};

std::string describe_decision(const json::object& answer) {
    const bool allowed = flag(answer, "allowed");
    std::string line = text(answer, "user") + (allowed ? " may " : " may not ") +
                       text(answer, "action") + ' ' + text(answer, "image");
    if (const auto reason = text(answer, "reason"); !reason.empty()) line += ": " + reason;
    std::string described = plain_text(line) + '\n';
    const auto grants = grants_text(answer);
    return grants.empty() ? described : described + "granted: " + plain_text(grants) + '\n';
}

int explain(const AccessArguments& arguments) {
    const auto client = find_server(arguments.place.server);
    if (!client) return exit_could_not_run;
    const auto answer = client->get(with_query(
        api_path({"access", "explain"}),
        {{"user", arguments.user}, {"action", arguments.action}, {"image", arguments.image}}));
    if (!answer.ok()) return could_not_run(answer.trouble);
    const int printed = print(arguments.place, answer.body, describe_decision);
    const auto object = parse_object(answer.body);
    if (printed != exit_clean || !object) return exit_could_not_run;
    return flag(*object, "allowed") ? exit_clean : exit_findings;
}

std::string describe_keys(const json::object& answer) {
    std::vector<TextRow> rows{{"KEY", "STATE", "SINCE"}};
    for (const auto& key : objects(answer, "items"))
        rows.push_back({text(key, "kid"), text(key, "state"), time_text(number(key, "since"))});
    return rows.size() == 1 ? "there are no keys\n" : aligned(rows);
}

int list_keys(const AccessArguments& arguments) {
    return show_list(arguments.place, api_path({"keys"}), describe_keys);
}

int rotate_keys(const AccessArguments& arguments) {
    const json::object body{{"now", arguments.now}};
    return call(arguments.place, {"POST", api_path({"keys", "rotate"}), body},
                [&](const json::object& answer) {
                    return plain_text(text(answer, "kid")) +
                           (arguments.now ? " signs from now on\n"
                                          : " is published, and signs once all have seen it\n");
                });
}

}  // namespace

void add_access(CLI::App& app, int& exit_code) {
    auto* access = app.add_subcommand("access", "Who may do what");
    access->require_subcommand(1);
    auto arguments = std::make_shared<AccessArguments>();
    auto* command = access->add_subcommand("explain", "Whether somebody may, and why");
    command->add_option("user", arguments->user, "alice, robot$acme+ci, or anonymous")->required();
    command->add_option("action", arguments->action, "pull, list, push, delete, ...")->required();
    command->add_option("image", arguments->image, "As acme/app")->required();
    add_management_options(*command, arguments->place);
    command->footer("Exit codes: 0 may; 2 may not; 3 could not run.");
    command->callback([arguments, &exit_code] { exit_code = explain(*arguments); });
}

void add_keys(CLI::App& app, int& exit_code) {
    auto* keys = app.add_subcommand("keys", "What the server signs its tokens with");
    keys->require_subcommand(1);
    auto arguments = std::make_shared<AccessArguments>();
    auto* list_command = keys->add_subcommand("list", "All that tokens are verified with");
    add_management_options(*list_command, arguments->place);
    list_command->callback([arguments, &exit_code] { exit_code = list_keys(*arguments); });
    auto* rotate_command = keys->add_subcommand("rotate", "A new one");
    rotate_command->add_flag("--now", arguments->now,
                             "It signs at once: who has not read it yet refuses tokens until then");
    add_management_options(*rotate_command, arguments->place);
    rotate_command->callback([arguments, &exit_code] { exit_code = rotate_keys(*arguments); });
}

}  // namespace orbitalreg::program
