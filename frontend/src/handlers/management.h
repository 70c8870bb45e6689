#pragma once
// The management API, /api/v1 besides system/: projects, repositories, members, people, robots, tokens, and why somebody may do
// something. docs/api/openapi.json says the same for programs; docs/operations/accounts.md for people.
//
// Who asks proves it with Basic at each request: an access token is for images, and says nothing about this (SEC-101, SEC-102).
// A project that the caller may not see is as absent as one that is not there.

#include "handlers/services.h"

namespace orbitalreg::frontend {

Awaitable<Response> handle_management(const Services& services, Exchange& exchange);

}  // namespace orbitalreg::frontend
