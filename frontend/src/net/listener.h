#pragma once
// Listener accepts connections on one reactor and keeps their sessions. Each reactor has one of its own for the same
// address (SO_REUSEPORT), so that a connection lives on the thread that accepted it.
//
// Life     bind() -> start() -> begin_stop() -> (cut_all()) -> finished(): only then may it be destroyed.
// Threads  bind() and finished() from any; start(), begin_stop() and cut_all() post to the reactor.
// Limits   ConnectionLimits. Out of descriptors it pauses, and one kept in reserve turns the newcomer away (REL-29).

#include "base/unique_fd.h"
#include "net/connection_limits.h"
#include "net/session.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <list>

namespace orbitalreg::frontend {

class Listener {
public:
    Listener(asio::any_io_executor executor, SessionEnvironment& environment,
             ConnectionLimits& limits, TlsCredentials* tls = nullptr);

    Result<void> bind(const asio::ip::tcp::endpoint& endpoint, bool shared_port);
    Result<asio::ip::tcp::endpoint> local_endpoint() const;

    void start();
    void begin_stop();
    void cut_all();
    // Nothing of it runs any more.
    bool finished() const noexcept { return running_.load(std::memory_order_acquire) == 0; }

private:
    using Sessions = std::list<Session>;

    static Awaitable<void> accept_loop(Listener* self);
    static Awaitable<void> watch_loop(Listener* self);
    static Awaitable<void> run_session(Listener* self, Sessions::iterator session);

    Awaitable<void> wait_out_shortage();
    void take(asio::ip::tcp::socket socket);
    bool make_room(const std::string& address);
    void take_waiting();
    void stop_here();
    void cut_here();
    void ended() noexcept { running_.fetch_sub(1, std::memory_order_acq_rel); }

    asio::any_io_executor executor_;
    SessionEnvironment& environment_;
    ConnectionLimits& limits_;
    TlsCredentials* tls_;  // null: plain HTTP
    asio::ip::tcp::acceptor acceptor_;
    asio::steady_timer tick_;
    asio::steady_timer pause_;
    Sessions sessions_;
    UniqueFd reserve_;
    bool stopping_ = false;
    std::atomic<std::size_t> running_{0};  // loops and sessions
};

// `host:port` with an IP literal, IPv6 in brackets. Errc::address_invalid.
Result<asio::ip::tcp::endpoint> parse_endpoint(std::string_view address);
std::string to_string(const asio::ip::tcp::endpoint& endpoint);

}  // namespace orbitalreg::frontend
