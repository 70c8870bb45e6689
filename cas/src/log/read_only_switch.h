#pragma once
// ReadOnlySwitch turns the store read-only, once and for good: only recovery ends it. A failed
// write or sync is never tried again, since the pages may be gone.
//
// Threads  any.

#include "base/log.h"

#include <atomic>
#include <mutex>
#include <string>
#include <string_view>

namespace orbitalreg::cas {

class ReadOnlySwitch {
public:
    explicit ReadOnlySwitch(Log& log) noexcept : log_{log} {}

    // The first reason stands and is logged; later ones are dropped.
    void set(std::string_view reason) noexcept {
        {
            const std::lock_guard lock{mutex_};
            if (on_.load(std::memory_order_relaxed)) return;
            reason_ = reason;
            on_.store(true, std::memory_order_release);
        }
        log_.error("the store is read-only until it is restarted", {{"reason", reason}});
    }
    bool on() const noexcept { return on_.load(std::memory_order_acquire); }
    std::string reason() const {
        const std::lock_guard lock{mutex_};
        return reason_;
    }

private:
    Log& log_;
    std::atomic<bool> on_{false};
    mutable std::mutex mutex_;
    std::string reason_;
};

}  // namespace orbitalreg::cas
