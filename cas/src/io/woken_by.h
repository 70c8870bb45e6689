#pragma once
// WokenBy ends a coroutine that co_spawn() starts and nobody waits for, and lets a signal cancel what it waits for, as
// bind_cancellation_slot(slot, detached) does. But the signal takes effect within emit(): with that binder Asio posts the
// address of a signal that goes with the coroutine, which may have ended when its turn comes.
//
// Life     the signal outlives the coroutine.
// Threads  emit() where the coroutine runs.

#include "base/asio.h"

#include <boost/asio/cancellation_signal.hpp>

#include <exception>

namespace orbitalreg::cas {

struct WokenBy {
    using cancellation_slot_type = asio::cancellation_slot;

    asio::cancellation_slot slot;

    asio::cancellation_slot get_cancellation_slot() const noexcept { return slot; }
    void operator()(const std::exception_ptr&) const noexcept {}
};

}  // namespace orbitalreg::cas
