#include "net/connection.h"

#include "frontend/errors.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>

#include <utility>

namespace orbitalreg::frontend {
namespace {

constexpr auto kResume = asio::as_tuple(asio::use_awaitable);
// So little goes out at once where the peer takes it; more waits for its turn, so that no connection keeps a thread to itself.
constexpr std::size_t kAtOnceMax = 32_KiB;

std::array<asio::const_buffer, 2> both(ByteView first, ByteView second) {
    return {asio::buffer(first.data(), first.size()), asio::buffer(second.data(), second.size())};
}

}  // namespace

Connection::Connection(asio::ip::tcp::socket socket, std::string peer_address,
                       const HttpTimes& times, Clock& clock, const SslContext& tls)
    : socket_{std::move(socket)},
      peer_address_{std::move(peer_address)},
      clock_{clock},
      watch_{times} {
    ErrorCode ec;
    socket_.non_blocking(true, ec);
    at_once_ = !ec;
    if (tls) tls_.emplace(tls, socket_);
    watch_.enter(tls ? PeerWatch::Phase::handshake : PeerWatch::Phase::header, now_ns());
}

Awaitable<Result<void>> Connection::shake_hands() {
    if (!tls_) co_return ok();
    auto shaken = co_await tls_->handshake();
    if (!shaken && shaken.error() == Errc::tls_expected) tls_.reset();
    co_return shaken;
}

std::string_view Connection::handshake_trouble() const noexcept {
    return tls_ ? std::string_view{tls_->why()} : std::string_view{};
}

Awaitable<Result<std::size_t>> Connection::read_some(MutableByteView to) {
    if (tls_) co_return co_await tls_->read_some(to);
    auto [ec, size] = co_await socket_.async_read_some(asio::buffer(to.data(), to.size()), kResume);
    if (ec == asio::error::eof) co_return std::size_t{0};
    if (ec) co_return fail(ec);
    co_return size;
}

Awaitable<Result<std::size_t>> Connection::write_some(ByteView first, ByteView second) {
    if (tls_) co_return co_await tls_->write_some(first, second);
    auto [ec, size] = co_await socket_.async_write_some(both(first, second), kResume);
    if (ec) co_return fail(ec);
    co_return size;
}

Awaitable<Result<std::size_t>> Connection::fill() {
    const auto to = input_.room(1);
    ORB_CO_TRY(const auto size, co_await read_some(to));
    input_.filled(size);
    co_return size;
}

Awaitable<Result<std::size_t>> Connection::read_body(MutableByteView to) {
    watch_.begin_wait(PeerWatch::Phase::body, now_ns());
    auto size = co_await read_some(to);
    watch_.end_wait(now_ns(), size ? size.value() : 0);
    co_return size;
}

std::size_t Connection::write_at_once(ByteView first, ByteView second) {
    if (!at_once_ || tls_ || first.size() + second.size() > kAtOnceMax) return 0;
    ErrorCode later;  // whoever waits for the rest is told
    return socket_.write_some(both(first, second), later);
}

Awaitable<Result<void>> Connection::write(ByteView first, ByteView second) {
    for (std::size_t written = write_at_once(first, second);;) {
        const auto of_first = std::min(written, first.size());
        first = first.subspan(of_first);
        second = second.subspan(written - of_first);
        if (first.empty() && second.empty()) co_return ok();
        watch_.begin_wait(PeerWatch::Phase::response, now_ns());
        auto size = co_await write_some(first, second);
        watch_.end_wait(now_ns(), size ? size.value() : 0);
        if (!size) co_return fail(size.error());
        written = size.value();
    }
}

void Connection::end_sending() noexcept {
    if (tls_) tls_->end_sending();
    ErrorCode ignored;
    socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
}

void Connection::close() noexcept {
    if (tls_) tls_->end_sending();
    ErrorCode ignored;
    socket_.close(ignored);
}

void Connection::cut() noexcept {
    ErrorCode ignored;
    socket_.set_option(asio::socket_base::linger{true, 0}, ignored);
    socket_.close(ignored);
}

}  // namespace orbitalreg::frontend
