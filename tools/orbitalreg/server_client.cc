#include "server_client.h"

#include "base/asio.h"
#include "base/result.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <optional>

namespace orbitalreg::program {
namespace {

namespace http = boost::beast::http;
namespace json = boost::json;
using tcp = asio::ip::tcp;

constexpr std::uint64_t kAnswerBytesMax = 16ULL << 20;

struct Origin {
    std::string host;
    std::string port;
};

std::optional<Origin> parse_origin(std::string_view url) {
    constexpr std::string_view kScheme = "http://";
    if (!url.starts_with(kScheme)) return std::nullopt;
    url.remove_prefix(kScheme.size());
    while (url.ends_with('/')) url.remove_suffix(1);
    if (url.empty() || url.find('/') != url.npos) return std::nullopt;
    const auto colon = url.rfind(':');
    const bool has_port = colon != url.npos && url.find(']', colon) == url.npos;
    Origin origin{std::string{url.substr(0, has_port ? colon : url.size())},
                  has_port ? std::string{url.substr(colon + 1)} : "80"};
    if (origin.host.starts_with('[') && origin.host.ends_with(']'))
        origin.host = origin.host.substr(1, origin.host.size() - 2);
    return origin;
}

// The message of the first error of an OCI error body.
std::string message_in(const std::string& body) {
    ErrorCode ignored;
    const json::value value = json::parse(body, ignored);
    if (ignored || !value.is_object()) return {};
    const json::value* errors = value.as_object().if_contains("errors");
    if (errors == nullptr || !errors->is_array() || errors->as_array().empty()) return {};
    const json::value& first = errors->as_array().front();
    if (!first.is_object()) return {};
    const json::value* message = first.as_object().if_contains("message");
    return message != nullptr && message->is_string() ? std::string{message->as_string()}
                                                      : std::string{};
}

}  // namespace

ServerClient::Answer ServerClient::ask(std::string_view method, const std::string& target) const {
    Answer answer;
    const auto origin = parse_origin(url_);
    if (!origin) {
        answer.trouble = url_ + ": must look like http://127.0.0.1:5000";
        return answer;
    }
    asio::io_context context{1};
    tcp::socket socket{context};
    ErrorCode error;
    const auto addresses = tcp::resolver{context}.resolve(origin->host, origin->port, error);
    if (!error) asio::connect(socket, addresses, error);
    http::request<http::empty_body> request{http::string_to_verb(method), target, 11};
    request.set(http::field::host, origin->host + ':' + origin->port);
    request.set(http::field::user_agent, "orbitalreg");
    request.set(http::field::connection, "close");
    request.prepare_payload();
    if (!error) http::write(socket, request, error);
    boost::beast::flat_buffer buffer;
    http::response_parser<http::string_body> parser;
    parser.body_limit(kAnswerBytesMax);
    if (!error) http::read(socket, buffer, parser, error);
    if (error) {
        answer.trouble = url_ + ": " + error.message() + ". Is the server running there?";
        return answer;
    }
    answer.status = parser.get().result_int();
    answer.body = std::move(parser.get().body());
    if (answer.status == 200) return answer;
    const auto message = message_in(answer.body);
    answer.trouble = url_ + " answered " + std::to_string(answer.status) +
                     (message.empty() ? "" : ": " + message);
    return answer;
}

}  // namespace orbitalreg::program
