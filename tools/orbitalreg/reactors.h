#pragma once
// Reactors are the threads that everything asynchronous runs on: one io_context with one thread for each core, and one
// more for what may block.
//
// Life     made -> start() -> stop(), which lets nothing run any more -> destroyed, after everything that uses them.

#include "base/asio.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <memory>
#include <thread>
#include <vector>

namespace orbitalreg::program {

class Reactors {
public:
    explicit Reactors(unsigned count);
    ~Reactors() { stop(); }
    Reactors(const Reactors&) = delete;
    Reactors& operator=(const Reactors&) = delete;

    std::vector<asio::any_io_executor> executors();
    asio::any_io_executor background() { return background_.context.get_executor(); }

    void start();
    void stop() noexcept;

private:
    struct Reactor {
        // One thread runs it; others only post to it.
        asio::io_context context{1};
        asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
        std::thread thread;
    };
    static void run(Reactor* reactor, std::string name);

    std::vector<std::unique_ptr<Reactor>> reactors_;
    Reactor background_;
};

}  // namespace orbitalreg::program
