#include "federation/discovered_keys.h"

#include "auth/jws.h"
#include "auth/strict_json.h"

#include <boost/asio/associated_executor.hpp>

#include <algorithm>
#include <exception>
#include <mutex>

namespace orbitalreg::frontend {
namespace {

constexpr std::size_t kDocumentDepthMax = 16;
constexpr std::string_view kDiscoveryPath = "/.well-known/openid-configuration";
constexpr unsigned kStatusOk = 200;

std::string discovery_url(std::string_view issuer) {
    while (issuer.ends_with('/')) issuer.remove_suffix(1);
    return std::string{issuer}.append(kDiscoveryPath);
}

HttpPolicy policy_of(const OidcIssuer& issuer) {
    HttpPolicy policy;
    policy.connect_timeout = kFetchTime;
    policy.total_timeout = kFetchTime;
    policy.answer_bytes_max = kJwkSetSizeMax;
    policy.http_allowed = issuer.issuer.starts_with("http://");
    policy.ca_file = issuer.keys.ca_file;
    policy.allow_networks = issuer.allow_networks;
    return policy;
}

HttpRequest request_of(std::string url) {
    HttpRequest request;
    request.url = std::move(url);
    request.headers.push_back({"Accept", "application/json"});
    return request;
}

// What keeps an answer from being a document; empty: nothing.
std::string answer_fault(const HttpAnswer& answer, const std::string& url) {
    if (!answer.whole()) return answer.trouble;
    if (answer.status != kStatusOk)
        return url + ": answered with status " + std::to_string(answer.status);
    return {};
}

// Whether keys may come from there: the issuer's own host or one that is listed, and never less protected than the issuer.
bool is_allowed_place(const OidcIssuer& issuer, const std::string& set_url) {
    const auto own = parse_http_url(issuer.issuer);
    const auto place = parse_http_url(set_url);
    if (!own || !place) return false;
    const bool plain = own->scheme == "http" && is_loopback_host(place->host);
    if (place->scheme != "https" && !plain) return false;
    return place->host == own->host || std::find(issuer.jwks_hosts.begin(), issuer.jwks_hosts.end(),
                                                 place->host) != issuer.jwks_hosts.end();
}

struct FoundPlace {
    std::string set_url;
    std::string trouble;
};

FoundPlace read_discovery(const OidcIssuer& issuer, const std::string& text) {
    const auto document = parse_strict_json(text, kDocumentDepthMax);
    if (!document || !document->is_object())
        return {{}, "its discovery document is no JSON object"};
    const auto& fields = document->get_object();
    if (text_claim(fields, "issuer") != issuer.issuer)
        return {{}, "its discovery document is another issuer's"};
    const auto set_url = text_claim(fields, "jwks_uri");
    if (!set_url) return {{}, "its discovery document names no jwks_uri"};
    if (!is_allowed_place(issuer, std::string{*set_url})) {
        return {{},
                "jwks_uri is neither https on the issuer's host nor on one of jwks_hosts: " +
                    std::string{*set_url}};
    }
    return {std::string{*set_url}, {}};
}

}  // namespace

Awaitable<AskedKeys> ask_for_keys(OidcIssuer issuer, FetchDocument fetch,
                                  std::string known_set_url) {
    auto set_url = std::move(known_set_url);
    if (set_url.empty()) {
        const auto url = discovery_url(issuer.issuer);
        auto request = request_of(url);
        auto policy = policy_of(issuer);
        const auto answer = co_await fetch(std::move(request), std::move(policy));
        if (auto fault = answer_fault(answer, url); !fault.empty())
            co_return AskedKeys{{}, {}, std::move(fault)};
        auto place = read_discovery(issuer, answer.body);
        if (!place.trouble.empty()) co_return AskedKeys{{}, {}, std::move(place.trouble)};
        set_url = std::move(place.set_url);
    }
    auto request = request_of(set_url);
    auto policy = policy_of(issuer);
    const auto answer = co_await fetch(std::move(request), std::move(policy));
    if (auto fault = answer_fault(answer, set_url); !fault.empty())
        co_return AskedKeys{{}, {}, std::move(fault)};
    auto set = JwkSet::parse(answer.body);
    if (!set || set->size() == 0)
        co_return AskedKeys{{}, {}, set_url + ": no key set with a key that verifies signatures"};
    co_return AskedKeys{std::move(set), std::move(set_url), {}};
}

struct DiscoveredKeys::Rooms {
    Rooms(const OidcIssuer& for_issuer, Clock& with_clock, Log& with_log, FetchDocument with_fetch)
        : issuer{for_issuer}, clock{with_clock}, log{with_log}, fetch{std::move(with_fetch)} {}

    // Nothing where another asking could change the answer.
    std::optional<KeysFound> look(const std::string& key_id, SignatureAlgorithm algorithm);
    KeysFound last_word(const std::string& key_id, SignatureAlgorithm algorithm);
    bool is_due();
    // Whether to wait for an asking, and whether it is the caller who starts it.
    enum class Turn { start, wait, no };
    Turn take_turn();
    void wait_or(std::function<void()> wake);
    void land(AskedKeys asked);
    std::string start_url();

    static Awaitable<void> ask(std::shared_ptr<Rooms> rooms);
    static Awaitable<void> renew(std::shared_ptr<Rooms> rooms);

    const OidcIssuer issuer;
    Clock& clock;
    Log& log;
    const FetchDocument fetch;

    std::mutex mutex;
    std::optional<JwkSet> set;
    std::string set_url;
    std::int64_t set_ms =
        0;  // when the set was asked for; of a clock that goes on while the machine sleeps
    std::optional<std::int64_t> asked_ms;  // the last time
    std::string trouble;                   // of the last asking
    bool asking = false;
    std::vector<std::function<void()>> waiters;

private:
    bool usable() const {
        return set && clock.boottime_ms() - set_ms <= issuer.keys.stale_max.count();
    }
};

std::optional<KeysFound> DiscoveredKeys::Rooms::look(const std::string& key_id,
                                                     SignatureAlgorithm algorithm) {
    const std::lock_guard lock{mutex};
    if (!usable()) return std::nullopt;
    if (auto keys = set->find(key_id, algorithm); !keys.empty())
        return KeysFound{std::move(keys), false, {}};
    if (set->has(key_id)) return KeysFound{{}, false, "the key is for another algorithm"};
    return std::nullopt;
}

KeysFound DiscoveredKeys::Rooms::last_word(const std::string& key_id,
                                           SignatureAlgorithm algorithm) {
    if (auto found = look(key_id, algorithm)) return std::move(*found);
    const std::lock_guard lock{mutex};
    if (!usable()) {
        return {{},
                true,
                set ? "the keys are older than max_stale: " + trouble
                    : "there are no keys yet: " + trouble};
    }
    if (!trouble.empty()) return {{}, true, "the key is not known, and asking failed: " + trouble};
    return {{}, false, "the issuer has no such key"};
}

bool DiscoveredKeys::Rooms::is_due() {
    const std::lock_guard lock{mutex};
    return !set || !trouble.empty() || clock.boottime_ms() - set_ms >= issuer.keys.refresh.count();
}

DiscoveredKeys::Rooms::Turn DiscoveredKeys::Rooms::take_turn() {
    const std::lock_guard lock{mutex};
    if (asking) return Turn::wait;
    const auto now_ms = clock.boottime_ms();
    if (asked_ms && now_ms - *asked_ms < issuer.keys.refetch_min.count()) return Turn::no;
    asked_ms = now_ms;
    asking = true;
    return Turn::start;
}

void DiscoveredKeys::Rooms::wait_or(std::function<void()> wake) {
    {
        const std::lock_guard lock{mutex};
        if (asking) {
            waiters.push_back(std::move(wake));
            return;
        }
    }
    wake();
}

// An unknown key of a set that is otherwise fresh: the place of the set is known.
std::string DiscoveredKeys::Rooms::start_url() {
    const std::lock_guard lock{mutex};
    const bool fresh = set && clock.boottime_ms() - set_ms < issuer.keys.refresh.count();
    return fresh && trouble.empty() ? set_url : std::string{};
}

void DiscoveredKeys::Rooms::land(AskedKeys asked) {
    std::vector<std::function<void()>> woken;
    {
        const std::lock_guard lock{mutex};
        trouble = asked.trouble;
        if (asked.set) {
            set = std::move(asked.set);
            set_url = std::move(asked.set_url);
            set_ms = asked_ms.value_or(0);
        }
        asking = false;
        woken.swap(waiters);
    }
    if (!asked.trouble.empty()) {
        log.warn("issuer's keys not renewed",
                 {{"issuer", issuer.name}, {"trouble", asked.trouble}});
    }
    for (const auto& wake : woken) wake();
}

Awaitable<void> DiscoveredKeys::Rooms::ask(std::shared_ptr<Rooms> rooms) {
    AskedKeys asked;
    try {
        auto asking = ask_for_keys(rooms->issuer, rooms->fetch, rooms->start_url());
        asked = co_await std::move(asking);
    } catch (const std::exception& exception) {
        asked = {};
        asked.trouble = exception.what();
    }
    rooms->land(std::move(asked));
}

// Asks, or waits for who asks; does neither when it was done a moment ago.
Awaitable<void> DiscoveredKeys::Rooms::renew(std::shared_ptr<Rooms> rooms) {
    const auto turn = rooms->take_turn();
    if (turn == Turn::no) co_return;
    if (turn == Turn::start) {
        const auto executor = co_await asio::this_coro::executor;
        asio::co_spawn(executor, ask(rooms), asio::detached);
    }
    co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>(
        [](auto handler, Rooms* here) {
            auto waiter = std::make_shared<decltype(handler)>(std::move(handler));
            here->wait_or([waiter] {
                const auto executor = asio::get_associated_executor(*waiter);
                asio::post(executor, std::move(*waiter));
            });
        },
        asio::use_awaitable, rooms.get());
}

DiscoveredKeys::DiscoveredKeys(const OidcIssuer& issuer, Clock& clock, Log& log,
                               FetchDocument fetch)
    : rooms_{std::make_shared<Rooms>(issuer, clock, log, std::move(fetch))} {}
DiscoveredKeys::~DiscoveredKeys() = default;

Awaitable<KeysFound> DiscoveredKeys::find(std::string key_id, SignatureAlgorithm algorithm) {
    auto found = rooms_->look(key_id, algorithm);
    if (found) co_return std::move(*found);
    auto renewal = Rooms::renew(rooms_);
    co_await std::move(renewal);
    co_return rooms_->last_word(key_id, algorithm);
}

Awaitable<void> DiscoveredKeys::refresh_if_due() {
    if (!rooms_->is_due()) co_return;
    auto renewal = Rooms::renew(rooms_);
    co_await std::move(renewal);
}

}  // namespace orbitalreg::frontend
