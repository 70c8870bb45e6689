#pragma once
// GET and HEAD /v2/: EP-01; DIST-PING-01 to 07.

#include "handlers/services.h"

namespace orbitalreg::frontend {

Awaitable<Response> handle_ping(const Services& services, Exchange& exchange);

}  // namespace orbitalreg::frontend
