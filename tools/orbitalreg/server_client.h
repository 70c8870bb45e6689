#pragma once
// ServerClient asks a running server: one request, one JSON answer. Blocking; for subcommands.
//
// Limits   plain HTTP; an answer of at most 16 MiB. A round of work answers when it is over, so that there is no deadline.

#include <functional>
#include <string>
#include <string_view>

namespace orbitalreg::program {

class ServerClient {
public:
    struct Answer {
        unsigned status = 0;  // 0: the server was not reached, or is none
        std::string body;
        std::string trouble;  // for people, when there is no answer, or one that says no
        bool ok() const noexcept { return trouble.empty(); }
    };

    // `url` as http://host:port, a trailing slash or not.
    explicit ServerClient(std::string url) : url_{std::move(url)} {}

    Answer get(const std::string& target) const { return ask("GET", target); }
    Answer post(const std::string& target) const { return ask("POST", target); }
    // `look` is called twice a second until the answer comes; it may ask the server too.
    Answer post(const std::string& target, const std::function<void()>& look) const {
        return ask("POST", target, look);
    }

private:
    Answer ask(std::string_view method, const std::string& target,
               const std::function<void()>& look = nullptr) const;

    std::string url_;
};

}  // namespace orbitalreg::program
