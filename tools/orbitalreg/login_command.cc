// `orbitalreg login URL`, `logout URL`: a personal token for this machine, made with a password that is not kept, and given
// back.

#include "exit_codes.h"
#include "frontend/http_client.h"
#include "management_call.h"
#include "secret_input.h"
#include "stored_logins.h"
#include "subcommands.h"

#include <climits>
#include <filesystem>
#include <iostream>
#include <memory>
#include <unistd.h>

namespace orbitalreg::program {
namespace {

constexpr int kDaysDefault = 90;
constexpr int kDaysMax = 365;
constexpr unsigned kUnauthorized = 401;
constexpr std::string_view kTokenCredential = "token:";

struct LoginArguments {
    std::string url;
    std::string user;
    bool password_stdin = false;
    std::string ca_file;
    int days = kDaysDefault;
};

std::string host_name() {
    char name[HOST_NAME_MAX + 1]{};
    return ::gethostname(name, sizeof name - 1) == 0 ? name : "a machine without a name";
}

// Of the token that `client` presents; nothing where the server does not take it for one.
std::optional<std::string> token_id(const ServerClient& client, ServerClient::Answer& answer) {
    answer = client.get(api_path({"session"}));
    const auto session = parse_object(answer.body);
    const auto credential = session ? text(*session, "credential") : std::string{};
    if (!answer.ok() || !credential.starts_with(kTokenCredential)) return std::nullopt;
    return credential.substr(kTokenCredential.size());
}

// Gives the token of `login` back. Nothing: it is gone, or was good no more; else why it is still there.
std::optional<std::string> give_back(const StoredLogin& login) {
    const ServerClient client{{login.url, login.ca_file, login.user, login.token}};
    ServerClient::Answer answer;
    const auto id = token_id(client, answer);
    if (answer.status == kUnauthorized) return std::nullopt;
    if (!answer.ok()) return answer.trouble;
    if (!id) return "the server does not take it for a token";
    const auto removed =
        send(client, {"DELETE", api_path({"users", login.user, "tokens", *id}), {}});
    return removed.ok() ? std::nullopt : std::optional{removed.trouble};
}

std::optional<StoredLogin> find_login(const StoredLogins& stored, const std::string& url,
                                      std::string& trouble) {
    const auto logins = stored.read(trouble);
    if (!logins) return std::nullopt;
    for (const auto& login : *logins) {
        if (login.url == url) return login;
    }
    return std::nullopt;
}

// What is not on the command line. False: `trouble`.
bool complete(const LoginArguments& arguments, ServerAccount& account, std::string& trouble) {
    account.user = arguments.user;
    if (account.user.empty()) {
        const auto user = ask_line("User: ", trouble);
        if (!user) return false;
        account.user = *user;
    }
    if (account.user.empty()) {
        trouble = "which user? -u NAME";
        return false;
    }
    const auto secret = arguments.password_stdin
                            ? read_secret("-", trouble)
                            : ask_secret("Password of " + account.user + ": ", trouble);
    if (!secret) return false;
    account.secret = *secret;
    return true;
}

void warn_of_plain_http(const std::string& url) {
    const auto parts = frontend::parse_http_url(url);
    if (!parts || parts->scheme == "https" || frontend::is_loopback_host(parts->host)) return;
    std::cerr << "warning: " << url
              << " is not https: everybody on the way can read the password and the token\n";
}

// Makes the token and finds it good. Nothing: told on stderr.
std::optional<StoredLogin> make_token(const ServerAccount& account, int days) {
    const ManagementCall request{
        "POST",
        api_path({"users", account.user, "tokens"}),
        {{"description", "orbitalreg login on " + host_name()}, {"expires_in_days", days}}};
    const auto made = send(ServerClient{account}, request);
    const auto object = parse_object(made.body);
    const auto secret = object ? text(*object, "secret") : std::string{};
    if (!made.ok() || secret.empty()) {
        could_not_run(made.ok() ? account.url + ": its answer holds no token: is there OrbitalReg?"
                                : made.trouble);
        return std::nullopt;
    }
    StoredLogin login{account.url, account.user, secret, account.ca_file};
    ServerClient::Answer answer;
    const ServerClient client{{login.url, login.ca_file, login.user, login.token}};
    if (token_id(client, answer)) return login;
    could_not_run(answer.ok() ? "the server does not take the token it made for a token"
                              : answer.trouble);
    return std::nullopt;
}

int login(const LoginArguments& arguments) {
    const auto url = server_url(arguments.url);
    if (!url) return could_not_run(wrong_url(arguments.url));
    const auto stored = StoredLogins::of_this_user();
    if (!stored) return could_not_run("neither XDG_CONFIG_HOME nor HOME says where to keep it");
    auto ca_file = authority_file(arguments.ca_file);
    if (!ca_file) return exit_could_not_run;
    if (!ca_file->empty()) *ca_file = std::filesystem::absolute(*ca_file).lexically_normal();
    // Before a token is made that could not be kept.
    std::string trouble;
    const auto before = find_login(*stored, *url, trouble);
    if (!trouble.empty()) return could_not_run(trouble);
    warn_of_plain_http(*url);
    ServerAccount account{*url, *ca_file, {}, {}};
    if (!complete(arguments, account, trouble)) return could_not_run(trouble);
    const auto made = make_token(account, arguments.days);
    if (!made) return exit_could_not_run;
    if (!stored->keep(*made, trouble)) {
        give_back(*made);
        return could_not_run(trouble);
    }
    if (before) give_back(*before);  // nobody has it any more; one that stays ends by itself
    std::cout << "logged in to " << *url << " as " << made->user << ", for "
              << plural(arguments.days, "day") << "; the token is in " << stored->path() << '\n';
    return exit_clean;
}

int logout(const std::string& named) {
    const auto url = server_url(named);
    if (!url) return could_not_run(wrong_url(named));
    const auto stored = StoredLogins::of_this_user();
    if (!stored) return could_not_run("neither XDG_CONFIG_HOME nor HOME says where logins are");
    std::string trouble;
    const auto login = find_login(*stored, *url, trouble);
    if (!trouble.empty()) return could_not_run(trouble);
    if (!login) return could_not_run(*url + ": there is no stored login");
    const auto left = give_back(*login);
    if (!stored->forget(*url, trouble)) return could_not_run(trouble);
    if (!left) {
        std::cout << "logged out of " << *url << '\n';
        return exit_clean;
    }
    std::cerr << "the login is forgotten here, but its token could not be removed and is good "
                 "until it ends: "
              << *left << '\n';
    return exit_findings;
}

}  // namespace

void add_login(CLI::App& app, int& exit_code) {
    auto* command = app.add_subcommand(
        "login", "Make and keep a token, so that other commands may ask this server");
    auto arguments = std::make_shared<LoginArguments>();
    command->add_option("url", arguments->url, "As https://registry.example.org")->required();
    command->add_option("-u,--username", arguments->user, "Asked for where it is missing");
    command->add_flag("--password-stdin", arguments->password_stdin,
                      "Read the password from standard input instead of asking for it");
    command->add_option("--ca", arguments->ca_file,
                        "Authorities, in PEM, that the server's certificate must come from");
    command->add_option("--days", arguments->days, "How long the token is good")
        ->check(CLI::Range(1, kDaysMax))
        ->capture_default_str();
    command->footer(
        "Kept in ${XDG_CONFIG_HOME:-~/.config}/orbitalreg/logins.json, which only you may read: a "
        "token, never the password.\nRobots have no login: --user 'robot$acme+ci' "
        "--password-file FILE.");
    command->callback([arguments, &exit_code] { exit_code = login(*arguments); });
}

void add_logout(CLI::App& app, int& exit_code) {
    auto* command =
        app.add_subcommand("logout", "Remove the token that login made, there and here");
    auto url = std::make_shared<std::string>();
    command->add_option("url", *url, "As https://registry.example.org")->required();
    command->footer("Exit codes: 0 gone; 2 gone here, not at the server; 3 could not run.");
    command->callback([url, &exit_code] { exit_code = logout(*url); });
}

}  // namespace orbitalreg::program
