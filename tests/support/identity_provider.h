#pragma once
// An identity provider for tests, without a network: it answers a FetchDocument from memory and signs tokens. Its clock stands
// still until a test moves it.

#include "auth/jws.h"
#include "base/base64.h"
#include "base/clock.h"
#include "federation/federation.h"

#include <boost/asio/io_context.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <exception>
#include <optional>
#include <string>
#include <vector>

namespace orbitalreg::frontend {

inline constexpr std::int64_t kTestNow = 1'768'478'430;

class ManualClock final : public Clock {
public:
    std::int64_t steady_ns() const noexcept override { return passed_s_ * 1'000'000'000; }
    std::int64_t boottime_ms() const noexcept override { return passed_s_ * 1'000; }
    std::int64_t wall_ns() const noexcept override {
        return (kTestNow + passed_s_) * 1'000'000'000;
    }
    Awaitable<void> sleep_until(std::int64_t) override { co_await asio::post(asio::use_awaitable); }

    void pass(std::int64_t seconds) noexcept { passed_s_ += seconds; }
    std::int64_t now_s() const noexcept { return kTestNow + passed_s_; }

private:
    std::int64_t passed_s_ = 0;
};

// Runs each to its end, all at once.
template <class T>
std::vector<T> run_all(std::vector<Awaitable<T>> work) {
    asio::io_context context;
    std::vector<std::optional<T>> results(work.size());
    for (std::size_t i = 0; i < work.size(); ++i) {
        asio::co_spawn(context, std::move(work[i]), [&results, i](std::exception_ptr, T result) {
            results[i] = std::move(result);
        });
    }
    context.run();
    std::vector<T> values;
    for (auto& result : results) values.push_back(std::move(result.value()));
    return values;
}

template <class T>
T run(Awaitable<T> work) {
    std::vector<Awaitable<T>> all;
    all.push_back(std::move(work));
    return std::move(run_all(std::move(all)).front());
}

inline void run(Awaitable<void> work) {
    asio::io_context context;
    asio::co_spawn(context, std::move(work), asio::detached);
    context.run();
}

inline std::string sign(const SigningKey& key, const std::string& header,
                        const std::string& claims) {
    auto token = encode_base64url(as_bytes(header)) + '.' + encode_base64url(as_bytes(claims));
    const auto signature = encode_base64url(key.sign(as_bytes(token)));
    return token + '.' + signature;
}

inline std::string published(const PublicKey& key, const std::string& key_id) {
    auto object = boost::json::parse(key.jwk()).as_object();
    object["kid"] = key_id;
    object["use"] = "sig";
    return boost::json::serialize(object);
}

class TestProvider {
public:
    std::string issuer = "https://idp.example";
    std::string discovery;          // empty: a good one
    std::vector<std::string> keys;  // JWKs in JSON
    bool down = false;
    unsigned status = 200;
    int discovery_requests = 0;
    int key_requests = 0;
    HttpPolicy policy;  // of the last request
    std::vector<std::string> urls;

    int requests() const noexcept { return discovery_requests + key_requests; }
    FetchDocument fetcher() {
        return [this](HttpRequest request, HttpPolicy used) {
            return answer(this, std::move(request), std::move(used));
        };
    }

private:
    static Awaitable<HttpAnswer> answer(TestProvider* self, HttpRequest request, HttpPolicy used) {
        // Others get their turn, as over a network.
        for (int i = 0; i < 5; ++i) co_await asio::post(asio::use_awaitable);
        self->policy = std::move(used);
        self->urls.push_back(request.url);
        const bool first = request.url.ends_with("openid-configuration");
        ++(first ? self->discovery_requests : self->key_requests);
        HttpAnswer answer;
        if (self->down) {
            answer.failure = HttpFailure::not_connected;
            answer.trouble = "nobody answers";
            co_return answer;
        }
        answer.status = self->status;
        answer.body = first ? self->discovery_text() : self->keys_text();
        co_return answer;
    }
    std::string discovery_text() const {
        if (!discovery.empty()) return discovery;
        return R"({"issuer":")" + issuer + R"(","jwks_uri":")" + issuer + R"(/keys"})";
    }
    std::string keys_text() const {
        std::string text;
        for (const auto& key : keys) text += (text.empty() ? "" : ",") + key;
        return R"({"keys":[)" + text + "]}";
    }
};

inline OidcIssuer test_issuer() {
    OidcIssuer issuer;
    issuer.name = "idp";
    issuer.issuer = "https://idp.example";
    issuer.audiences = {"reg.example"};
    return issuer;
}

}  // namespace orbitalreg::frontend
