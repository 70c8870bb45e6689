#include "handlers/registry_site.h"

#include "audit/audit_trail.h"
#include "auth/authority.h"
#include "handlers/blobs.h"
#include "handlers/catalog.h"
#include "handlers/management.h"
#include "handlers/manifests.h"
#include "handlers/ping.h"
#include "handlers/referrers.h"
#include "handlers/system_api.h"
#include "handlers/tags.h"
#include "handlers/token.h"
#include "handlers/uploads.h"
#include "http/cors.h"

#include <utility>

namespace orbitalreg::frontend {
namespace {

Handler handler_of(Route route) noexcept {
    switch (route) {
        case Route::ping:
            return handle_ping;
        case Route::blob:
            return handle_blob;
        case Route::uploads:
            return handle_uploads;
        case Route::upload:
            return handle_upload;
        case Route::manifest:
            return handle_manifest;
        case Route::tags:
            return handle_tags;
        case Route::referrers:
            return handle_referrers;
        case Route::catalog:
            return handle_catalog;
        case Route::system_gc:
            return handle_system_gc;
        case Route::system_gc_blob:
            return handle_system_gc_blob;
        case Route::system_stats:
            return handle_system_stats;
        case Route::system_compaction:
            return handle_system_compaction;
        case Route::system_scrub:
            return handle_system_scrub;
        case Route::token:
            return handle_token;
        case Route::jwks:
            return handle_jwks;
        case Route::management:
            return handle_management;
        case Route::livez:
        case Route::readyz:
        case Route::startupz:
        case Route::metrics:
        case Route::none:
            break;
    }
    return nullptr;
}

// DIST-RATE-02, DIST-PING-07: not what belongs to an upload that is under way, not a manifest that ends a push, not ping.
bool is_rated(const Exchange& exchange) noexcept {
    const Method method = exchange.head.method;
    switch (exchange.match.route) {
        case Route::uploads:
            return method == Method::post;
        case Route::blob:
        case Route::manifest:
        case Route::tags:
        case Route::referrers:
        case Route::catalog:
            return method != Method::put;
        default:
            return false;
    }
}

// Nothing: ping and what operators ask for stay reachable whatever goes on.
std::optional<Admission::Share> share_of(const Exchange& exchange) noexcept {
    switch (exchange.match.route) {
        case Route::blob:
        case Route::manifest: {
            const Method method = exchange.head.method;
            return method == Method::get || method == Method::head ? Admission::Share::whole
                                                                   : Admission::Share::most;
        }
        case Route::uploads:
        case Route::upload:
        case Route::tags:
        case Route::referrers:
        case Route::catalog:
            return Admission::Share::most;
        default:
            return std::nullopt;
    }
}

Response too_many(std::string_view what, std::uint64_t wait_s) {
    auto response = error_response(429, "TOOMANYREQUESTS", what);
    response.headers.add("Retry-After", wait_s);
    return response;
}

std::string_view fault_message(Target::Fault fault) noexcept {
    switch (fault) {
        case Target::Fault::not_a_path:
            return "the target is not a path";
        case Target::Fault::bad_escape:
            return "the path has an escape that is none";
        default:
            return "the path has a segment that cannot be part of a name";
    }
}

}  // namespace

std::optional<Response> refuse_route(const Exchange& exchange) {
    if (exchange.target.fault != Target::Fault::none) {
        return error_response(400, "NAME_INVALID", fault_message(exchange.target.fault));
    }
    const Route route = exchange.match.route;
    if (route == Route::none)
        return error_response(404, "NAME_UNKNOWN", "there is nothing at this path");
    if (method_allowed(route, exchange.head.method)) return std::nullopt;
    auto response = error_response(405, "UNSUPPORTED", "the method is not offered here");
    response.headers.add("Allow", allowed_methods(route));
    return response;
}

// DIST-DEL-06. To give up an upload is no deletion (DIST-DEL-10).
std::optional<Response> RegistrySite::refuse_deletion(const Exchange& exchange) const {
    const Route route = exchange.match.route;
    if (services_.options.deletion || exchange.head.method != Method::delete_ ||
        (route != Route::manifest && route != Route::blob))
        return std::nullopt;
    auto response = error_response(405, "UNSUPPORTED", "deletion is switched off on this server");
    response.headers.add("Allow", route == Route::manifest ? "GET, HEAD, PUT" : "GET, HEAD");
    return response;
}

std::optional<Response> RegistrySite::refuse_rate(const Exchange& exchange,
                                                  std::optional<RateLimits::Pulls>& pulls) {
    if (!is_rated(exchange)) return std::nullopt;
    const auto now = clock_.steady_ns();
    if (const auto wait_s = rates_.request(exchange.client_address, now))
        return too_many("too many requests from this address", *wait_s);
    if (const auto& who = exchange.principal.name; !who.empty()) {
        if (const auto wait_s = principal_rates_.request(who, now))
            return too_many("too many requests of this account", *wait_s);
    }
    const Method method = exchange.head.method;
    if (!rates_.limits_pulls() || exchange.match.route != Route::manifest ||
        (method != Method::get && method != Method::head))
        return std::nullopt;
    pulls = rates_.pull(exchange.client_address, now, method == Method::get);
    if (!pulls->wait_s) return std::nullopt;
    auto response = too_many("no pulls are left to this address", *pulls->wait_s);
    tell_pulls(*pulls, response.headers);
    return response;
}

std::optional<Response> RegistrySite::refuse_overload(Exchange& exchange) {
    const auto share = share_of(exchange);
    if (!share) return std::nullopt;
    auto ticket = admission_.admit(*share);
    if (!ticket) return busy();
    exchange.ticket = std::move(*ticket);
    return std::nullopt;
}

// DIST-RATE-03, and DIST-WARN-03 when a tenth or less is left.
void RegistrySite::tell_pulls(const RateLimits::Pulls& pulls, Headers& headers) const {
    const auto window = ";w=" + std::to_string(rates_.window_s());
    headers.add("RateLimit-Limit", std::to_string(rates_.pulls_max()) + window);
    headers.add("RateLimit-Remaining", std::to_string(pulls.remaining) + window);
    if (pulls.remaining > rates_.pulls_max() / 10) return;
    headers.add_warning(std::to_string(pulls.remaining) + " of " +
                        std::to_string(rates_.pulls_max()) + " pulls are left to this address");
}

Awaitable<Response> RegistrySite::answer(Exchange& exchange) {
    return services_.audit == nullptr ? answer_asked(exchange) : answer_audited(exchange);
}

Awaitable<Response> RegistrySite::answer_audited(Exchange& exchange) {
    if (auto refused = services_.audit->refuse(exchange)) co_return std::move(*refused);
    auto response = co_await answer_asked(exchange);
    services_.audit->record(exchange, response);
    co_return response;
}

Awaitable<Response> RegistrySite::answer_asked(Exchange& exchange) {
    if (auto preflight = answer_preflight(services_.options.cors, exchange.head))
        co_return std::move(*preflight);
    if (auto refused = refuse_route(exchange)) co_return std::move(*refused);
    if (auto refused = refuse_deletion(exchange)) co_return std::move(*refused);
    const Handler handler = handler_of(exchange.match.route);
    std::optional<RateLimits::Pulls> pulls;
    // First: who is turned away here has not used up a pull.
    if (auto refused = refuse_overload(exchange)) co_return std::move(*refused);
    if (services_.authority != nullptr) {
        auto refused = co_await services_.authority->refuse(exchange);
        if (refused) co_return std::move(*refused);
    }
    if (auto refused = refuse_rate(exchange, pulls)) co_return std::move(*refused);
    auto response = co_await handler(services_, exchange);
    if (!exchange.ticket.hold(response.held_bytes())) co_return busy();
    if (pulls) tell_pulls(*pulls, response.headers);
    co_return response;
}

void RegistrySite::decorate(const Exchange& exchange, Headers& headers) const {
    headers.add("X-Content-Type-Options", "nosniff");
    allow_origin(services_.options.cors, exchange.head, headers);
    if (!is_registry_path(exchange.target)) return;
    headers.add("Docker-Distribution-API-Version", "registry/2.0");
    headers.add("Vary", "Authorization");
}

}  // namespace orbitalreg::frontend
