#pragma once
// The tags of an image name: EP-16; DIST-LIST-01 to 12.

#include "handlers/services.h"

namespace orbitalreg::frontend {

Awaitable<Response> handle_tags(const Services& services, Exchange& exchange);

}  // namespace orbitalreg::frontend
