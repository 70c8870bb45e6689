// `orbitalreg user ...`: accounts of people.

#include "exit_codes.h"
#include "htpasswd_file.h"
#include "management_call.h"
#include "secret_input.h"
#include "subcommands.h"
#include "user_rescue.h"

#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>

namespace orbitalreg::program {
namespace {

constexpr std::string_view kBootstrapUser = "bootstrap";
constexpr unsigned kConflict = 409;
constexpr std::size_t kHtpasswdSizeMax = 16 << 20;

struct UserArguments {
    ManagementPlace place;
    std::string name;
    bool administrator = false;
    std::string on;
    std::string description;
    std::string password_file;
    bool password_stdin = false;
    std::string htpasswd;
    std::string directory;
};

std::string describe_users(const json::object& answer) {
    std::vector<TextRow> rows{
        {"NAME", "ADMINISTRATOR", "DISABLED", "PASSWORD", "CREATED", "DESCRIPTION"}};
    for (const auto& user : objects(answer, "items")) {
        rows.push_back({text(user, "name"), flag(user, "administrator") ? "yes" : "",
                        flag(user, "disabled") ? "yes" : "",
                        flag(user, "has_password") ? "yes" : "", time_text(number(user, "created")),
                        text(user, "description")});
    }
    return rows.size() == 1 ? "there are no users\n" : aligned(rows);
}

std::string describe_user(const json::object& user) {
    return describe_users({{"items", json::array{user}}});
}

int list(const UserArguments& arguments) {
    return show_list(arguments.place, api_path({"users"}), describe_users);
}

int show(const UserArguments& arguments) {
    return call(arguments.place, {"GET", api_path({"users", arguments.name}), {}}, describe_user);
}

int change(const UserArguments& arguments, const json::object& changed, const std::string& done) {
    return call(arguments.place, {"PATCH", api_path({"users", arguments.name}), changed},
                [&](const json::object&) { return arguments.name + ' ' + done + '\n'; });
}

int remove(const UserArguments& arguments) {
    return call(
        arguments.place, {"DELETE", api_path({"users", arguments.name}), {}},
        [&](const json::object&) { return arguments.name + " is removed, with its tokens\n"; });
}

// Both may be told to read standard input, which holds one.
bool inputs_differ(const UserArguments& arguments, std::string& trouble) {
    const bool both = (arguments.password_stdin || arguments.password_file == "-") &&
                      arguments.place.server.password_file == "-";
    if (both) trouble = "standard input holds one password: put the other one into a file";
    return !both;
}

// The password to give; empty: none. Nothing, with `trouble`.
std::optional<std::string> new_password(const UserArguments& arguments, std::string& trouble) {
    if (!inputs_differ(arguments, trouble)) return std::nullopt;
    if (arguments.password_stdin) return read_secret("-", trouble);
    if (!arguments.password_file.empty()) return read_secret(arguments.password_file, trouble);
    if (!can_ask()) return std::string{};
    return ask_new_secret("New password of " + arguments.name, trouble);
}

int create(const UserArguments& arguments) {
    std::string trouble;
    const auto password = new_password(arguments, trouble);
    if (!password) return could_not_run(trouble);
    if (password->empty() && arguments.place.server.user == kBootstrapUser) {
        return could_not_run(
            "the first administrator needs a password: --password-stdin or --new-password-file");
    }
    json::object body{{"name", arguments.name}};
    if (!password->empty()) body["password"] = *password;
    if (arguments.administrator) body["administrator"] = true;
    if (!arguments.description.empty()) body["description"] = arguments.description;
    return call(arguments.place, {"POST", api_path({"users"}), std::move(body)},
                [&](const json::object&) {
                    return "created " + arguments.name +
                           (arguments.administrator ? ", an administrator" : "") +
                           (password->empty() ? ", without a password\n" : "\n");
                });
}

// Of oneself: the server takes no token for it but an administrator's, else the password that goes. No answer: the token.
std::optional<ServerClient> client_for_password(const UserArguments& arguments) {
    auto client = find_server(arguments.place.server);
    const bool own = client && client->account().user == arguments.name;
    if (!own || !arguments.place.server.user.empty() || !can_ask()) return client;
    std::string trouble;
    const auto password = ask_secret("Password of " + arguments.name + " until now: ", trouble);
    if (!password) {
        could_not_run(trouble);
        return std::nullopt;
    }
    if (password->empty()) return client;
    auto account = client->account();
    account.secret = *password;
    return ServerClient{std::move(account)};
}

int change_password(const UserArguments& arguments) {
    std::string trouble;
    if (!inputs_differ(arguments, trouble)) return could_not_run(trouble);
    const auto client = client_for_password(arguments);
    if (!client) return exit_could_not_run;
    const auto password = new_password(arguments, trouble);
    if (!password) return could_not_run(trouble);
    if (password->empty())
        return could_not_run("which password? --password-stdin or --new-password-file FILE");
    return call(arguments.place, *client,
                {"PUT", api_path({"users", arguments.name, "password"}), {{"password", *password}}},
                [&](const json::object&) { return arguments.name + " has a new password\n"; });
}

std::optional<std::string> read_file(const std::string& path, std::string& trouble) {
    std::ifstream file{path, std::ios::binary};
    std::string content(kHtpasswdSizeMax + 1, '\0');
    if (file) file.read(content.data(), static_cast<std::streamsize>(content.size()));
    if (!file.eof() || file.bad()) {
        trouble = path + (file.good() ? ": is too large" : ": cannot be read");
        return std::nullopt;
    }
    content.resize(static_cast<std::size_t>(file.gcount()));
    return content;
}

struct ImportCount {
    std::int64_t created = 0;
    std::int64_t existing = 0;
    std::int64_t refused = 0;
};

void report(const ImportCount& count, bool as_json) {
    if (as_json) {
        std::cout << R"({"created":)" << count.created << R"(,"existing":)" << count.existing
                  << R"(,"refused":)" << count.refused << "}\n";
        return;
    }
    std::cout << plural(count.created, "user") << " created";
    if (count.existing > 0) std::cout << ", " << count.existing << " existed and stay as they were";
    if (count.refused > 0) std::cout << ", " << plural(count.refused, "line") << " refused";
    std::cout << '\n';
}

int import_htpasswd(const UserArguments& arguments) {
    std::string trouble;
    const auto content = read_file(arguments.htpasswd, trouble);
    if (!content) return could_not_run(trouble);
    const auto client = find_server(arguments.place.server);
    if (!client) return exit_could_not_run;
    ImportCount count;
    for (const auto& line : read_htpasswd(*content)) {
        std::string refusal = line.refusal;
        if (refusal.empty()) {
            const auto answer = send(
                *client,
                {"POST", api_path({"users"}), {{"name", line.user}, {"password_hash", line.hash}}});
            count.created += answer.ok();
            count.existing += answer.status == kConflict;
            if (answer.ok() || answer.status == kConflict) continue;
            // Not about this line: the next one would fare no better.
            const bool about_the_line = answer.status == 400;
            if (!about_the_line) {
                report(count, arguments.place.json);
                return could_not_run(answer.trouble);
            }
            refusal = answer.trouble;
        }
        ++count.refused;
        std::cerr << arguments.htpasswd << ':' << line.number << ": "
                  << plain_text(line.user.empty() ? refusal : line.user + ": " + refusal) << '\n';
    }
    report(count, arguments.place.json);
    return count.existing + count.refused > 0 ? exit_findings : exit_clean;
}

int rescue(const UserArguments& arguments) {
    std::string trouble;
    const auto password = new_password(arguments, trouble);
    if (!password) return could_not_run(trouble);
    if (password->empty())
        return could_not_run("which password? --password-stdin or --new-password-file FILE");
    return rescue_user(arguments.directory, arguments.name, *password);
}

using Work = int (*)(const UserArguments&);

CLI::App* add(CLI::App& user, const char* name, const char* description, Work work, int& exit_code,
              const std::shared_ptr<UserArguments>& arguments) {
    auto* command = user.add_subcommand(name, description);
    add_management_options(*command, arguments->place);
    command->callback([arguments, work, &exit_code] { exit_code = work(*arguments); });
    return command;
}

CLI::App* add_named(CLI::App& user, const char* name, const char* description, Work work,
                    int& exit_code, const std::shared_ptr<UserArguments>& arguments) {
    auto* command = add(user, name, description, work, exit_code, arguments);
    command->add_option("name", arguments->name, "Of the user")->required();
    return command;
}

void add_new_password(CLI::App& command, UserArguments& arguments) {
    auto* file = command.add_option("--new-password-file", arguments.password_file,
                                    "A file that holds the password to give");
    command
        .add_flag("--password-stdin", arguments.password_stdin,
                  "Read the password to give from standard input")
        ->excludes(file);
}

}  // namespace

void add_user(CLI::App& app, int& exit_code) {
    auto* user = app.add_subcommand("user", "Accounts of people");
    user->require_subcommand(1);
    auto arguments = std::make_shared<UserArguments>();
    add(*user, "list", "All of them", list, exit_code, arguments);
    auto* create_command = add_named(*user, "create", "A new one", create, exit_code, arguments);
    create_command->add_flag("--admin", arguments->administrator, "May do everything");
    create_command->add_option("--description", arguments->description, "For people");
    add_new_password(*create_command, *arguments);
    create_command->footer(
        "Without a password, which is asked for on a terminal, nobody can log in with it.\nThe "
        "first administrator: --user bootstrap --password-file <storage.path>/bootstrap-secret");
    add_named(*user, "show", "One of them", show, exit_code, arguments);
    const auto disable = [](const UserArguments& given) {
        return change(given, {{"disabled", true}}, "is disabled: nothing of it is good any more");
    };
    const auto enable = [](const UserArguments& given) {
        return change(given, {{"disabled", false}}, "is enabled");
    };
    add_named(*user, "disable", "Good for nothing until it is enabled", disable, exit_code,
              arguments);
    add_named(*user, "enable", "Undo disable", enable, exit_code, arguments);
    auto* passwd_command =
        add_named(*user, "passwd", "Another password", change_password, exit_code, arguments);
    add_new_password(*passwd_command, *arguments);
    const auto administer = [](const UserArguments& given) {
        return change(given, {{"administrator", is_on(given.on)}},
                      is_on(given.on) ? "is an administrator" : "is no administrator any more");
    };
    auto* admin_command = add_named(*user, "admin", "Make or unmake an administrator", administer,
                                    exit_code, arguments);
    admin_command->add_option("on", arguments->on, "on or off")->required()->check(kOnOff);
    add_named(*user, "remove", "For good, with its tokens", remove, exit_code, arguments);
    auto* rescue_command = user->add_subcommand(
        "rescue", "An administrator with a new password, in a directory that no server has open");
    rescue_command->add_option("name", arguments->name, "Of the user; made where there is none")
        ->required();
    rescue_command->add_option("directory", arguments->directory, "storage.path of the server")
        ->required();
    add_new_password(*rescue_command, *arguments);
    rescue_command->callback([arguments, &exit_code] { exit_code = rescue(*arguments); });
    auto* import_command =
        add(*user, "import-htpasswd", "Users with bcrypt hashes of an htpasswd file",
            import_htpasswd, exit_code, arguments);
    import_command->add_option("file", arguments->htpasswd, "As `htpasswd -B -C 12` makes it")
        ->required();
    import_command->footer(
        "Exit codes: 0 all taken over; 2 some existed or were refused, see what it says; 3 could "
        "not run.");
}

}  // namespace orbitalreg::program
