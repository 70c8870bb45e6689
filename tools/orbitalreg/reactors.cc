#include "reactors.h"

#include <pthread.h>
#include <string>

namespace orbitalreg::program {

Reactors::Reactors(unsigned count) {
    for (unsigned i = 0; i < count; ++i) reactors_.push_back(std::make_unique<Reactor>());
}

std::vector<asio::any_io_executor> Reactors::executors() {
    std::vector<asio::any_io_executor> all;
    for (const auto& reactor : reactors_) all.emplace_back(reactor->context.get_executor());
    return all;
}

void Reactors::run(Reactor* reactor, std::string name) {
    ::pthread_setname_np(::pthread_self(), name.c_str());
    reactor->context.run();
}

void Reactors::start() {
    unsigned number = 0;
    for (const auto& reactor : reactors_) {
        reactor->thread = std::thread{run, reactor.get(), "reactor-" + std::to_string(number++)};
    }
    background_.thread = std::thread{run, &background_, "background"};
}

void Reactors::stop() noexcept {
    for (const auto& reactor : reactors_) reactor->context.stop();
    background_.context.stop();
    for (const auto& reactor : reactors_) {
        if (reactor->thread.joinable()) reactor->thread.join();
    }
    if (background_.thread.joinable()) background_.thread.join();
}

}  // namespace orbitalreg::program
