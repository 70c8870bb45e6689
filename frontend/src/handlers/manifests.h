#pragma once
// GET, HEAD, PUT and DELETE of a manifest by tag or digest: EP-12 to EP-15; DIST-MAN-01 to 38, DIST-DEL-01 to 03.

#include "handlers/services.h"

namespace orbitalreg::frontend {

Awaitable<Response> handle_manifest(const Services& services, Exchange& exchange);

}  // namespace orbitalreg::frontend
