#pragma once
// Server speaks HTTP for a registry: one listener a reactor on the main address, one listener for health and metrics on the
// admin address.
//
// Life     load_tls() -> listen() -> start() -> begin_stop() -> (cut_all()) -> drained() -> stop_admin() -> finished() ->
//          destroyed. The reactors run until then.
// Threads  listen() and start() once, from one thread, while no request runs; load_tls() from one at a time; the rest
//          from any.
// Limits   ServerOptions.

#include "base/asio.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/result.h"
#include "frontend/options.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace orbitalreg::engine {
class AccessControl;
class Registry;
class Retention;
class Upkeep;
}  // namespace orbitalreg::engine

namespace orbitalreg::frontend {

class AuditLog;

// One part of the server, for /readyz?verbose.
struct HealthComponent {
    std::string name;
    bool ready = true;
    std::string detail;
};

struct ServerEnvironment {
    engine::Registry& registry;
    engine::Upkeep& upkeep;
    engine::AccessControl& access;
    // One executor a reactor, each run by one thread.
    std::vector<asio::any_io_executor> reactors;
    Clock& clock;
    Random& random;
    Log& log;
    Metrics& metrics;
    // Asked by /readyz, on a reactor; must not block.
    std::function<std::vector<HealthComponent>()> health;
    // For what may block: queries of the audit log.
    asio::any_io_executor background;
    AuditLog* audit = nullptr;               // null: nothing is recorded
    engine::Retention* retention = nullptr;  // null: not offered
};

class Server {
public:
    Server(ServerEnvironment environment, ServerOptions options);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    // Reads certificate and key, at start where ServerOptions::tls is enabled and again at any time: connections that are
    // open keep theirs. What is wrong with the files, or nothing; with a fault, what was in use stays in use.
    std::string load_tls(const TlsOptions& tls);
    // With ServerOptions::auth: reads the keys that sign tokens, makes the first one. What is wrong, or nothing. Before listen().
    std::string open_auth();
    // Takes the keys that sign tokens as far as their time has come; now and then. What went wrong, or nothing.
    std::string tend_keys();
    // Binds the addresses. The kernel's error when one is taken, Errc::address_invalid.
    Result<void> listen();
    // Where it listens, a port of 0 replaced by the real one. Empty: no admin listener, no TLS. TLS on the main address: both
    // are the same.
    const std::string& address() const noexcept;
    const std::string& tls_address() const noexcept;
    const std::string& admin_address() const noexcept;
    // The address whose listen() failed.
    const std::string& failed_address() const noexcept;

    void start();
    // /readyz fails, nobody new is accepted, the others end with the request they are in, and who is
    // idle may send one more within HttpTimes::idle_while_stopping (REL-26). The
    // admin address goes on answering, so that who asks is told what happens.
    void begin_stop();
    // Resets what is left of the main address.
    void cut_all();
    // No connection but those to the admin address is left.
    bool drained() const noexcept;
    void stop_admin();
    bool finished() const noexcept;

private:
    struct Rooms;
    std::unique_ptr<Rooms> rooms_;
};

// What is wrong with the files of `tls`, or nothing.
std::string check_tls(const TlsOptions& tls);

// Whether an address is one that only this machine reaches. Errc::address_invalid.
Result<bool> is_loopback(const std::string& address);

}  // namespace orbitalreg::frontend
