// The outbound client against a server of the test's own on the loopback interface: what it sends, and what it refuses to
// take. What is asked of TLS is proven end to end, where certificates are.

#include "frontend/http_client.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>

namespace orbitalreg::frontend {
namespace {

using asio::ip::tcp;
using std::chrono::milliseconds;

// What a server does with a connection.
enum class Manner {
    answers,  // a request
    hasty,    // answers whatever was sent first
    silent,
};

// Answers every connection with the same bytes, and keeps what it was sent. Blocking, on one thread.
class LoopbackServer {
public:
    explicit LoopbackServer(std::string answer, Manner manner = Manner::answers)
        : answer_{std::move(answer)}, manner_{manner} {
        thread_ = std::thread{[this] { serve(); }};
    }
    ~LoopbackServer() {
        stopping_ = true;
        // Wakes accept().
        boost::system::error_code ec;
        tcp::socket last{context_};
        last.connect(acceptor_.local_endpoint(), ec);
        thread_.join();
    }

    std::string url(const std::string& path = "/") const {
        return "http://127.0.0.1:" + port() + path;
    }
    std::string port() const { return std::to_string(acceptor_.local_endpoint().port()); }
    std::string received() {
        const std::lock_guard lock{mutex_};
        return received_;
    }
    int connections() const { return connections_; }

private:
    void serve() {
        std::vector<tcp::socket> kept;
        for (;;) {
            tcp::socket socket{context_};
            boost::system::error_code ec;
            acceptor_.accept(socket, ec);
            if (stopping_ || ec) return;
            ++connections_;
            if (manner_ == Manner::silent) {
                kept.push_back(std::move(socket));
            } else {
                converse(socket);
            }
        }
    }
    void converse(tcp::socket& socket) {
        boost::system::error_code ec;
        std::string text;
        if (manner_ == Manner::hasty) {
            std::array<char, 4096> first{};
            socket.read_some(asio::buffer(first), ec);
            asio::write(socket, asio::buffer(answer_), ec);
            return;
        }
        const auto head = asio::read_until(socket, asio::dynamic_buffer(text), "\r\n\r\n", ec);
        if (ec) return;
        const auto at = text.find("Content-Length: ");
        const auto size = at < head ? std::stoul(text.substr(at + 16)) : 0;
        const auto missing = head + size > text.size() ? head + size - text.size() : 0;
        asio::read(socket, asio::dynamic_buffer(text), asio::transfer_exactly(missing), ec);
        {
            const std::lock_guard lock{mutex_};
            received_ = text;
        }
        asio::write(socket, asio::buffer(answer_), ec);
    }

    asio::io_context context_;
    tcp::acceptor acceptor_{context_, {asio::ip::address_v4::loopback(), 0}};
    const std::string answer_;
    const Manner manner_;
    std::atomic<bool> stopping_ = false;
    std::atomic<int> connections_ = 0;
    std::mutex mutex_;
    std::string received_;
    std::thread thread_;
};

HttpPolicy open_policy() {
    HttpPolicy policy;
    policy.http_allowed = true;
    policy.any_address = true;
    policy.total_timeout = milliseconds{10'000};
    return policy;
}

HttpRequest get(std::string url) {
    HttpRequest request;
    request.url = std::move(url);
    return request;
}

std::string answer_with(const std::string& body, const std::string& fields = {}) {
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\nConnection: close\r\n" + fields + "\r\n" + body;
}

TEST(HttpClient, BringsStatusHeadersAndBody) {
    LoopbackServer server{answer_with("hello", "X-Answer:  42 \r\nETag: \"a\"\r\n")};
    const auto answer = fetch(get(server.url("/path?query=1")), open_policy());
    ASSERT_TRUE(answer.whole()) << answer.trouble;
    EXPECT_EQ(answer.status, 200U);
    EXPECT_EQ(answer.body, "hello");
    EXPECT_EQ(answer.header("x-answer"), "42");
    EXPECT_EQ(answer.header("etag"), "\"a\"");
    EXPECT_FALSE(answer.header("cookie"));
    EXPECT_TRUE(server.received().starts_with("GET /path?query=1 HTTP/1.1\r\n"));
}

TEST(HttpClient, SendsMethodHeadersAndBodyAndNothingElse) {
    LoopbackServer server{answer_with("")};
    for (const auto* method : {"POST", "PUT", "PATCH", "DELETE"}) {
        auto request = get(server.url("/x"));
        request.method = method;
        request.headers = {{"Authorization", "Bearer secret"}, {"X-Empty", ""}};
        request.body = std::string("a\0b", 3);
        const auto answer = fetch(request, open_policy());
        ASSERT_TRUE(answer.whole()) << answer.trouble;
        EXPECT_EQ(server.received(), std::string{method} +
                                         " /x HTTP/1.1\r\nHost: 127.0.0.1:" + server.port() +
                                         "\r\nUser-Agent: orbitalreg\r\nAccept: */*\r\n"
                                         "Authorization: Bearer secret\r\nX-Empty:\r\n"
                                         "Content-Length: 3\r\n\r\n" +
                                         request.body);
    }
    auto head = get(server.url());
    head.method = "HEAD";
    EXPECT_TRUE(fetch(head, open_policy()).whole());
    EXPECT_TRUE(server.received().starts_with("HEAD / HTTP/1.1\r\n"));
}

TEST(HttpClient, HeadSpeaksOfWhatDoesNotCome) {
    LoopbackServer server{"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"};
    auto request = get(server.url());
    request.method = "HEAD";
    const auto answer = fetch(request, open_policy());
    EXPECT_TRUE(answer.whole()) << answer.trouble;
    EXPECT_EQ(answer.header("content-length"), "99999999999");
}

TEST(HttpClient, AnswersOfErrorAreWhole) {
    LoopbackServer server{"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}"};
    const auto answer = fetch(get(server.url()), open_policy());
    EXPECT_TRUE(answer.whole());
    EXPECT_EQ(answer.status, 404U);
    EXPECT_EQ(answer.body, "{}");
}

TEST(HttpClient, BoundsTheAnswer) {
    auto policy = open_policy();
    policy.answer_bytes_max = 10;
    {
        LoopbackServer server{answer_with("0123456789")};
        EXPECT_EQ(fetch(get(server.url()), policy).body, "0123456789");
    }
    for (const auto& answer :
         {answer_with("0123456789x"), std::string{"HTTP/1.0 200 OK\r\n\r\n0123456789x"},
          answer_with("", std::string("X: ") + std::string(70'000, 'x') + "\r\n")}) {
        LoopbackServer server{answer};
        const auto got = fetch(get(server.url()), policy);
        EXPECT_EQ(got.failure, HttpFailure::too_large) << got.trouble;
        EXPECT_EQ(got.status, 0U);
        EXPECT_EQ(got.body, "");
    }
}

TEST(HttpClient, HalfAnAnswerIsNone) {
    LoopbackServer server{"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"};
    const auto answer = fetch(get(server.url()), open_policy());
    EXPECT_EQ(answer.failure, HttpFailure::broken_off);
    EXPECT_EQ(answer.body, "");
    EXPECT_FALSE(answer.trouble.empty());
    LoopbackServer half_a_head{"HTTP/1.1 200 OK\r\nX: y\r\n"};
    EXPECT_EQ(fetch(get(half_a_head.url()), open_policy()).failure, HttpFailure::broken_off);
}

TEST(HttpClient, BoundsTime) {
    LoopbackServer server{"", Manner::silent};
    auto policy = open_policy();
    policy.total_timeout = milliseconds{200};
    EXPECT_EQ(fetch(get(server.url()), policy).failure, HttpFailure::too_slow);
}

TEST(HttpClient, IsWatchedAndStopped) {
    LoopbackServer server{"", Manner::silent};
    int seen = 0;
    const auto answer = fetch(get(server.url()), open_policy(),
                              [&seen](const HttpProgress&) { return ++seen < 2; });
    EXPECT_EQ(answer.failure, HttpFailure::stopped);
    EXPECT_EQ(seen, 2);
}

TEST(HttpClient, RedirectsAreAnswersUnlessThePolicyFollows) {
    LoopbackServer target{answer_with("there")};
    const auto moved =
        "HTTP/1.1 302 Found\r\nLocation: " + target.url() + "\r\nContent-Length: 5\r\n\r\nmoved";
    LoopbackServer server{moved};
    const auto answer = fetch(get(server.url()), open_policy());
    EXPECT_EQ(answer.status, 302U);
    EXPECT_EQ(answer.header("location"), target.url());
    EXPECT_EQ(target.connections(), 0);

    auto policy = open_policy();
    policy.redirects_max = 1;
    auto request = get(server.url());
    request.headers = {{"Authorization", "Bearer secret"}};
    const auto followed = fetch(request, policy);
    EXPECT_EQ(followed.body, "there") << followed.trouble;
    EXPECT_FALSE(followed.header("location"));
    EXPECT_EQ(target.received().find("secret"), std::string::npos)
        << "another port, another origin";

    request.method = "POST";
    EXPECT_EQ(fetch(request, policy).status, 302U);
}

TEST(HttpClient, RedirectsEnd) {
    LoopbackServer server{"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n"};
    auto policy = open_policy();
    policy.redirects_max = 100;
    const auto answer = fetch(get(server.url()), policy);
    EXPECT_EQ(answer.failure, HttpFailure::redirect_refused) << answer.trouble;
    EXPECT_EQ(server.connections(), static_cast<int>(kHttpRedirectsMax) + 1);
}

TEST(HttpClient, RefusesAddressesBeforeConnecting) {
    LoopbackServer server{answer_with("secret")};
    HttpPolicy policy = open_policy();
    policy.any_address = false;
    // Whatever names this machine.
    for (const auto* host : {"127.0.0.1", "localhost", "2130706433", "0x7f000001", "017700000001",
                             "127.1", "[::ffff:127.0.0.1]", "[::1]", "0.0.0.0"}) {
        const auto answer = fetch(get("http://" + std::string{host} + ':' + server.port()), policy);
        EXPECT_EQ(answer.failure, HttpFailure::address_refused) << host << ' ' << answer.trouble;
    }
    EXPECT_EQ(server.connections(), 0);
    policy.allow_networks = {"127.0.0.0/8"};
    EXPECT_EQ(fetch(get(server.url()), policy).body, "secret");
}

// A redirect is a connection like any other (SEC-64).
TEST(HttpClient, RefusesAddressesBehindRedirects) {
    LoopbackServer target{answer_with("metadata")};
    LoopbackServer server{"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: http://127.0.0.2:" +
                          target.port() + "/\r\n\r\n"};
    HttpPolicy policy = open_policy();
    policy.any_address = false;
    policy.allow_networks = {"127.0.0.1"};
    policy.redirects_max = 5;
    EXPECT_EQ(fetch(get(server.url()), policy).failure, HttpFailure::address_refused);
}

TEST(HttpClient, RefusesWhatIsNoRequest) {
    const auto failure_of = [](HttpRequest request, bool plain) {
        auto policy = open_policy();
        policy.http_allowed = plain;
        return fetch(request, policy).failure;
    };
    constexpr auto kInvalid = HttpFailure::request_invalid;
    EXPECT_EQ(failure_of(get("http://127.0.0.1:1/"), false), kInvalid);
    for (const auto* url : {"", "127.0.0.1", "ftp://127.0.0.1/", "file:///etc/passwd",
                            "http://user@127.0.0.1/", "http://u:p@127.0.0.1/", "http://",
                            "http://127.0.0.1/a b", "http://127.0.0.1/\r\nX: y", "gopher://h/"}) {
        EXPECT_EQ(failure_of(get(url), true), kInvalid) << url;
    }
    auto request = get("http://127.0.0.1:1/");
    request.method = "CONNECT";
    EXPECT_EQ(failure_of(request, true), kInvalid);
    request.method = "GET";
    for (const auto& header : {HttpHeader{"X", "a\r\nY: b"}, HttpHeader{"X: a\r\nY", "b"},
                               HttpHeader{"", "b"}, HttpHeader{"X", std::string("a\0", 2)}}) {
        request.headers = {header};
        EXPECT_EQ(failure_of(request, true), kInvalid) << header.name;
    }
}

TEST(HttpClient, SaysWhyNobodyAnswers) {
    std::string url;
    {
        const LoopbackServer server{""};
        url = server.url();
    }
    const auto refused = fetch(get(url), open_policy());
    EXPECT_EQ(refused.failure, HttpFailure::not_connected);
    EXPECT_TRUE(refused.trouble.starts_with("GET " + url + ": ")) << refused.trouble;
    LoopbackServer server{answer_with(""), Manner::hasty};
    const auto plain = fetch(get("https://127.0.0.1:" + server.port() + '/'), open_policy());
    EXPECT_EQ(plain.failure, HttpFailure::not_trusted) << plain.trouble;
    auto policy = open_policy();
    policy.ca_file = "/nonexistent";
    EXPECT_EQ(fetch(get("https://127.0.0.1:" + server.port() + '/'), policy).failure,
              HttpFailure::not_trusted);
}

TEST(HttpClient, NoProxyOfTheEnvironment) {
    LoopbackServer proxy{answer_with("proxy")};
    LoopbackServer server{answer_with("server")};
    ::setenv("http_proxy", proxy.url().c_str(), 1);
    const auto direct = fetch(get(server.url()), open_policy());
    auto policy = open_policy();
    policy.environment_proxy = true;
    const auto through = fetch(get(server.url()), policy);
    ::unsetenv("http_proxy");
    EXPECT_EQ(direct.body, "server");
    EXPECT_EQ(through.body, "proxy");
}

Awaitable<void> fetch_into(asio::thread_pool* pool, HttpRequest request, HttpAnswer* answer) {
    auto policy = open_policy();
    *answer = co_await fetch(*pool, std::move(request), std::move(policy));
}

TEST(HttpClient, RunsOnAPoolForACoroutine) {
    LoopbackServer server{answer_with("pooled")};
    asio::thread_pool pool{2};
    asio::io_context context;
    std::array<HttpAnswer, 3> answers;
    for (auto& answer : answers)
        asio::co_spawn(context, fetch_into(&pool, get(server.url()), &answer), asio::detached);
    context.run();
    for (const auto& answer : answers) EXPECT_EQ(answer.body, "pooled") << answer.trouble;
}

TEST(HttpUrl, IsReadAsItIsFetched) {
    const auto url = parse_http_url("https://Issuer.Example:8443/a/b?c");
    ASSERT_TRUE(url);
    EXPECT_EQ(url->scheme, "https");
    EXPECT_EQ(url->host, "issuer.example");
    EXPECT_EQ(url->port, "8443");
    EXPECT_EQ(url->path, "/a/b");
    EXPECT_EQ(parse_http_url("https://h")->port, "443");
    EXPECT_EQ(parse_http_url("https://h")->path, "/");
    EXPECT_EQ(parse_http_url("http://[::1]:80/")->host, "[::1]");
    for (const auto* text : {"h", "https://", "ftp://h/", "https://u@h/", "https://h/#f",
                             "https://h\\@e/", "https://h e/"}) {
        EXPECT_FALSE(parse_http_url(text)) << text;
    }
    for (const auto* host : {"localhost", "127.0.0.1", "127.9.9.9", "[::1]"})
        EXPECT_TRUE(is_loopback_host(host)) << host;
    for (const auto* host : {"localhost.example", "128.0.0.1", "[::2]", "", "0.0.0.0"})
        EXPECT_FALSE(is_loopback_host(host)) << host;
}

}  // namespace
}  // namespace orbitalreg::frontend
