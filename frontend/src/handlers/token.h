#pragma once
// The token endpoint, `/token` and `/oauth2/token`: who proves who they are is given a token for what they ask and may. And the
// public halves of the keys that sign, `/.well-known/jwks.json`.
//
//   GET   service, scope (repeated, or several with spaces), account, client_id, offline_token; Basic, or nobody
//   POST  a form: grant_type password, refresh_token, or the exchange of RFC 8693
//
// DIST-AUTH-20 to DIST-AUTH-43.

#include "handlers/services.h"

namespace orbitalreg::frontend {

Awaitable<Response> handle_token(const Services& services, Exchange& exchange);
Awaitable<Response> handle_jwks(const Services& services, Exchange& exchange);

}  // namespace orbitalreg::frontend
