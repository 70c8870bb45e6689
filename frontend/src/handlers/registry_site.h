#pragma once
// RegistrySite answers on the main address: routes to handlers, and what every answer of the API carries.

#include "base/clock.h"
#include "handlers/services.h"
#include "http/rate_limits.h"

#include <algorithm>
#include <optional>

namespace orbitalreg::frontend {

class RegistrySite final : public Site {
public:
    // `authority`: null where nobody is asked who they are.
    RegistrySite(engine::Registry& registry, engine::Upkeep& upkeep, const ServerOptions& options,
                 Random& random, const Clock& clock, Metrics& metrics,
                 engine::AccessControl& access, Authority* authority,
                 asio::any_io_executor background)
        : services_{registry, upkeep, options, random, access, authority, std::move(background)},
          rates_{options.rates},
          principal_rates_{of_principals(options.rates)},
          admission_{options.limits.requests, request_memory(options.limits), metrics},
          clock_{clock} {}

    // Before the first request. Outlives it.
    void record_in(AuditTrail& audit) noexcept { services_.audit = &audit; }
    void offer(engine::Retention& retention) noexcept { services_.retention = &retention; }

    const ServerOptions& options() const noexcept override { return services_.options; }
    RouteMatch match(const Target& target) const override { return match_registry(target); }
    Awaitable<Response> answer(Exchange& exchange) override;
    void decorate(const Exchange& exchange, Headers& headers) const override;

private:
    Awaitable<Response> answer_asked(Exchange& exchange);
    Awaitable<Response> answer_audited(Exchange& exchange);
    std::optional<Response> refuse_deletion(const Exchange& exchange) const;

    static RateOptions of_principals(RateOptions rates) noexcept {
        rates.requests_per_second = rates.requests_per_principal;
        rates.pulls = 0;
        return rates;
    }

    // Room for one manifest of the largest size there is always.
    static std::uint64_t request_memory(const HttpLimits& limits) noexcept {
        return std::max(limits.request_memory_bytes, 4 * limits.manifest_bytes);
    }

    // 503 where too much is in hand already; else the request has its ticket.
    std::optional<Response> refuse_overload(Exchange& exchange);

    // 429 where an address asks too often (DIST-RATE-01); `pulls` is what the answer is to tell.
    std::optional<Response> refuse_rate(const Exchange& exchange,
                                        std::optional<RateLimits::Pulls>& pulls);
    void tell_pulls(const RateLimits::Pulls& pulls, Headers& headers) const;

    Services services_;
    RateLimits rates_;
    RateLimits principal_rates_;
    Admission admission_;
    const Clock& clock_;
};

// 404 for a path that is none, 405 with `Allow` for a method that the route lacks (DIST-GEN-08); nothing when the route
// takes it.
std::optional<Response> refuse_route(const Exchange& exchange);

}  // namespace orbitalreg::frontend
