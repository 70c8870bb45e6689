// Session tokens: nothing but what was issued is accepted, and it gives back its claims.

#include "push/session_token.h"

#include "base/assert.h"

#include <cstdint>
#include <cstring>

using namespace orbitalreg;
using namespace orbitalreg::engine;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const SessionTokens tokens{{}};
    static const ImageName image = ImageName::parse("p/a").value();
    const Principal principal{"someone"};

    // Claims made of the input, whose token is then damaged at the place the input names.
    SessionClaims claims;
    std::memcpy(claims.session.data(), data, std::min(size, claims.session.size()));
    claims.issued_store_time_s = size;
    auto token = tokens.issue(claims, image, principal);
    ORB_ASSERT(tokens.verify(token, image, principal) == claims);
    if (size >= 2) {
        auto& place = token[data[0] % token.size()];
        const char before = place;
        place = static_cast<char>(data[1]);
        ORB_ASSERT(tokens.verify(token, image, principal).has_value() == (place == before));
    }

    // The input as a token: it would have to guess 128 bits.
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    ORB_ASSERT(!tokens.verify(text, image, principal));
    return 0;
}
