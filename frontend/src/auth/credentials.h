#pragma once
// What a request presents in its Authorization field. There is one field: the framing guard refuses more (SEC-50, SEC-74).
//
// Source  RFC 7617 (Basic), RFC 6750 (Bearer).

#include <string>
#include <string_view>

namespace orbitalreg::frontend {

struct Credentials {
    enum class Kind : std::uint8_t { none, basic, bearer, malformed };
    Kind kind = Kind::none;
    std::string user;    // of Basic
    std::string secret;  // password, or token
};

// Basic splits at the first colon (DIST-AUTH-61).
Credentials parse_authorization(std::string_view value);

}  // namespace orbitalreg::frontend
