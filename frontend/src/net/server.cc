#include "frontend/server.h"

#include "audit/audit_trail.h"
#include "auth/authority.h"
#include "engine/registry.h"
#include "handlers/admin_site.h"
#include "handlers/registry_site.h"
#include "net/listener.h"
#include "net/tls_credentials.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <utility>

namespace orbitalreg::frontend {
namespace {

using tcp = asio::ip::tcp;

// Health checks and a few scrapers; whoever floods this one cannot keep the others out of the main listener.
constexpr std::uint32_t kAdminConnectionsMax = 64;

std::unique_ptr<Authority> make_authority(ServerEnvironment& environment,
                                          const ServerOptions& options) {
    if (!options.auth.on) return nullptr;
    return std::make_unique<Authority>(
        AuthorityEnvironment{environment.access, environment.clock, environment.random,
                             environment.log, environment.metrics},
        options.auth, options.oidc, options.external_url);
}

}  // namespace

struct Server::Rooms {
    ServerEnvironment environment;
    ServerOptions options;
    std::string address;
    std::string tls_address;
    std::string admin_address;
    std::string failed_address;

    ForwardedRules forwarded;
    AccessLog access_log;
    AccessLog admin_log;                   // its requests are counted, not logged
    std::unique_ptr<Authority> authority;  // null: auth.mode none
    std::optional<AuditTrail> audit;       // nothing: nothing is recorded
    RegistrySite registry_site;
    AdminSite admin_site;
    asio::cancellation_signal stop_keeping;  // of the keys of identity providers
    SessionEnvironment registry_sessions;
    SessionEnvironment admin_sessions;
    ConnectionLimits limits;
    ConnectionLimits admin_limits;
    TlsCredentials credentials;
    std::vector<std::unique_ptr<Listener>> listeners;
    std::unique_ptr<Listener> admin_listener;  // null: none is wanted

    Rooms(ServerEnvironment given, ServerOptions chosen)
        : environment{std::move(given)},
          options{std::move(chosen)},
          forwarded{options.trusted_proxies},
          access_log{environment.log, environment.metrics},
          admin_log{null_log(), environment.metrics},
          authority{make_authority(environment, options)},
          registry_site{environment.registry, environment.upkeep, options,
                        environment.random,   environment.clock,  environment.metrics,
                        environment.access,   authority.get(),    environment.background},
          admin_site{options, environment.metrics, environment.health},
          registry_sessions{registry_site,      access_log,      environment.clock,
                            environment.random, environment.log, forwarded},
          admin_sessions{admin_site,         admin_log,       environment.clock,
                         environment.random, environment.log, forwarded},
          limits{options.limits.connections, options.limits.connections_per_address},
          admin_limits{kAdminConnectionsMax, kAdminConnectionsMax},
          credentials{environment.metrics} {
        if (environment.audit != nullptr) {
            audit.emplace(*environment.audit, options.audit);
            registry_site.record_in(*audit);
        }
        if (environment.retention != nullptr) registry_site.offer(*environment.retention);
        environment.metrics.gauge_function("http_connections",
                                           "Connections open on the main listener.", {},
                                           [this] { return static_cast<double>(limits.open()); });
    }

    Result<std::string> listen_at(const std::string& where, TlsCredentials* tls);
    Result<void> listen_admin();
};

// SO_REUSEPORT would let a second server of the same user share our port without a word: a socket without it finds out
// first whether the port is free, and chooses one where none was asked for.
Result<std::string> Server::Rooms::listen_at(const std::string& where, TlsCredentials* tls) {
    failed_address = where;
    ORB_TRY(auto endpoint, parse_endpoint(where));
    {
        Listener probe{environment.reactors.front(), registry_sessions, limits};
        ORB_TRY(probe.bind(endpoint, false));
        ORB_TRY(endpoint, probe.local_endpoint());
    }
    for (const auto& reactor : environment.reactors) {
        auto listener = std::make_unique<Listener>(reactor, registry_sessions, limits, tls);
        ORB_TRY(listener->bind(endpoint, true));
        listeners.push_back(std::move(listener));
    }
    return to_string(endpoint);
}

Result<void> Server::Rooms::listen_admin() {
    if (options.admin_address.empty()) return ok();
    failed_address = options.admin_address;
    ORB_TRY(const auto endpoint, parse_endpoint(options.admin_address));
    auto listener =
        std::make_unique<Listener>(environment.reactors.front(), admin_sessions, admin_limits);
    ORB_TRY(listener->bind(endpoint, false));
    ORB_TRY(const auto bound, listener->local_endpoint());
    admin_address = to_string(bound);
    admin_listener = std::move(listener);
    return ok();
}

Server::Server(ServerEnvironment environment, ServerOptions options)
    : rooms_{std::make_unique<Rooms>(std::move(environment), std::move(options))} {}

Server::~Server() = default;

Result<void> Server::listen() {
    const auto& options = rooms_->options;
    TlsCredentials* tls = options.tls.enabled() ? &rooms_->credentials : nullptr;
    const bool beside = tls != nullptr && !options.tls.address.empty();
    ORB_TRY(rooms_->address, rooms_->listen_at(options.address, beside ? nullptr : tls));
    if (beside) {
        ORB_TRY(rooms_->tls_address, rooms_->listen_at(options.tls.address, tls));
    } else if (tls != nullptr) {
        rooms_->tls_address = rooms_->address;
    }
    ORB_TRY(rooms_->listen_admin());
    rooms_->failed_address.clear();
    return ok();
}

std::string Server::open_auth() {
    return rooms_->authority ? rooms_->authority->open() : std::string{};
}

std::string Server::tend_keys() {
    std::string trouble;
    if (rooms_->authority) rooms_->authority->keys().advance(trouble);
    return trouble;
}

std::string Server::load_tls(const TlsOptions& tls) { return rooms_->credentials.load(tls); }

const std::string& Server::address() const noexcept { return rooms_->address; }
const std::string& Server::tls_address() const noexcept { return rooms_->tls_address; }
const std::string& Server::admin_address() const noexcept { return rooms_->admin_address; }
const std::string& Server::failed_address() const noexcept { return rooms_->failed_address; }

void Server::start() {
    if (rooms_->authority && !rooms_->authority->federation().empty()) {
        asio::co_spawn(rooms_->environment.reactors.front(),
                       rooms_->authority->federation().keep_fresh(),
                       asio::bind_cancellation_slot(rooms_->stop_keeping.slot(), asio::detached));
    }
    for (const auto& listener : rooms_->listeners) listener->start();
    if (rooms_->admin_listener) rooms_->admin_listener->start();
}

void Server::begin_stop() {
    asio::post(rooms_->environment.reactors.front(), [rooms = rooms_.get()] {
        rooms->stop_keeping.emit(asio::cancellation_type::terminal);
    });
    rooms_->admin_site.begin_stop();
    for (const auto& listener : rooms_->listeners) listener->begin_stop();
}

void Server::cut_all() {
    for (const auto& listener : rooms_->listeners) listener->cut_all();
}

void Server::stop_admin() {
    if (!rooms_->admin_listener) return;
    rooms_->admin_listener->begin_stop();
    rooms_->admin_listener->cut_all();
}

bool Server::drained() const noexcept {
    return std::all_of(rooms_->listeners.begin(), rooms_->listeners.end(),
                       [](const auto& listener) { return listener->finished(); });
}

bool Server::finished() const noexcept {
    return drained() && (!rooms_->admin_listener || rooms_->admin_listener->finished());
}

Result<bool> is_loopback(const std::string& address) {
    ORB_TRY(const auto endpoint, parse_endpoint(address));
    return endpoint.address().is_loopback();
}

}  // namespace orbitalreg::frontend
