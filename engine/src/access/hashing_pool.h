#pragma once
// HashingPool runs slow hashes of passwords beside the reactors, few at once: hashing is what a guesser would make us do
// (SEC-48).
//
// Threads  any reactor. Limits  threads at once; kWaitingMax wait, more are Errc::overloaded.

#include "base/asio.h"
#include "base/random.h"
#include "engine/errors.h"

#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <string>

namespace orbitalreg::engine {

class HashingPool {
public:
    static constexpr unsigned kWaitingMax = 64;

    explicit HashingPool(unsigned threads) : pool_{threads}, held_max_{threads + kWaitingMax} {}
    ~HashingPool() { pool_.join(); }
    HashingPool(const HashingPool&) = delete;
    HashingPool& operator=(const HashingPool&) = delete;

    Awaitable<Answer<bool>> verify(std::string hash, std::string password);
    Awaitable<Answer<std::string>> hash(std::string password, Random& random);

private:
    class Place;
    asio::thread_pool pool_;
    const unsigned held_max_;
    std::atomic<unsigned> held_{0};
};

}  // namespace orbitalreg::engine
