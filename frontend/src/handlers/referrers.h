#pragma once
// What refers to a manifest: EP-17; DIST-REF-01 to 16.

#include "handlers/services.h"

namespace orbitalreg::frontend {

Awaitable<Response> handle_referrers(const Services& services, Exchange& exchange);

}  // namespace orbitalreg::frontend
