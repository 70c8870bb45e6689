#pragma once
// Connection is one TCP connection of a reactor: reading, writing, and the watch over its peer.
//
// Life     made by the listener at accept; its session reads and writes until it ends or the listener cuts it.
// Threads  the reactor it was accepted on, only.

#include "base/asio.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "net/peer_watch.h"
#include "net/read_buffer.h"

#include <boost/asio/ip/tcp.hpp>

#include <array>
#include <string>

namespace orbitalreg::frontend {

class Connection {
public:
    Connection(asio::ip::tcp::socket socket, std::string peer_address, const HttpTimes& times,
               Clock& clock);
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    // At least one byte into input(); 0 when the peer has ended its side.
    Awaitable<Result<std::size_t>> fill();
    // At least one byte of a body straight into `to`; 0 when the peer has ended its side. `to` outlives the call.
    Awaitable<Result<std::size_t>> read_body(MutableByteView to);
    // All of both, in this order, gathered into one write where the kernel takes it. The bytes outlive the call.
    Awaitable<Result<void>> write(ByteView first, ByteView second = {});

    ReadBuffer& input() noexcept { return input_; }
    PeerWatch& watch() noexcept { return watch_; }
    const PeerWatch& watch() const noexcept { return watch_; }
    const std::string& peer_address() const noexcept { return peer_address_; }
    std::int64_t now_ns() const noexcept { return clock_.steady_ns(); }
    bool open() const noexcept { return socket_.is_open(); }

    // No more bytes from us: the peer sees the end after what was written.
    void end_sending() noexcept;
    void close() noexcept;
    // A reset: no peer takes what it got for a complete answer (REL-10).
    void cut() noexcept;

private:
    asio::ip::tcp::socket socket_;
    std::string peer_address_;
    Clock& clock_;
    PeerWatch watch_;
    ReadBuffer input_;
};

}  // namespace orbitalreg::frontend
