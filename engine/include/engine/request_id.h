#pragma once
// RequestId names one attempt to change something, made by the caller: asking again with the same
// id gives the first outcome, so that an Errc::unknown can be cleared up.

#include "base/random.h"

#include <compare>
#include <cstdint>

namespace orbitalreg::engine {

struct RequestId {
    std::uint64_t high = 0;
    std::uint64_t low = 0;

    static RequestId make(Random& random) noexcept {
        return {random.next_u64(), random.next_u64()};
    }
    friend auto operator<=>(const RequestId&, const RequestId&) = default;
};

}  // namespace orbitalreg::engine
