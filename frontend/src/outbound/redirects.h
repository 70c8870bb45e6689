#pragma once
// How a redirect is followed (SEC-64): GET and HEAD alone, never from https to http, and what proves who we are stays behind
// as soon as scheme, host or port changes. Addresses are checked where each hop connects.

#include "frontend/http_client.h"

namespace orbitalreg::frontend {

// Whether an answer of this status to this request is a redirect that may be followed.
bool is_redirect(const HttpRequest& request, unsigned status) noexcept;

struct NextHop {
    std::optional<HttpRequest> request;
    std::string_view fault;  // why there is none
};
NextHop next_hop(const HttpRequest& request, std::optional<std::string_view> location);

}  // namespace orbitalreg::frontend
