#pragma once
// BodyIn is the body of one request, pulled by whoever wants it, straight from the socket into the caller's buffer. What
// nobody asks for stays in the kernel: that is the back-pressure. The first read answers `Expect: 100-continue`, so a
// handler that refuses before it reads refuses before the body is sent (SEC-79, DIST-HTTP-02).
//
// Threads  the connection's reactor.
// Limits   limit(): one byte more fails with Errc::body_too_large.

#include "base/asio.h"
#include "base/bytes.h"
#include "base/result.h"
#include "net/chunked_decoder.h"
#include "net/connection.h"
#include "net/framing_guard.h"

#include <cstdint>
#include <limits>
#include <optional>

namespace orbitalreg::frontend {

class BodyIn {
public:
    BodyIn(Connection& connection, const Framing& framing, const HttpLimits& limits) noexcept;

    // Of the whole body; nothing when it is chunked.
    std::optional<std::uint64_t> declared_size() const noexcept;
    std::uint64_t received() const noexcept { return received_; }
    bool finished() const noexcept { return finished_; }
    // The peer waits for a 100 that was never sent.
    bool unanswered_expectation() const noexcept { return expect_ && !finished_; }
    void limit(std::uint64_t bytes) noexcept { limit_ = bytes; }

    // At least one byte of the body into `to`, which outlives the call; 0 at its end. Errc::peer_closed,
    // body_malformed, body_too_large, or the connection's error.
    Awaitable<Result<std::size_t>> read_some(MutableByteView to);
    // Reads what is left and forgets it, at most `bytes_max`; whether the end was reached.
    Awaitable<Result<bool>> discard(std::uint64_t bytes_max);

private:
    Awaitable<Result<std::size_t>> read_counted(MutableByteView to);
    Awaitable<Result<std::size_t>> read_chunked(MutableByteView to);
    Awaitable<Result<std::size_t>> receive(MutableByteView to);

    Connection& connection_;
    ChunkedDecoder decoder_;
    bool chunked_;
    bool expect_;
    bool finished_;
    std::uint64_t size_;  // declared; of a body with a Content-Length
    std::uint64_t received_ = 0;
    std::uint64_t limit_ = std::numeric_limits<std::uint64_t>::max();
};

}  // namespace orbitalreg::frontend
