#pragma once
// Admission is the door in front of the handlers: what is beyond it costs memory and the store's time, so that only so
// many requests are in hand at once, and only so much memory of their own. Who finds it shut is told at once, before a
// body is read, and comes back a second later (REL-28, SEC-82).
//
//   whole     all of both limits: GET and HEAD of blobs and manifests, for pulls go first
//   most      three quarters of each: pushes, deletes and lists
//
// Memory here is what a request holds beside the connection's buffers and the store's: a manifest that arrives, a list
// that is being sent. A manifest is counted before its memory is taken, a list once it is made.
//
// Threads  any.

#include "base/metrics.h"

#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>

namespace orbitalreg::frontend {

class Admission {
public:
    enum class Share : std::uint8_t { whole, most };

    // A place of one request, given back at its end. The empty one holds anything: of requests that pass no door.
    class Ticket {
    public:
        Ticket() = default;
        Ticket(Ticket&& other) noexcept { swap(other); }
        Ticket& operator=(Ticket&& other) noexcept {
            Ticket taken{std::move(other)};
            swap(taken);
            return *this;
        }
        ~Ticket();

        // The request holds `bytes` in all from now on; false: there is no room for more, and it holds what it held.
        bool hold(std::uint64_t bytes) noexcept;

    private:
        friend class Admission;
        Ticket(Admission& admission, Share share) noexcept
            : admission_{&admission}, share_{share} {}
        void swap(Ticket& other) noexcept {
            std::swap(admission_, other.admission_);
            std::swap(share_, other.share_);
            std::swap(held_, other.held_);
        }

        Admission* admission_ = nullptr;
        Share share_ = Share::whole;
        std::uint64_t held_ = 0;
    };

    // Outlives its metrics' use.
    Admission(std::uint32_t requests_max, std::uint64_t bytes_max, Metrics& metrics);
    Admission(const Admission&) = delete;
    Admission& operator=(const Admission&) = delete;

    // Nothing: too many are in hand.
    std::optional<Ticket> admit(Share share) noexcept;

    std::uint64_t requests() const noexcept { return requests_.load(std::memory_order_relaxed); }
    std::uint64_t bytes() const noexcept { return bytes_.load(std::memory_order_relaxed); }

private:
    // Adds `more` unless that passes `limit`.
    bool take(std::atomic<std::uint64_t>& of, std::uint64_t more, std::uint64_t limit) noexcept;

    const std::uint64_t requests_max_;
    const std::uint64_t bytes_max_;
    std::atomic<std::uint64_t> requests_{0};
    std::atomic<std::uint64_t> bytes_{0};
    Counter& shed_;
};

}  // namespace orbitalreg::frontend
