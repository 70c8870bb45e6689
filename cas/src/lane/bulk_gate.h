#pragma once
// BulkGate lets the bulk writes of one reactor pass, in their order, as far as the cap of IoScheduler allows: its share
// of the cap, and always one write, so that every upload goes on.
//
// Life     enter() -> the write -> leave(), which lets those pass that wait.
// Threads  the reactor's.
// Limits   those who wait are admitted uploads, each with one write at most.

#include "base/assert.h"
#include "base/clock.h"
#include "base/event.h"
#include "io/io_scheduler.h"

#include <cstdint>
#include <deque>
#include <memory>
#include <utility>

namespace orbitalreg::cas {

class BulkGate {
public:
    BulkGate(const IoScheduler& scheduler, Clock& clock, std::size_t reactors) noexcept
        : scheduler_{scheduler}, clock_{clock}, reactors_{reactors} {}

    // Returns when `bytes` may be written: from then on they count.
    Awaitable<void> enter(std::uint64_t bytes) {
        if (waiting_.empty() && fits(bytes)) {
            in_flight_ += bytes;
            co_return;
        }
        waiting_.push_back({bytes, std::make_unique<Event>()});
        co_await waiting_.back().passed->wait();
    }
    void leave(std::uint64_t bytes) noexcept {
        ORB_ASSERT(bytes <= in_flight_);
        in_flight_ -= bytes;
        while (!waiting_.empty() && fits(waiting_.front().bytes)) {
            in_flight_ += waiting_.front().bytes;
            const Waiting next = std::move(waiting_.front());
            waiting_.pop_front();
            next.passed->set();
        }
    }

private:
    struct Waiting {
        std::uint64_t bytes = 0;
        std::unique_ptr<Event> passed;
    };

    bool fits(std::uint64_t bytes) const noexcept {
        if (in_flight_ == 0) return true;
        return in_flight_ + bytes <= scheduler_.bulk_cap_bytes(clock_.steady_ns()) / reactors_;
    }

    const IoScheduler& scheduler_;
    Clock& clock_;
    const std::uint64_t reactors_;
    std::uint64_t in_flight_ = 0;
    std::deque<Waiting> waiting_;
};

}  // namespace orbitalreg::cas
