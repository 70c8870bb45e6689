#include "net/listener.h"

#include "base/errors.h"
#include "frontend/errors.h"
#include "http/ascii.h"

#include <boost/asio/ip/v6_only.hpp>

#include <algorithm>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <utility>

namespace orbitalreg::frontend {
namespace {

using tcp = asio::ip::tcp;

constexpr auto kResume = asio::as_tuple(asio::use_awaitable);
constexpr int kBacklog = 1024;
constexpr int kUnsentBytesMax = 256 * 1024;
// How long accepting pauses when descriptors have run out; others end meanwhile.
constexpr std::chrono::milliseconds kShortagePause{100};

bool is_shortage(const ErrorCode& ec) noexcept {
    return ec == boost::system::errc::too_many_files_open ||
           ec == boost::system::errc::too_many_files_open_in_system ||
           ec == boost::system::errc::no_buffer_space ||
           ec == boost::system::errc::not_enough_memory;
}

int open_reserve() noexcept { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

// What the kernel keeps for a peer that does not read; where it is not taken, the socket's buffer is the limit.
void limit_unsent(int fd) noexcept {
    const int bytes = kUnsentBytesMax;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof bytes);
}

Result<void> set_reuse_port(int fd) noexcept {
    const int on = 1;
    if (::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0)
        return fail(errno_code(errno));
    return ok();
}

}  // namespace

Result<tcp::endpoint> parse_endpoint(std::string_view address) {
    const auto colon = address.rfind(':');
    if (colon == std::string_view::npos) return fail(Errc::address_invalid);
    auto host = address.substr(0, colon);
    const auto port = parse_decimal(address.substr(colon + 1));
    if (!port || *port > 65535) return fail(Errc::address_invalid);
    if (host.size() >= 2 && host.front() == '[' && host.back() == ']')
        host = host.substr(1, host.size() - 2);
    if (host == "localhost") host = "127.0.0.1";
    ErrorCode ec;
    const auto ip = asio::ip::make_address(std::string{host}, ec);
    if (ec) return fail(Errc::address_invalid);
    return tcp::endpoint{ip, static_cast<std::uint16_t>(*port)};
}

std::string to_string(const tcp::endpoint& endpoint) {
    const auto ip = endpoint.address();
    const auto host = ip.is_v6() ? '[' + ip.to_string() + ']' : ip.to_string();
    return host + ':' + std::to_string(endpoint.port());
}

Listener::Listener(asio::any_io_executor executor, SessionEnvironment& environment,
                   ConnectionLimits& limits, TlsCredentials* tls)
    : executor_{executor},
      environment_{environment},
      limits_{limits},
      tls_{tls},
      acceptor_{executor},
      tick_{executor},
      pause_{executor},
      reserve_{open_reserve()} {}

Result<void> Listener::bind(const tcp::endpoint& endpoint, bool shared_port) {
    ErrorCode ec;
    acceptor_.open(endpoint.protocol(), ec);
    if (ec) return fail(ec);
    acceptor_.set_option(tcp::acceptor::reuse_address{true}, ec);
    if (!ec && endpoint.address().is_v6()) acceptor_.set_option(asio::ip::v6_only{false}, ec);
    if (ec) return fail(ec);
    if (shared_port) {
        ORB_TRY(set_reuse_port(acceptor_.native_handle()));
    }
    acceptor_.bind(endpoint, ec);
    if (!ec) acceptor_.listen(kBacklog, ec);
    if (ec) return fail(ec);
    return ok();
}

Result<tcp::endpoint> Listener::local_endpoint() const {
    ErrorCode ec;
    const auto endpoint = acceptor_.local_endpoint(ec);
    if (ec) return fail(ec);
    return endpoint;
}

void Listener::start() {
    running_.fetch_add(2, std::memory_order_acq_rel);
    asio::co_spawn(executor_, accept_loop(this), asio::detached);
    asio::co_spawn(executor_, watch_loop(this), asio::detached);
}

void Listener::begin_stop() {
    asio::post(executor_, [this] { stop_here(); });
}

void Listener::cut_all() {
    asio::post(executor_, [this] { cut_here(); });
}

// Who has been connected by the kernel and waits to be accepted: closing the listener would reset them.
void Listener::take_waiting() {
    ErrorCode ec;
    acceptor_.non_blocking(true, ec);
    for (int i = 0; i < kBacklog && !ec; ++i) {
        tcp::socket socket{executor_};
        acceptor_.accept(socket, ec);
        if (!ec) take(std::move(socket));
    }
}

void Listener::stop_here() {
    take_waiting();
    stopping_ = true;
    ErrorCode ignored;
    acceptor_.close(ignored);
    pause_.cancel();
    const auto now = environment_.clock.steady_ns();
    for (Session& session : sessions_) session.begin_stop(now);
    if (sessions_.empty()) tick_.cancel();
}

void Listener::cut_here() {
    for (Session& session : sessions_) session.cut();
}

Awaitable<void> Listener::accept_loop(Listener* self) {
    while (!self->stopping_) {
        auto [ec, socket] = co_await self->acceptor_.async_accept(kResume);
        if (!ec) {
            self->take(std::move(socket));
            // Each wait comes behind all that the connections have to do: a crowd would be let in one at a time.
            self->take_waiting();
        } else if (is_shortage(ec)) {
            co_await self->wait_out_shortage();
        }
        // Anything else is the newcomer's own trouble, or the end.
    }
    self->ended();
}

// The reserve descriptor lets one connection in, only to close it: a newcomer is told no instead of being left to wait.
Awaitable<void> Listener::wait_out_shortage() {
    environment_.log.warn("out of file descriptors or socket memory: accepting pauses", {});
    reserve_.reset();
    ErrorCode ignored;
    acceptor_.non_blocking(true, ignored);
    UniqueFd turned_away{
        ::accept4(acceptor_.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
    turned_away.reset();
    reserve_ = UniqueFd{open_reserve()};
    pause_.expires_after(kShortagePause);
    co_await pause_.async_wait(kResume);
}

// Room for a newcomer: when the server is full, the connection that has been idle longest goes (SEC-80).
bool Listener::make_room(const std::string& address) {
    const auto verdict = limits_.admit(address, !environment_.forwarded.trusts(address));
    if (verdict == ConnectionLimits::Verdict::admitted) return true;
    if (verdict == ConnectionLimits::Verdict::address_full) return false;
    Session* oldest = nullptr;
    for (Session& session : sessions_) {
        if (!session.idle()) continue;
        if (oldest == nullptr || session.idle_since_ns() < oldest->idle_since_ns())
            oldest = &session;
    }
    // The place is free once its coroutine has ended; the newcomer, refused now, finds it when it tries again.
    if (oldest != nullptr) oldest->close_idle();
    return false;
}

void Listener::take(tcp::socket socket) {
    ErrorCode ec;
    const auto peer = socket.remote_endpoint(ec);
    if (ec || stopping_) return;
    auto address = peer.address().to_string();
    if (!make_room(address)) return;
    socket.set_option(tcp::no_delay{true}, ec);
    limit_unsent(socket.native_handle());
    running_.fetch_add(1, std::memory_order_acq_rel);
    sessions_.emplace_back(std::move(socket), std::move(address), environment_, tls_);
    asio::co_spawn(executor_, run_session(this, std::prev(sessions_.end())), asio::detached);
}

Awaitable<void> Listener::run_session(Listener* self, Sessions::iterator session) {
    co_await session->run();
    self->limits_.release(session->peer_address());
    self->sessions_.erase(session);
    if (self->stopping_ && self->sessions_.empty()) self->tick_.cancel();
    self->ended();
}

// Looks at every connection once a tick: cheaper than a timer for each, and late by one tick at most.
Awaitable<void> Listener::watch_loop(Listener* self) {
    while (!self->stopping_ || !self->sessions_.empty()) {
        self->tick_.expires_after(self->environment_.site.options().times.tick);
        co_await self->tick_.async_wait(kResume);
        const auto now = self->environment_.clock.steady_ns();
        for (Session& session : self->sessions_) session.check_deadline(now);
    }
    self->ended();
}

}  // namespace orbitalreg::frontend
