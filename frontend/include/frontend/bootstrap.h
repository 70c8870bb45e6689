#pragma once
// How the first administrator comes in: where nobody administers the system, a secret is written to a file that only the owner
// of the data can read. Presented as the password of `bootstrap` it makes one administrator, once (SEC-99). There is no
// default password.

#include "base/asio.h"
#include "base/log.h"

#include <string>

namespace orbitalreg::engine {
class AccessControl;
}

namespace orbitalreg::frontend {

// At each start with tokens. A secret that is still good stays; a file that is of no more use goes. What went wrong, or nothing.
Awaitable<std::string> prepare_bootstrap(engine::AccessControl* access, std::string path, Log* log);

}  // namespace orbitalreg::frontend
