#pragma once
// Principal is on whose behalf a request is made. With auth.mode none there is one, the anonymous
// one.

#include <string>

namespace orbitalreg::engine {

struct Principal {
    std::string name;  // empty: anonymous

    friend bool operator==(const Principal&, const Principal&) = default;
};

}  // namespace orbitalreg::engine
