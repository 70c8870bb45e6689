#include "server_place.h"

#include "exit_codes.h"
#include "secret_input.h"
#include "stored_logins.h"

#include <algorithm>
#include <cstdlib>
#include <unistd.h>
#include <vector>

namespace orbitalreg::program {
namespace {

constexpr const char* kServerVariable = "ORBITALREG_SERVER";
constexpr const char* kAuthorityVariable = "ORBITALREG_CA";

std::string environment_text(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string{} : value;
}

std::optional<std::vector<StoredLogin>> read_logins(std::string& trouble) {
    const auto stored = StoredLogins::of_this_user();
    if (!stored) return std::vector<StoredLogin>{};
    return stored->read(trouble);
}

std::optional<std::string> find_url(const std::string& given,
                                    const std::vector<StoredLogin>& logins, std::string& trouble) {
    const std::string named = given.empty() ? environment_text(kServerVariable) : given;
    if (!named.empty()) {
        auto url = server_url(named);
        if (!url) trouble = wrong_url(named);
        return url;
    }
    if (logins.size() == 1) return logins.front().url;
    trouble = "which server? --server URL, or ORBITALREG_SERVER, or `orbitalreg login URL` first";
    if (logins.empty()) return std::nullopt;
    trouble = "which server? --server URL, one of";
    for (const auto& login : logins) trouble += ' ' + login.url;
    return std::nullopt;
}

// Fills in who asks. False: `trouble`.
bool find_account(const ServerPlace& place, const StoredLogin* login, ServerAccount& account,
                  std::string& trouble) {
    if (place.user.empty() != place.password_file.empty()) {
        trouble = "--user and --password-file go together";
        return false;
    }
    if (!place.user.empty()) {
        auto secret = read_secret(place.password_file, trouble);
        if (!secret) return false;
        account.user = place.user;
        account.secret = std::move(*secret);
    } else if (login != nullptr) {
        account.user = login->user;
        account.secret = login->token;
    }
    return true;
}

}  // namespace

void add_account_options(CLI::App& command, ServerPlace& place) {
    command.add_option("--ca", place.ca_file,
                       "Authorities, in PEM, that the server's certificate must come from");
    command.add_option("--user", place.user, "Who asks, other than the stored login");
    command.add_option("--password-file", place.password_file,
                       "The password or token of --user; - is standard input");
}

void add_server_options(CLI::App& command, ServerPlace& place) {
    command.add_option("--server", place.url,
                       "A running server, as https://registry.example.org; without it "
                       "ORBITALREG_SERVER, or the only one that there is a login of");
    add_account_options(command, place);
}

std::string wrong_url(const std::string& url) {
    return url + ": must look like https://registry.example.org or http://127.0.0.1:5000";
}

std::optional<std::string> authority_file(const std::string& ca_file) {
    const auto path = ca_file.empty() ? environment_text(kAuthorityVariable) : ca_file;
    if (path.empty() || ::access(path.c_str(), R_OK) == 0) return path;
    could_not_run(path + ": cannot be read");
    return std::nullopt;
}

std::optional<ServerClient> find_server(const ServerPlace& place) {
    std::string trouble;
    const auto tell = [&trouble]() -> std::optional<ServerClient> {
        could_not_run(trouble);
        return std::nullopt;
    };
    // Somebody who says everything needs no file of logins, and no good one.
    const bool all_said = !place.user.empty() && !place.url.empty();
    const auto logins = all_said ? std::vector<StoredLogin>{} : read_logins(trouble);
    if (!logins) return tell();
    const auto url = find_url(place.url, *logins, trouble);
    if (!url) return tell();
    const auto login = std::find_if(logins->begin(), logins->end(),
                                    [&](const StoredLogin& other) { return other.url == *url; });
    const StoredLogin* const known = login == logins->end() ? nullptr : &*login;
    const bool stored_ca = place.ca_file.empty() && known != nullptr && !known->ca_file.empty();
    const auto ca_file = authority_file(stored_ca ? known->ca_file : place.ca_file);
    if (!ca_file) return std::nullopt;
    ServerAccount account{*url, *ca_file, {}, {}};
    if (!find_account(place, known, account, trouble)) return tell();
    return ServerClient{std::move(account)};
}

}  // namespace orbitalreg::program
