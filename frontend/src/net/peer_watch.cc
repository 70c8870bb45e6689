#include "net/peer_watch.h"

namespace orbitalreg::frontend {
namespace {

std::int64_t to_ns(std::chrono::milliseconds time) noexcept {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(time).count();
}

}  // namespace

RateWindow::RateWindow(std::int64_t window_ns, std::uint64_t rate_min) noexcept
    : window_ns_{window_ns},
      bytes_min_{rate_min * static_cast<std::uint64_t>(window_ns) / 1'000'000'000U} {}

void RateWindow::reset() noexcept {
    waited_ns_ = 0;
    wait_since_ns_ = -1;
    bytes_ = 0;
}

void RateWindow::end_wait(std::int64_t now_ns, std::uint64_t bytes) noexcept {
    if (wait_since_ns_ >= 0) waited_ns_ += now_ns - wait_since_ns_;
    wait_since_ns_ = -1;
    bytes_ += bytes;
    // Enough for a whole window: what comes next is measured anew, so that a fast start buys no hour of silence.
    if (bytes_ >= bytes_min_ || bytes_min_ == 0) {
        bytes_ = 0;
        waited_ns_ = 0;
    }
}

bool RateWindow::too_slow(std::int64_t now_ns) const noexcept {
    const std::int64_t waiting = wait_since_ns_ >= 0 ? now_ns - wait_since_ns_ : 0;
    return waited_ns_ + waiting >= window_ns_;
}

PeerWatch::PeerWatch(const HttpTimes& times) noexcept
    : times_{&times},
      body_{to_ns(times.body_window), times.rate_min},
      response_{to_ns(times.response_window), times.rate_min} {}

void PeerWatch::enter(Phase phase, std::int64_t now_ns) noexcept {
    phase_ = phase;
    since_ns_ = now_ns;
}

void PeerWatch::begin_request() noexcept {
    body_.reset();
    response_.reset();
}

void PeerWatch::begin_wait(Phase phase, std::int64_t now_ns) noexcept {
    // Draining has one deadline for all of it, however many reads it takes.
    if (phase_ == Phase::drain) return;
    enter(phase, now_ns);
    (phase == Phase::body ? body_ : response_).begin_wait(now_ns);
}

void PeerWatch::end_wait(std::int64_t now_ns, std::uint64_t bytes) noexcept {
    if (phase_ == Phase::drain) return;
    (phase_ == Phase::body ? body_ : response_).end_wait(now_ns, bytes);
    enter(Phase::working, now_ns);
}

bool PeerWatch::expired(std::int64_t now_ns) const noexcept {
    const std::int64_t waited = now_ns - since_ns_;
    switch (phase_) {
        case Phase::handshake:
            return waited >= to_ns(times_->handshake);
        case Phase::idle:
            return waited >= to_ns(times_->idle);
        case Phase::header:
            return waited >= to_ns(times_->header);
        case Phase::working:
            return false;
        case Phase::body:
            return body_.too_slow(now_ns);
        case Phase::response:
            return response_.too_slow(now_ns);
        case Phase::drain:
            return waited >= to_ns(times_->drain);
    }
    return false;
}

}  // namespace orbitalreg::frontend
