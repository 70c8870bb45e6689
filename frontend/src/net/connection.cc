#include "net/connection.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>

#include <utility>

namespace orbitalreg::frontend {
namespace {

constexpr auto kResume = asio::as_tuple(asio::use_awaitable);

// Both parts without their first `done` bytes.
std::array<asio::const_buffer, 2> rest(ByteView first, ByteView second, std::size_t done) {
    const auto skip_first = std::min(done, first.size());
    const auto skip_second = std::min(done - skip_first, second.size());
    return {asio::const_buffer{first.data() + skip_first, first.size() - skip_first},
            asio::const_buffer{second.data() + skip_second, second.size() - skip_second}};
}

}  // namespace

Connection::Connection(asio::ip::tcp::socket socket, std::string peer_address,
                       const HttpTimes& times, Clock& clock)
    : socket_{std::move(socket)},
      peer_address_{std::move(peer_address)},
      clock_{clock},
      watch_{times} {
    watch_.enter(PeerWatch::Phase::header, now_ns());
}

Awaitable<Result<std::size_t>> Connection::fill() {
    const auto to = input_.room(1);
    auto [ec, size] = co_await socket_.async_read_some(asio::buffer(to.data(), to.size()), kResume);
    if (ec == asio::error::eof) co_return std::size_t{0};
    if (ec) co_return fail(ec);
    input_.filled(size);
    co_return size;
}

Awaitable<Result<std::size_t>> Connection::read_body(MutableByteView to) {
    watch_.begin_wait(PeerWatch::Phase::body, now_ns());
    auto [ec, size] = co_await socket_.async_read_some(asio::buffer(to.data(), to.size()), kResume);
    watch_.end_wait(now_ns(), size);
    if (ec == asio::error::eof) co_return std::size_t{0};
    if (ec) co_return fail(ec);
    co_return size;
}

Awaitable<Result<void>> Connection::write(ByteView first, ByteView second) {
    const std::size_t size_all = first.size() + second.size();
    std::size_t done = 0;
    while (done < size_all) {
        const auto buffers = rest(first, second, done);
        watch_.begin_wait(PeerWatch::Phase::response, now_ns());
        auto [ec, size] = co_await socket_.async_write_some(buffers, kResume);
        watch_.end_wait(now_ns(), size);
        if (ec) co_return fail(ec);
        done += size;
    }
    co_return ok();
}

void Connection::end_sending() noexcept {
    ErrorCode ignored;
    socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
}

void Connection::close() noexcept {
    ErrorCode ignored;
    socket_.close(ignored);
}

void Connection::cut() noexcept {
    ErrorCode ignored;
    socket_.set_option(asio::socket_base::linger{true, 0}, ignored);
    socket_.close(ignored);
}

}  // namespace orbitalreg::frontend
