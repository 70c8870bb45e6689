#pragma once
// Where a server without authentication and without TLS may listen (SEC-100).

#include "frontend/config.h"

#include <string>

namespace orbitalreg::program {

// Why it may not, and what to do; empty when it may.
std::string refuse_listening(const frontend::Config& config);

}  // namespace orbitalreg::program
