#pragma once
// Actions of operators on the running store, under /api/v1/system/: JSON in, JSON out.
//
//   GET  gc            state of collection
//   POST gc            a round of collection now; `?dry_run=true` only says what it would do
//   GET  gc/{digest}   why a blob is there, or when and why it went
//   GET  stats         counts and space; `?files=true`: of each lane and log segment too
//   GET  compaction    what compaction did
//   POST compaction    a round now: dead bytes go back to the file system
//   GET  scrub         how far scrub is
//   POST scrub         a pass now; `?digests=false` only checksums, `?rate=BYTES` a second;
//                      `?resume_marking=true` no pass: blobs found damaged are marked again after too many were

#include "handlers/services.h"

namespace orbitalreg::frontend {

Awaitable<Response> handle_system_gc(const Services& services, Exchange& exchange);
Awaitable<Response> handle_system_gc_blob(const Services& services, Exchange& exchange);
Awaitable<Response> handle_system_stats(const Services& services, Exchange& exchange);
Awaitable<Response> handle_system_compaction(const Services& services, Exchange& exchange);
Awaitable<Response> handle_system_scrub(const Services& services, Exchange& exchange);

}  // namespace orbitalreg::frontend
