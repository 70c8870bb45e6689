#pragma once
// PeerWatch knows what a connection is waiting for and until when. It is arithmetic over a clock that others read: the
// listener asks expired() of every connection once a tick, which costs less than a timer for each.
//
//   phase      ends after
//   handshake  HttpTimes::handshake from accept, where TLS is spoken
//   idle       HttpTimes::idle without the first byte of a request
//   header     HttpTimes::header from its first byte (or from accept) to its last
//   body       less than rate_min over body_window of waiting for the peer's bytes
//   response   less than rate_min over response_window of waiting for the peer to take bytes
//   drain      HttpTimes::drain
//   working    never: we are what the peer waits for

#include "frontend/options.h"

#include <cstdint>

namespace orbitalreg::frontend {

// RateWindow asks whether bytes come fast enough while we wait for them; the time we take ourselves does not count.
class RateWindow {
public:
    RateWindow(std::int64_t window_ns, std::uint64_t rate_min) noexcept;
    void reset() noexcept;
    void begin_wait(std::int64_t now_ns) noexcept { wait_since_ns_ = now_ns; }
    void end_wait(std::int64_t now_ns, std::uint64_t bytes) noexcept;
    bool too_slow(std::int64_t now_ns) const noexcept;

private:
    std::int64_t window_ns_;
    std::uint64_t bytes_min_;
    std::int64_t waited_ns_ = 0;
    std::int64_t wait_since_ns_ = -1;
    std::uint64_t bytes_ = 0;
};

class PeerWatch {
public:
    enum class Phase : std::uint8_t { handshake, idle, header, working, body, response, drain };

    explicit PeerWatch(const HttpTimes& times) noexcept;

    Phase phase() const noexcept { return phase_; }
    std::int64_t phase_since_ns() const noexcept { return since_ns_; }
    void enter(Phase phase, std::int64_t now_ns) noexcept;
    // A new request: its rates are its own.
    void begin_request() noexcept;
    // Around each wait for the peer's bytes in `body` or for room in `response`.
    void begin_wait(Phase phase, std::int64_t now_ns) noexcept;
    void end_wait(std::int64_t now_ns, std::uint64_t bytes) noexcept;

    bool expired(std::int64_t now_ns) const noexcept;

private:
    const HttpTimes* times_;
    Phase phase_ = Phase::header;
    std::int64_t since_ns_ = 0;
    RateWindow body_;
    RateWindow response_;
};

}  // namespace orbitalreg::frontend
