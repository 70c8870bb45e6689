#pragma once
// Event wakes coroutines: any number wait, each resumes on its own executor when set() is called.
//
// Life     a waiting coroutine is owned by the event until it is woken.
// Threads  any.

#include "base/asio.h"

#include <boost/asio/associated_executor.hpp>

#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace orbitalreg {

class Event {
public:
    // Returns at once while the event is set.
    Awaitable<void> wait() {
        return asio::async_initiate<const asio::use_awaitable_t<>&, void()>(
            [](auto handler, Event* event) {
                auto waiter = std::make_shared<decltype(handler)>(std::move(handler));
                event->add([waiter] {
                    const auto executor = asio::get_associated_executor(*waiter);
                    asio::post(executor, std::move(*waiter));
                });
            },
            asio::use_awaitable, this);
    }

    void set() noexcept {
        std::vector<std::function<void()>> woken;
        {
            const std::lock_guard lock{mutex_};
            set_ = true;
            woken.swap(waiters_);
        }
        for (const auto& wake : woken) wake();
    }

    void reset() noexcept {
        const std::lock_guard lock{mutex_};
        set_ = false;
    }

private:
    void add(std::function<void()> wake) {
        {
            const std::lock_guard lock{mutex_};
            if (!set_) {
                waiters_.push_back(std::move(wake));
                return;
            }
        }
        wake();
    }

    std::mutex mutex_;
    bool set_ = false;
    std::vector<std::function<void()>> waiters_;
};

}  // namespace orbitalreg
