#pragma once
// GET, HEAD and DELETE of a blob: EP-02, EP-03; DIST-BLOB-01 to 23.

#include "handlers/services.h"

namespace orbitalreg::frontend {

Awaitable<Response> handle_blob(const Services& services, Exchange& exchange);

}  // namespace orbitalreg::frontend
