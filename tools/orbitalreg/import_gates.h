#pragma once
// What the coroutines of an import wait for: something that happens once, a free slot, the end of a set of workers.
//
// Threads  one: that of the executor.

#include "base/asio.h"
#include "base/result.h"

#include <boost/asio/experimental/channel.hpp>

#include <cstddef>
#include <exception>
#include <utility>

namespace orbitalreg::program {

// Opens once; whoever comes later passes.
class Gate {
public:
    explicit Gate(const asio::any_io_executor& executor) : channel_{executor} {}
    void open() { channel_.close(); }
    Awaitable<void> wait() {
        const auto [closed] = co_await channel_.async_receive(asio::as_tuple(asio::use_awaitable));
        static_cast<void>(closed);
    }

private:
    asio::experimental::channel<void(ErrorCode)> channel_;
};

// A number of slots, each held by one at a time: take(), then at once a Hold, which gives it back.
class Slots {
public:
    class Hold {
    public:
        explicit Hold(Slots& slots) noexcept : slots_{slots} {}
        Hold(const Hold&) = delete;
        Hold& operator=(const Hold&) = delete;
        ~Hold() { slots_.free_.try_send(ErrorCode{}); }

    private:
        Slots& slots_;
    };

    Slots(const asio::any_io_executor& executor, std::size_t count) : free_{executor, count} {
        for (std::size_t i = 0; i < count; ++i) free_.try_send(ErrorCode{});
    }
    Awaitable<void> take() {
        const auto [error] = co_await free_.async_receive(asio::as_tuple(asio::use_awaitable));
        static_cast<void>(error);
    }

private:
    asio::experimental::channel<void(ErrorCode)> free_;
};

// Starts coroutines side by side; wait() until the last has ended. An exception of one ends the program.
class Workers {
public:
    explicit Workers(asio::any_io_executor executor)
        : executor_{std::move(executor)}, ended_{executor_} {}
    void start(Awaitable<void> work) {
        ++running_;
        asio::co_spawn(executor_, std::move(work), [this](std::exception_ptr error) {
            if (error) std::rethrow_exception(error);
            if (--running_ == 0) ended_.open();
        });
    }
    Awaitable<void> wait() {
        if (running_ > 0) co_await ended_.wait();
    }

private:
    const asio::any_io_executor executor_;
    std::size_t running_ = 0;
    Gate ended_;
};

}  // namespace orbitalreg::program
