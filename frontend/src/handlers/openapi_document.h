#pragma once
// The description of the management API as the server gives it out: docs/api/openapi.json, byte for byte. The build makes the
// definition.

#include <string_view>

namespace orbitalreg::frontend {

extern const std::string_view kOpenApiDocument;

}  // namespace orbitalreg::frontend
