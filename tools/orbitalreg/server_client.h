#pragma once
// ServerClient asks a running server: one request, one answer. Blocking; for subcommands.
//
// Trust    https by the system's authorities, or by those of `ca_file` alone. No proxy, no redirect: a credential goes to the
//          server that was named and to nobody else.
// Limits   an answer of at most 16 MiB. A round of work answers when it is over, so that there is no deadline.

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace orbitalreg::program {

// Where a server is, how it is known, and as whom it is asked.
struct ServerAccount {
    std::string url;      // as server_url() gives it
    std::string ca_file;  // PEM; empty: the authorities of the system
    std::string user;
    std::string secret;  // password or token; empty with `user`: nobody
};

class ServerClient {
public:
    struct Answer {
        unsigned status = 0;  // 0: the server was not reached, or is none
        std::string body;
        std::string trouble;  // for people, when there is no answer, or one that says no
        std::string link;     // the header field Link

        bool ok() const noexcept { return trouble.empty(); }
    };
    using Look = std::function<void()>;

    explicit ServerClient(ServerAccount account) : account_{std::move(account)} {}

    const ServerAccount& account() const noexcept { return account_; }

    // `target` is path and query. `body`: JSON, sent where it is not empty. Every status of 2xx is a yes.
    // `look` is called twice a second until the answer comes; it may ask the server too.
    Answer send(std::string_view method, const std::string& target, const std::string& body = {},
                const Look& look = nullptr) const;
    Answer get(const std::string& target) const { return send("GET", target); }
    Answer post(const std::string& target) const { return send("POST", target); }
    Answer post(const std::string& target, const Look& look) const {
        return send("POST", target, {}, look);
    }

private:
    std::string hint(unsigned status) const;

    ServerAccount account_;
};

// One spelling of each address: https://host, without the scheme's own port and without a slash at the end. Nothing for
// what is no address of a server.
std::optional<std::string> server_url(std::string_view text);

}  // namespace orbitalreg::program
