#pragma once
// StoreTime is the store's own clock: it stands in every frame, never falls, and is the only time
// that state machines know. It advances by CLOCK_BOOTTIME while the store is open, and at the start
// by the wall time that has passed since the last frame, at least nothing and at most an hour: a
// clock set ten years off expires nothing.
//
// Life     begin() or resume() once, before now_ms().
// Threads  now_ms() from any.

#include "base/clock.h"

#include <atomic>
#include <cstdint>

namespace orbitalreg::cas {

class StoreTime {
public:
    static constexpr std::uint64_t kFirstMs = 1000;  // not 0, which stands for "never"
    static constexpr std::int64_t kStartAdvanceMsMax = 3600 * 1000;

    explicit StoreTime(Clock& clock) noexcept : clock_{clock} {}

    // A new store.
    void begin() noexcept { start_at(kFirstMs); }
    // Behind the last frame of a store.
    void resume(std::uint64_t frame_store_time_ms, std::int64_t frame_wall_ns) noexcept;

    std::uint64_t now_ms() noexcept;

private:
    void start_at(std::uint64_t store_time_ms) noexcept;

    Clock& clock_;
    std::uint64_t start_store_time_ms_ = kFirstMs;
    std::int64_t start_boottime_ms_ = 0;
    std::atomic<std::uint64_t> last_ms_{kFirstMs};
};

}  // namespace orbitalreg::cas
