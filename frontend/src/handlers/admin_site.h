#pragma once
// AdminSite answers on the admin address: is the process alive, may it be sent requests, how is it doing. It takes no
// request that changes anything (SEC-100, SEC-107).

#include "base/metrics.h"
#include "frontend/server.h"
#include "http/exchange.h"

#include <atomic>
#include <functional>
#include <vector>

namespace orbitalreg::frontend {

class AdminSite final : public Site {
public:
    AdminSite(const ServerOptions& options, const Metrics& metrics,
              std::function<std::vector<HealthComponent>()> health) noexcept
        : options_{options}, metrics_{metrics}, health_{std::move(health)} {}

    // From begin_stop() on /readyz says no. Threads: any.
    void begin_stop() noexcept { stopping_.store(true, std::memory_order_relaxed); }

    const ServerOptions& options() const noexcept override { return options_; }
    RouteMatch match(const Target& target) const override { return match_admin(target); }
    Awaitable<Response> answer(Exchange& exchange) override;
    void decorate(const Exchange& exchange, Headers& headers) const override;

private:
    Response ready(bool verbose) const;
    std::vector<HealthComponent> components() const;

    const ServerOptions& options_;
    const Metrics& metrics_;
    std::function<std::vector<HealthComponent>()> health_;
    std::atomic<bool> stopping_{false};
};

}  // namespace orbitalreg::frontend
