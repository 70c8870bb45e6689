#pragma once
// Connection is one TCP connection of a reactor, plain or with TLS: reading, writing, and the watch over its peer.
//
// Life     made by the listener at accept; its session reads and writes until it ends or the listener cuts it.
// Threads  the reactor it was accepted on, only.

#include "base/asio.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "net/peer_watch.h"
#include "net/read_buffer.h"
#include "net/tls_stream.h"

#include <boost/asio/ip/tcp.hpp>

#include <array>
#include <optional>
#include <string>

namespace orbitalreg::frontend {

class Connection {
public:
    // `tls` is null where plain HTTP is spoken.
    Connection(asio::ip::tcp::socket socket, std::string peer_address, const HttpTimes& times,
               Clock& clock, const SslContext& tls);
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    // Before anything else; nothing to do on a plain connection. Errc::tls_expected: the peer speaks plain HTTP, and so
    // does this connection from here on, to tell it.
    Awaitable<Result<void>> shake_hands();
    bool encrypted() const noexcept { return tls_.has_value(); }
    // Why the handshake failed; for logs.
    std::string_view handshake_trouble() const noexcept;

    // At least one byte into input(); 0 when the peer has ended its side.
    Awaitable<Result<std::size_t>> fill();
    // At least one byte of a body straight into `to`; 0 when the peer has ended its side. `to` outlives the call.
    Awaitable<Result<std::size_t>> read_body(MutableByteView to);
    // All of both, in this order, gathered into one write where the kernel takes it. The bytes outlive the call.
    Awaitable<Result<void>> write(ByteView first, ByteView second = {});

    ReadBuffer& input() noexcept { return input_; }
    const ReadBuffer& input() const noexcept { return input_; }
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
    Awaitable<Result<std::size_t>> read_some(MutableByteView to);
    Awaitable<Result<std::size_t>> write_some(ByteView first, ByteView second);
    // What the kernel takes of little without waiting.
    std::size_t write_at_once(ByteView first, ByteView second);

    asio::ip::tcp::socket socket_;
    std::optional<TlsStream> tls_;
    std::string peer_address_;
    Clock& clock_;
    PeerWatch watch_;
    ReadBuffer input_;
    bool at_once_ = false;
};

}  // namespace orbitalreg::frontend
