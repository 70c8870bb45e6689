// `orbitalreg token list|create|remove`: personal tokens, one's own.

#include "exit_codes.h"
#include "grant_text.h"
#include "management_call.h"
#include "subcommands.h"

#include <iostream>
#include <memory>

namespace orbitalreg::program {
namespace {

constexpr std::string_view kUserPrefix = "user:";

struct TokenArguments {
    ManagementPlace place;
    std::string user;  // empty: who asks
    std::string id;
    std::string description;
    int days = 90;
    std::vector<std::string> patterns;
    std::vector<std::string> actions;
};

std::string describe_tokens(const json::object& answer) {
    std::vector<TextRow> rows{
        {"ID", "CREATED", "EXPIRES", "REPOSITORIES", "ACTIONS", "DESCRIPTION"}};
    for (const auto& token : objects(answer, "items")) {
        const auto patterns = joined(token, "repositories");
        const auto actions = joined(token, "actions");
        rows.push_back({text(token, "id"), time_text(number(token, "created")),
                        time_text(number(token, "expires")), patterns.empty() ? "all" : patterns,
                        actions.empty() ? "all" : actions, text(token, "description")});
    }
    return rows.size() == 1 ? "there are no tokens\n" : aligned(rows);
}

// The secret alone on standard output, so that it can be piped on.
std::string describe_new(const json::object& answer) {
    const auto token = part(answer, "token");
    std::cerr << "token " << plain_text(text(token, "id")) << ", good until "
              << time_text(number(token, "expires")) << "; it is shown this once\n";
    return plain_text(text(answer, "secret")) + '\n';
}

// Whose tokens. Nothing, with `trouble`.
std::optional<std::string> owner(const TokenArguments& arguments, const ServerClient& client,
                                 std::string& trouble) {
    if (!arguments.user.empty()) return arguments.user;
    const auto answer = client.get(api_path({"session"}));
    trouble = answer.trouble;
    if (!answer.ok()) return std::nullopt;
    const auto session = parse_object(answer.body);
    const auto principal = session ? text(*session, "principal") : std::string{};
    if (principal.starts_with(kUserPrefix)) return principal.substr(kUserPrefix.size());
    trouble = "only users have tokens: " + (principal.empty()
                                                ? std::string{"`orbitalreg login URL` first"}
                                                : plain_text(principal) + " is none");
    return std::nullopt;
}

int list(const TokenArguments& arguments) {
    const auto client = find_server(arguments.place.server);
    if (!client) return exit_could_not_run;
    std::string trouble;
    const auto user = owner(arguments, *client, trouble);
    if (!user) return could_not_run(trouble);
    return show_list(arguments.place, *client, api_path({"users", *user, "tokens"}),
                     describe_tokens);
}

int create(const TokenArguments& arguments) {
    const auto client = find_server(arguments.place.server);
    if (!client) return exit_could_not_run;
    std::string trouble;
    const auto user = owner(arguments, *client, trouble);
    if (!user) return could_not_run(trouble);
    json::object body{{"description", arguments.description}, {"expires_in_days", arguments.days}};
    if (!arguments.patterns.empty()) body["repositories"] = string_array(arguments.patterns);
    if (!arguments.actions.empty()) body["actions"] = string_array(arguments.actions);
    return call(arguments.place, *client,
                {"POST", api_path({"users", *user, "tokens"}), std::move(body)}, describe_new);
}

int remove(const TokenArguments& arguments) {
    const auto client = find_server(arguments.place.server);
    if (!client) return exit_could_not_run;
    std::string trouble;
    const auto user = owner(arguments, *client, trouble);
    if (!user) return could_not_run(trouble);
    return call(arguments.place, *client,
                {"DELETE", api_path({"users", *user, "tokens", arguments.id}), {}},
                [&](const json::object&) { return arguments.id + " is removed\n"; });
}

void add_owner(CLI::App& command, TokenArguments& arguments) {
    command.add_option("--of", arguments.user, "Tokens of somebody else, for administrators");
}

}  // namespace

void add_token(CLI::App& app, int& exit_code) {
    auto* token = app.add_subcommand("token", "Personal tokens: your own");
    token->require_subcommand(1);
    auto arguments = std::make_shared<TokenArguments>();
    auto* list_command = token->add_subcommand("list", "All of them");
    add_management_options(*list_command, arguments->place);
    add_owner(*list_command, *arguments);
    list_command->callback([arguments, &exit_code] { exit_code = list(*arguments); });

    auto* create_command =
        token->add_subcommand("create", "A new one, which is printed once and kept nowhere");
    add_management_options(*create_command, arguments->place);
    create_command->add_option("--description", arguments->description, "What it is for")
        ->required();
    create_command->add_option("--days", arguments->days, "How long it is good")
        ->check(CLI::Range(1, 365))
        ->capture_default_str();
    create_command->add_option("--repositories", arguments->patterns,
                               "Patterns of image names, as acme/app or acme/**; all that you may "
                               "without it");
    create_command
        ->add_option("--actions", arguments->actions, "As pull,push; all that you may without it")
        ->delimiter(',');
    create_command->callback([arguments, &exit_code] { exit_code = create(*arguments); });

    auto* remove_command = token->add_subcommand("remove", "Good for nothing from now on");
    remove_command->add_option("id", arguments->id, "As list shows it")->required();
    add_management_options(*remove_command, arguments->place);
    add_owner(*remove_command, *arguments);
    remove_command->callback([arguments, &exit_code] { exit_code = remove(*arguments); });
}

}  // namespace orbitalreg::program
