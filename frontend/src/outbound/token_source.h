#pragma once
// TokenSource answers an upstream's challenges: it learns from a 401 what is wanted, asks the token service, and keeps the tokens
// it was given (DIST-PROXY-04 to 09).
//
// One request for a scope at a time; whoever else wants that token waits for it. Credentials go to the token service that
// UpstreamPlace allows, or to the upstream itself where that wants them, and nowhere else (SEC-63).
//
// Life     held by its upstream, and by each request for a token that is under way.
// Threads  any.
// Limits   kTokensMax tokens, kTokenAnswerMax bytes of an answer (SEC-67).

#include "base/clock.h"
#include "outbound/challenge.h"
#include "outbound/upstream_failure.h"
#include "outbound/upstream_place.h"

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <variant>
#include <vector>

namespace orbitalreg::frontend {

inline constexpr std::size_t kTokensMax = 4096;
inline constexpr std::size_t kTokenAnswerMax = 64_KiB;

struct GivenToken {
    std::string token;
    std::int64_t lifetime_s = 0;
};
// What a token service answered; nothing where that makes no sense. `wall_ns`: when.
std::optional<GivenToken> parse_token_answer(std::string_view text, std::int64_t wall_ns);

class TokenSource : public std::enable_shared_from_this<TokenSource> {
public:
    // `place` and `clock` outlive it.
    TokenSource(std::shared_ptr<const UpstreamPlace> place, std::string username,
                std::string password, Clock& clock, std::shared_ptr<TransferLoop> loop,
                std::shared_ptr<ConnectionSlots> slots);

    // The value of the Authorization field for a request in `scope`; empty: none is wanted, as far as is known.
    Awaitable<UpstreamResult<std::string>> authorization(std::string scope);
    // After the answer 401 to a request that carried `used`. A success: it is worth another try.
    UpstreamResult<void> learn(const HttpStream& answer, const std::string& scope,
                               const std::string& used);

private:
    struct NoWish {};
    struct BasicWish {};
    struct BearerWish {
        std::string realm;
        std::string service;
        friend bool operator==(const BearerWish&, const BearerWish&) = default;
    };
    using Wish = std::variant<NoWish, BasicWish, BearerWish>;
    struct Entry {
        std::string authorization;
        std::int64_t until_ns = 0;
    };
    // A request for a token, and who waits for it.
    struct Asking {
        std::string scope;
        BearerWish wish;
        std::optional<UpstreamResult<std::string>> result;
        std::vector<std::function<void()>> waiters;
    };

    static Awaitable<void> ask(std::shared_ptr<TokenSource> source, std::shared_ptr<Asking> asking,
                               BearerWish wish);
    static Awaitable<UpstreamResult<GivenToken>> ask_service(std::shared_ptr<TokenSource> source,
                                                             std::string scope, BearerWish wish);
    Awaitable<void> wait_for(std::shared_ptr<Asking> asking);
    void wait_or(Asking& asking, std::function<void()> wake);
    void land(Asking& asking, UpstreamResult<GivenToken> given);
    void keep(const std::string& scope, Entry entry);
    std::string basic() const;
    HttpRequest token_request(const std::string& scope, const BearerWish& wish) const;

    const std::shared_ptr<const UpstreamPlace> place_;
    const std::string username_;
    const std::string password_;
    Clock& clock_;
    const std::shared_ptr<TransferLoop> loop_;
    const std::shared_ptr<ConnectionSlots> slots_;

    std::mutex mutex_;
    Wish wish_;
    std::map<std::string, Entry> tokens_;  // by scope
    std::map<std::string, std::shared_ptr<Asking>> askings_;
};

}  // namespace orbitalreg::frontend
