#pragma once
// The Ios that the contract suite asks, each with an empty directory and an executor of its own.

#include "base/asio.h"
#include "cas/io.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace orbitalreg::cas {

class IoUnderTest {
public:
    virtual ~IoUnderTest() = default;
    virtual Io& io() = 0;
    virtual asio::any_io_executor executor() = 0;
    // Until nothing is left to do.
    virtual void run() = 0;
};

struct IoFactory {
    std::string name;
    // The error says why this Io cannot be had here.
    std::function<Result<std::unique_ptr<IoUnderTest>>()> make;
};

std::vector<IoFactory> io_factories();

}  // namespace orbitalreg::cas
