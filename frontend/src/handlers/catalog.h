#pragma once
// The image names of the registry: EP-18; DIST-CAT-01 to 05.

#include "handlers/services.h"

namespace orbitalreg::frontend {

Awaitable<Response> handle_catalog(const Services& services, Exchange& exchange);

}  // namespace orbitalreg::frontend
