#pragma once
// SimRandom is the one source of chance of a simulation: the same seed gives the same run
// (xoshiro256**).

#include "base/random.h"

#include <array>
#include <cstdint>

namespace orbitalreg::sim {

class SimRandom final : public Random {
public:
    explicit SimRandom(std::uint64_t seed) noexcept {
        for (std::uint64_t& word : state_) word = next_splitmix(seed);
    }

    void fill(MutableByteView bytes) noexcept override {
        while (!bytes.empty()) {
            const std::uint64_t word = draw();
            const std::size_t size = bytes.size() < sizeof word ? bytes.size() : sizeof word;
            std::memcpy(bytes.data(), &word, size);
            bytes = bytes.subspan(size);
        }
    }

    std::uint64_t draw() noexcept {
        const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
        const std::uint64_t t = state_[1] << 17;
        state_[2] ^= state_[0];
        state_[3] ^= state_[1];
        state_[1] ^= state_[2];
        state_[0] ^= state_[3];
        state_[2] ^= t;
        state_[3] = std::rotl(state_[3], 45);
        return result;
    }
    // In [0, bound); 0 for bound 0.
    std::uint64_t below(std::uint64_t bound) noexcept { return bound == 0 ? 0 : draw() % bound; }
    std::uint64_t between(std::uint64_t low, std::uint64_t high) noexcept {
        return low + below(high - low + 1);
    }
    // True once in `n`; never for 0.
    bool one_in(std::uint64_t n) noexcept { return n != 0 && below(n) == 0; }
    bool coin() noexcept { return (draw() & 1) != 0; }

private:
    static std::uint64_t next_splitmix(std::uint64_t& seed) noexcept {
        std::uint64_t z = (seed += 0x9e3779b97f4a7c15);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }

    std::array<std::uint64_t, 4> state_;
};

}  // namespace orbitalreg::sim
