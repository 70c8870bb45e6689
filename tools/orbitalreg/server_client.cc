#include "server_client.h"

#include "base/asio.h"
#include "base/clock.h"
#include "base/result.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <charconv>
#include <optional>
#include <utility>

namespace orbitalreg::program {
namespace {

namespace json = boost::json;
using tcp = asio::ip::tcp;

constexpr std::size_t kAnswerBytesMax = 16 << 20;
constexpr std::int64_t kLookNs = 500'000'000;

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

struct Exchange {
    Origin origin;
    std::string request;
    std::string text;  // all that came
    ErrorCode error;
    bool done = false;
};

// Sends the request, which asks to close the connection, and reads until then.
Awaitable<ErrorCode> speak(Exchange& exchange) {
    const auto executor = co_await asio::this_coro::executor;
    tcp::resolver resolver{executor};
    const auto [unresolved, addresses] = co_await resolver.async_resolve(
        exchange.origin.host, exchange.origin.port, asio::as_tuple(asio::use_awaitable));
    if (unresolved) co_return unresolved;
    tcp::socket socket{executor};
    const auto [refused, address] =
        co_await asio::async_connect(socket, addresses, asio::as_tuple(asio::use_awaitable));
    if (refused) co_return refused;
    const auto [unsent, sent] = co_await asio::async_write(socket, asio::buffer(exchange.request),
                                                           asio::as_tuple(asio::use_awaitable));
    if (unsent) co_return unsent;
    const auto [ended, received] =
        co_await asio::async_read(socket, asio::dynamic_buffer(exchange.text, kAnswerBytesMax),
                                  asio::as_tuple(asio::use_awaitable));
    co_return ended == asio::error::eof ? ErrorCode{} : ended;
}

Awaitable<void> carry_out(Exchange* exchange) {
    exchange->error = co_await speak(*exchange);
    exchange->done = true;
}

Awaitable<void> look_on(std::function<void()> look) {
    for (;;) {
        co_await system_clock().sleep_until(system_clock().steady_ns() + kLookNs);
        look();
    }
}

// Status and body of an answer with a Content-Length; 0 when it is none.
unsigned split_answer(const std::string& text, std::string& body) {
    constexpr std::string_view kVersion = "HTTP/1.1 ";
    const auto end_of_head = text.find("\r\n\r\n");
    if (!text.starts_with(kVersion) || end_of_head == text.npos) return 0;
    unsigned status = 0;
    const char* const digits = text.data() + kVersion.size();
    if (std::from_chars(digits, digits + 3, status).ptr != digits + 3) return 0;
    body = text.substr(end_of_head + 4);
    return status;
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
    if (message == nullptr || !message->is_string()) return {};
    return std::string{message->as_string()};
}

}  // namespace

ServerClient::Answer ServerClient::ask(std::string_view method, const std::string& target,
                                       const std::function<void()>& look) const {
    Answer answer;
    const auto origin = parse_origin(url_);
    if (!origin) {
        answer.trouble = url_ + ": must look like http://127.0.0.1:5000";
        return answer;
    }
    const bool v6 = origin->host.find(':') != std::string::npos;
    const std::string host = v6 ? '[' + origin->host + ']' : origin->host;
    std::string request{method};
    request += ' ' + target + " HTTP/1.1\r\nHost: " + host + ':' + origin->port +
               "\r\nUser-Agent: orbitalreg\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    Exchange exchange{*origin, std::move(request), {}, {}, false};
    asio::io_context context{1};
    asio::co_spawn(context, carry_out(&exchange), asio::detached);
    if (look) asio::co_spawn(context, look_on(look), asio::detached);
    while (!exchange.done && context.run_one() > 0) {
    }
    if (exchange.error) {
        answer.trouble = url_ + ": " + exchange.error.message() + ". Is the server running there?";
        return answer;
    }
    answer.status = split_answer(exchange.text, answer.body);
    if (answer.status == 200) return answer;
    const auto message = message_in(answer.body);
    answer.trouble = url_ +
                     (answer.status == 0 ? ": no answer that is HTTP"
                                         : " answered " + std::to_string(answer.status)) +
                     (message.empty() ? "" : ": " + message);
    return answer;
}

}  // namespace orbitalreg::program
