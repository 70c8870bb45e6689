#pragma once
// TlsStream speaks TLS over a connected socket, for the side that was called. OpenSSL reads and writes the socket itself,
// without a buffer of ours between them; where it would wait, the reactor waits.
//
// Life     of its Connection, and after the socket: the socket is not touched once it is closed.
// Threads  the reactor of its connection, only; one read or one write at a time.
// Errors   the kernel's; Errc::tls_failed for what a peer did against the protocol, with why() in words.

#include "base/asio.h"
#include "base/bytes.h"
#include "base/result.h"
#include "net/tls_credentials.h"

#include <boost/asio/ip/tcp.hpp>

#include <memory>
#include <string>

namespace orbitalreg::frontend {

class TlsStream {
public:
    TlsStream(const SslContext& context, asio::ip::tcp::socket& socket);

    // Errc::tls_expected: the peer's first bytes were plain HTTP.
    Awaitable<Result<void>> handshake();
    // At least one byte; 0 when the peer has ended its side.
    Awaitable<Result<std::size_t>> read_some(MutableByteView to);
    // At least one byte of both, in this order; the same bytes again after an error are not sent twice.
    Awaitable<Result<std::size_t>> write_some(ByteView first, ByteView second);
    // Tells the peer that nothing follows, as far as the socket takes it at once.
    void end_sending() noexcept;

    // Why the last operation failed; for logs.
    const std::string& why() const noexcept { return why_; }

private:
    enum class Step : std::uint8_t { done, ended, wants_read, wants_write, failed };

    Step judge(int returned);
    Awaitable<Result<void>> wait_for(Step step);
    Step try_write(ByteView first, ByteView second, std::size_t& size);
    Step try_read(MutableByteView to, std::size_t& size);

    asio::ip::tcp::socket& socket_;
    std::unique_ptr<SSL, void (*)(SSL*)> ssl_;
    ErrorCode error_;
    std::string why_;
    bool usable_ = true;  // false after a fatal error: OpenSSL is not asked again
};

}  // namespace orbitalreg::frontend
