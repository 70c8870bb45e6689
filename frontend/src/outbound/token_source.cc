#include "outbound/token_source.h"

#include "auth/strict_json.h"
#include "base/base64.h"
#include "frontend/audit.h"
#include "http/ascii.h"
#include "outbound/http_url.h"
#include "outbound/whole_body.h"

#include <boost/asio/associated_executor.hpp>

#include <algorithm>

namespace orbitalreg::frontend {
namespace {

using Kind = UpstreamFailure::Kind;

constexpr std::size_t kTokenDocumentDepthMax = 16;
constexpr std::size_t kTokenSizeMax = 32 * 1024;
constexpr std::int64_t kLifetimeDefaultS = 60;
constexpr std::int64_t kLifetimeMaxS = 24 * 3'600;
constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr std::int64_t kMsPerSecond = 1'000;
constexpr std::int64_t kNsPerMs = 1'000'000;
// A token is not used in the last tenth of its life: the request is still on its way then.
constexpr std::int64_t kLifetimeUsedTenths = 9;
constexpr std::string_view kBearer = "Bearer ";
constexpr std::string_view kBasic = "Basic ";

std::optional<std::string> text_of(const boost::json::object& object, std::string_view key) {
    const auto* value = object.if_contains({key.data(), key.size()});
    if (value == nullptr || !value->is_string() || value->as_string().empty()) return std::nullopt;
    return std::string{value->as_string()};
}

std::int64_t lifetime_of(const boost::json::object& object, std::int64_t wall_ns) {
    const auto* value = object.if_contains("expires_in");
    std::int64_t lifetime_s = kLifetimeDefaultS;
    if (value != nullptr && value->is_int64()) lifetime_s = value->as_int64();
    lifetime_s = std::clamp<std::int64_t>(lifetime_s, 0, kLifetimeMaxS);
    const auto issued_at = text_of(object, "issued_at");
    const auto issued_ms = issued_at ? parse_audit_time(*issued_at) : std::nullopt;
    if (!issued_ms) return lifetime_s;
    const auto age_s = (wall_ns / kNsPerMs - *issued_ms) / kMsPerSecond;
    // Otherwise one of the two clocks is wrong.
    return age_s > 0 && age_s < lifetime_s ? lifetime_s - age_s : lifetime_s;
}

UpstreamFailure denied(const HttpStream& answer, std::string_view why) {
    std::string text = answer.request().method + ' ';
    text.append(without_query(answer.request().url)).append(": ").append(why);
    return {Kind::denied, std::move(text), {}};
}

}  // namespace

std::optional<GivenToken> parse_token_answer(std::string_view text, std::int64_t wall_ns) {
    const auto document = parse_strict_json(text, kTokenDocumentDepthMax);
    if (!document || !document->is_object()) return std::nullopt;
    const auto& object = document->as_object();
    auto token = text_of(object, "token");
    if (!token) token = text_of(object, "access_token");
    if (!token || token->size() > kTokenSizeMax ||
        !std::all_of(token->begin(), token->end(), is_visible_ascii))
        return std::nullopt;
    return GivenToken{std::move(*token), lifetime_of(object, wall_ns)};
}

TokenSource::TokenSource(std::shared_ptr<const UpstreamPlace> place, std::string username,
                         std::string password, Clock& clock, std::shared_ptr<TransferLoop> loop,
                         std::shared_ptr<ConnectionSlots> slots)
    : place_{std::move(place)},
      username_{std::move(username)},
      password_{std::move(password)},
      clock_{clock},
      loop_{std::move(loop)},
      slots_{std::move(slots)} {}

std::string TokenSource::basic() const {
    if (username_.empty()) return {};
    return std::string{kBasic} + encode_base64(as_bytes(username_ + ':' + password_));
}

Awaitable<UpstreamResult<std::string>> TokenSource::authorization(std::string scope) {
    std::shared_ptr<Asking> asking;
    std::optional<BearerWish> start;
    {
        const std::lock_guard lock{mutex_};
        if (std::holds_alternative<NoWish>(wish_)) co_return std::string{};
        if (std::holds_alternative<BasicWish>(wish_)) co_return basic();
        const auto kept = tokens_.find(scope);
        if (kept != tokens_.end() && clock_.steady_ns() < kept->second.until_ns)
            co_return kept->second.authorization;
        auto& place = askings_[scope];
        if (!place) {
            place = std::make_shared<Asking>();
            place->scope = scope;
            start = place->wish = std::get<BearerWish>(wish_);
        }
        asking = place;
    }
    if (start) {
        const auto executor = co_await asio::this_coro::executor;
        asio::co_spawn(executor, ask(shared_from_this(), asking, std::move(*start)),
                       asio::detached);
    }
    auto waiting = wait_for(asking);
    co_await std::move(waiting);
    const std::lock_guard lock{mutex_};
    co_return *asking->result;
}

void TokenSource::wait_or(Asking& asking, std::function<void()> wake) {
    {
        const std::lock_guard lock{mutex_};
        if (!asking.result) {
            asking.waiters.push_back(std::move(wake));
            return;
        }
    }
    wake();
}

Awaitable<void> TokenSource::wait_for(std::shared_ptr<Asking> asking) {
    co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>(
        [](auto handler, TokenSource* here, Asking* there) {
            auto waiter = std::make_shared<decltype(handler)>(std::move(handler));
            here->wait_or(*there, [waiter] {
                const auto executor = asio::get_associated_executor(*waiter);
                asio::post(executor, std::move(*waiter));
            });
        },
        asio::use_awaitable, this, asking.get());
}

Awaitable<void> TokenSource::ask(std::shared_ptr<TokenSource> source,
                                 std::shared_ptr<Asking> asking, BearerWish wish) {
    auto asked = ask_service(source, asking->scope, std::move(wish));
    auto given = co_await std::move(asked);
    source->land(*asking, std::move(given));
}

HttpRequest TokenSource::token_request(const std::string& scope, const BearerWish& wish) const {
    HttpRequest request;
    request.url = wish.realm;
    request.url += request.url.find('?') == std::string::npos ? '?' : '&';
    if (!wish.service.empty()) request.url += "service=" + encode_query_value(wish.service) + '&';
    request.url += "scope=" + encode_query_value(scope);
    request.headers.push_back({"Accept", "application/json"});
    if (auto credentials = basic(); !credentials.empty())
        request.headers.push_back({"Authorization", std::move(credentials)});
    return request;
}

Awaitable<UpstreamResult<GivenToken>> TokenSource::ask_service(std::shared_ptr<TokenSource> source,
                                                               std::string scope, BearerWish wish) {
    auto policy = source->place_->policy();
    // A token service that sends elsewhere would choose who gets the credentials.
    policy.redirects_max = 0;
    auto request = source->token_request(scope, wish);
    auto opening =
        open_stream(source->loop_, std::move(request), std::move(policy), SlotWish{source->slots_});
    auto opened = co_await std::move(opening);
    if (!opened.stream) co_return engine::fail_upstream(failure_of(std::move(opened.trouble)));
    auto& stream = *opened.stream;
    if (stream.status() == 404)
        co_return engine::fail_upstream(untrusted(stream.request(), "there is no token service"));
    if (stream.status() != 200) {
        co_return engine::fail_upstream(failure_of(stream, false, source->clock_.wall_ns()));
    }
    auto reading = read_whole(&stream, kTokenAnswerMax);
    auto body = co_await std::move(reading);
    if (!body) co_return engine::fail_upstream(std::move(body).error());
    auto given = parse_token_answer(as_text(body.value()), source->clock_.wall_ns());
    if (!given)
        co_return engine::fail_upstream(untrusted(stream.request(), "the answer holds no token"));
    co_return std::move(*given);
}

void TokenSource::keep(const std::string& scope, Entry entry) {
    if (tokens_.size() >= kTokensMax) {
        const auto now_ns = clock_.steady_ns();
        std::erase_if(tokens_,
                      [now_ns](const auto& kept) { return kept.second.until_ns <= now_ns; });
        if (tokens_.size() >= kTokensMax) tokens_.clear();
    }
    tokens_.insert_or_assign(scope, std::move(entry));
}

void TokenSource::land(Asking& asking, UpstreamResult<GivenToken> given) {
    std::vector<std::function<void()>> woken;
    {
        const std::lock_guard lock{mutex_};
        if (given) {
            Entry entry{std::string{kBearer} + given.value().token,
                        clock_.steady_ns() +
                            given.value().lifetime_s * kNsPerSecond * kLifetimeUsedTenths / 10};
            asking.result.emplace(entry.authorization);
            keep(asking.scope, std::move(entry));
        } else {
            // Perhaps the upstream has come to want another service, or none: what it says next is learned anew.
            const auto kind = given.error().kind;
            const auto* known = std::get_if<BearerWish>(&wish_);
            const bool no_service = kind == Kind::unavailable || kind == Kind::untrusted;
            if (no_service && known != nullptr && *known == asking.wish) wish_ = NoWish{};
            asking.result.emplace(engine::fail_upstream(std::move(given).error()));
        }
        askings_.erase(asking.scope);
        woken.swap(asking.waiters);
    }
    for (const auto& wake : woken) wake();
}

UpstreamResult<void> TokenSource::learn(const HttpStream& answer, const std::string& scope,
                                        const std::string& used) {
    const Challenge* basic_challenge = nullptr;
    const Challenge* bearer_challenge = nullptr;
    std::vector<Challenge> challenges;
    for (const auto& [name, value] : answer.headers()) {
        if (name != "www-authenticate") continue;
        auto more = parse_challenges(value);
        std::move(more.begin(), more.end(), std::back_inserter(challenges));
    }
    for (const auto& challenge : challenges) {
        const bool bearer = challenge.scheme == Challenge::Scheme::bearer;
        auto& first = bearer ? bearer_challenge : basic_challenge;
        if (first == nullptr) first = &challenge;
    }
    if (bearer_challenge != nullptr) {
        const auto realm = resolve_url(answer.request().url, bearer_challenge->realm);
        const auto url = realm ? parse_http_url(*realm) : std::nullopt;
        if (!url || !place_->may_ask_for_token(*url)) {
            return engine::fail_upstream(untrusted(
                answer.request(), "sends for a token to " +
                                      (url ? url->host : std::string{"no URL"}) +
                                      ", which is neither its own host nor one of auth_hosts"));
        }
        BearerWish wish{*realm, bearer_challenge->service};
        const std::lock_guard lock{mutex_};
        const auto* known = std::get_if<BearerWish>(&wish_);
        if (known == nullptr || *known != wish) {
            tokens_.clear();
            wish_ = std::move(wish);
        }
        // Another request may have brought a new one meanwhile.
        const auto kept = tokens_.find(scope);
        if (kept != tokens_.end() && kept->second.authorization == used) tokens_.erase(kept);
        return boost::outcome_v2::success();
    }
    if (basic_challenge == nullptr)
        return engine::fail_upstream(denied(answer, "answered 401 without saying what it wants"));
    if (username_.empty())
        return engine::fail_upstream(denied(answer, "wants a user name and a password"));
    if (used.starts_with(kBasic))
        return engine::fail_upstream(denied(answer, "does not take the user name and password"));
    const std::lock_guard lock{mutex_};
    wish_ = BasicWish{};
    return boost::outcome_v2::success();
}

}  // namespace orbitalreg::frontend
