#include "support/sim_clock.h"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>

namespace orbitalreg::sim {

Awaitable<void> SimClock::sleep_until(std::int64_t deadline_steady_ns) {
    co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>(
        [](auto handler, SimScheduler* scheduler, std::int64_t deadline) {
            auto slot = asio::get_associated_cancellation_slot(handler);
            auto executor = asio::get_associated_executor(handler);
            const auto id = scheduler->start_timer(
                deadline, SimTask{[waiter = std::move(handler), executor]() mutable {
                    asio::get_associated_cancellation_slot(waiter).clear();
                    asio::post(executor, std::move(waiter));
                }});
            if (!slot.is_connected()) return;
            slot.assign([scheduler, id](asio::cancellation_type) { scheduler->cancel_timer(id); });
        },
        asio::use_awaitable, &scheduler_, deadline_steady_ns);
}

}  // namespace orbitalreg::sim
