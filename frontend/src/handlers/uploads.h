#pragma once
// Uploads: opened, mounted, written, asked about, finished and cancelled. EP-04 to EP-11; DIST-UPL-01 to 53, DIST-MNT-01
// to 11.

#include "handlers/services.h"

namespace orbitalreg::frontend {

// POST …/blobs/uploads/
Awaitable<Response> handle_uploads(const Services& services, Exchange& exchange);
// GET, HEAD, PATCH, PUT and DELETE …/blobs/uploads/<session>
Awaitable<Response> handle_upload(const Services& services, Exchange& exchange);

}  // namespace orbitalreg::frontend
