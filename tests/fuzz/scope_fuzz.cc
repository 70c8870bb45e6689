// Scopes as anybody may send them: what is read, written and read again is the same, and names nothing that is no image name
// (SEC-44).

#include "auth/scope.h"

#include "base/assert.h"

#include <cstdint>
#include <string_view>

using namespace orbitalreg::frontend;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text{reinterpret_cast<const char*>(data), size};
    const auto scopes = parse_scopes({text});
    if (!scopes) return 0;
    ORB_ASSERT(scopes->size() <= kScopesMax);
    for (const Scope& scope : *scopes) {
        const auto again = parse_scope(to_string(scope));
        ORB_ASSERT(again && again->image == scope.image && again->actions == scope.actions);
        ORB_ASSERT(text.find(scope.text) != std::string::npos);
    }
    return 0;
}
