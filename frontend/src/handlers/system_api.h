#pragma once
// Actions of operators on the running store, under /api/v1/system/: JSON in, JSON out.
//
//   GET  gc            state of collection
//   POST gc            a round of collection now; `?dry_run=true` only says what it would do
//   GET  gc/{digest}   why a blob is there, or when and why it went

#include "handlers/services.h"

namespace orbitalreg::frontend {

Awaitable<Response> handle_system_gc(const Services& services, Exchange& exchange);
Awaitable<Response> handle_system_gc_blob(const Services& services, Exchange& exchange);

}  // namespace orbitalreg::frontend
