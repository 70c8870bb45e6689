#pragma once
// Random is where all randomness comes from. Tests and the simulator supply their own.

#include "base/bytes.h"

#include <array>
#include <cstdint>

namespace orbitalreg {

class Random {
public:
    virtual ~Random() = default;
    // Threads: any.
    virtual void fill(MutableByteView bytes) noexcept = 0;

    std::uint64_t next_u64() noexcept {
        std::array<std::byte, 8> bytes;
        fill(bytes);
        return load_le<std::uint64_t>(bytes.data());
    }
};

// getrandom(2). Lives as long as the process.
Random& system_random() noexcept;

}  // namespace orbitalreg
