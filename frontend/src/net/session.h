#pragma once
// Session is the life of one connection: requests in order, one at a time, each read, answered and sent before the next is
// looked at. What is pipelined waits in the buffer and, beyond it, in the kernel (SEC-81).
//
//   header -> parse -> answer -> send -> (the rest of the body is dropped) -> header ...
//                                    `-> end sending -> drain -> closed

#include "base/asio.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "http/access_log.h"
#include "http/body_out.h"
#include "http/exchange.h"
#include "http/forwarded.h"
#include "net/connection.h"

#include <memory>
#include <optional>
#include <string>

namespace orbitalreg::frontend {

// What all sessions of a server share. Outlives them.
struct SessionEnvironment {
    Site& site;
    AccessLog& access_log;
    Clock& clock;
    Random& random;
    Log& log;
    const ForwardedRules& forwarded;
};

class Session {
public:
    // `tls`: what a connection with TLS proves itself with; null: plain HTTP. Outlives the session.
    Session(asio::ip::tcp::socket socket, std::string peer_address, SessionEnvironment& environment,
            TlsCredentials* tls);

    // Until the connection is of no further use. No exception leaves it.
    Awaitable<void> run();

    // From the listener, between two steps of run().
    bool idle() const noexcept { return connection_.watch().phase() == PeerWatch::Phase::idle; }
    std::int64_t idle_since_ns() const noexcept { return connection_.watch().phase_since_ns(); }
    // Cuts the connection when its peer is late.
    void check_deadline(std::int64_t now_ns) noexcept;
    // No request after the one in hand. A connection without one is closed, when it has been idle for a while.
    void begin_stop(std::int64_t now_ns) noexcept;
    // From an idle session only: makes room for others.
    void close_idle() noexcept { connection_.close(); }
    void cut() noexcept { connection_.cut(); }
    const std::string& peer_address() const noexcept { return connection_.peer_address(); }

private:
    struct Turn;

    Awaitable<bool> shake_hands();
    Awaitable<bool> serve_one();
    Awaitable<std::optional<FramingFault>> receive_header(HeaderScanner& scanner);
    Awaitable<bool> answer(Turn& turn);
    Awaitable<bool> refuse(const FramingFault& fault, const RequestHead& head);
    Awaitable<bool> send(Turn& turn, Response response);
    Awaitable<void> end_with_drain(bool peer_is_sending);

    // Nothing of a request is here, the first one or a later one.
    bool waits_for_request() const noexcept;
    std::int64_t idle_while_stopping_ns() const noexcept;
    bool keeps_alive(const Turn& turn, const Response& response) const noexcept;
    std::string render_head(const Turn& turn, const Response& response, bool keep_alive) const;
    void record(const Turn& turn, unsigned status, const SendOutcome& outcome);

    SessionEnvironment& environment_;
    TlsCredentials* tls_;
    Connection connection_;
    bool first_request_ = true;
    bool stopping_ = false;
};

}  // namespace orbitalreg::frontend
