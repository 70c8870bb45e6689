#pragma once
// What pages of other origins may do with this registry from a browser: nothing, unless the configuration lists their origin
// (DIST-CORS-01 to DIST-CORS-03, SEC-104). Cookies and other credentials of the browser are never asked for.
//
// Source   the Fetch standard, "CORS protocol".

#include "frontend/options.h"
#include "http/response.h"
#include "net/request_head.h"

#include <optional>

namespace orbitalreg::frontend {

// For every answer, refusals too: whether the page may read it.
void allow_origin(const CorsOptions& cors, const RequestHead& head, Headers& headers);

// The answer to a browser that asks before it sends; nothing when this is no such question or the origin is not listed.
std::optional<Response> answer_preflight(const CorsOptions& cors, const RequestHead& head);

// `https://pages.example`, `http://localhost:3000`: scheme, host and port, nothing else.
bool is_origin(std::string_view text) noexcept;

}  // namespace orbitalreg::frontend
