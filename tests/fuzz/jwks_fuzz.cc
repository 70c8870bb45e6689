// Key sets as an identity provider, or whoever answers in its place, may send them: reading one ends with keys within the limits
// or with none, and a key that is found fits what it was looked for.

#include "base/assert.h"
#include "federation/jwk_set.h"

#include <cstdint>
#include <string_view>

using namespace orbitalreg;
using namespace orbitalreg::frontend;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    const auto set = JwkSet::parse(text);
    if (!set) return 0;
    ORB_ASSERT(size <= kJwkSetSizeMax);
    ORB_ASSERT(set->size() <= kJwkSetKeysMax);
    ORB_ASSERT(!set->has(""));
    for (const auto algorithm :
         {SignatureAlgorithm::es256, SignatureAlgorithm::es384, SignatureAlgorithm::eddsa,
          SignatureAlgorithm::rs256, SignatureAlgorithm::ps256}) {
        for (const auto& key : set->find("k", algorithm)) {
            ORB_ASSERT(key.fits(algorithm));
            ORB_ASSERT(!key.verify(algorithm, as_bytes(text), {}));
        }
    }
    return 0;
}
