#include "server_client.h"

#include "base/base64.h"
#include "frontend/http_client.h"
#include "report_text.h"

namespace orbitalreg::program {
namespace {

constexpr std::size_t kAnswerBytesMax = 16 << 20;
constexpr std::chrono::milliseconds kConnectTimeout{10'000};
constexpr unsigned kUnauthorized = 401;

// Of RFC 7617.
std::string basic_credential(const ServerAccount& account) {
    return "Basic " + encode_base64(as_bytes(account.user + ':' + account.secret));
}

// The message of the first error of an error body.
std::string message_in(const std::string& body) {
    const auto object = parse_object(body);
    const json::value* errors = object ? object->if_contains("errors") : nullptr;
    if (errors == nullptr || !errors->is_array() || errors->as_array().empty()) return {};
    const json::value& first = errors->as_array().front();
    return first.is_object() ? plain_text(text(first.as_object(), "message")) : std::string{};
}

}  // namespace

ServerClient::Answer ServerClient::send(std::string_view method, const std::string& target,
                                        const std::string& body, const Look& look) const {
    frontend::HttpRequest request{std::string{method}, account_.url + target, {}, body};
    if (!account_.user.empty())
        request.headers.push_back({"Authorization", basic_credential(account_)});
    if (!body.empty()) request.headers.push_back({"Content-Type", "application/json"});
    frontend::HttpPolicy policy;
    policy.connect_timeout = kConnectTimeout;
    policy.total_timeout = {};
    policy.answer_bytes_max = kAnswerBytesMax;
    policy.http_allowed = true;
    policy.any_address = true;
    policy.ca_file = account_.ca_file;
    frontend::WatchProgress watch;
    if (look) {
        watch = [&look](const frontend::HttpProgress&) {
            look();
            return true;
        };
    }
    auto got = frontend::fetch(request, policy, watch);
    Answer answer{got.status, std::move(got.body), {}, {}};
    answer.link = std::string{got.header("link").value_or("")};
    if (!got.whole()) {
        const bool absent = got.failure == frontend::HttpFailure::not_connected;
        answer.trouble = got.trouble + (absent ? ". Is the server running there?" : "");
        return answer;
    }
    if (answer.status >= 200 && answer.status < 300) return answer;
    const auto message = message_in(answer.body);
    answer.trouble = account_.url + " answered " + std::to_string(answer.status) +
                     (message.empty() ? "" : ": " + message) + hint(answer.status);
    return answer;
}

// What to do about an answer.
std::string ServerClient::hint(unsigned status) const {
    if (status != kUnauthorized) return {};
    return account_.user.empty()
               ? ". `orbitalreg login " + account_.url + "` first"
               : ". What was presented for " + account_.user +
                     " is not good, or no more: `orbitalreg login " + account_.url + '`';
}

std::optional<std::string> server_url(std::string_view text) {
    const auto url = frontend::parse_http_url(text);
    if (!url || text.find('?') != text.npos) return std::nullopt;
    std::string spelled = url->scheme + "://" + url->host;
    if (url->port != (url->scheme == "https" ? "443" : "80")) spelled += ':' + url->port;
    spelled += url->path;
    while (spelled.ends_with('/')) spelled.pop_back();
    return spelled;
}

}  // namespace orbitalreg::program
