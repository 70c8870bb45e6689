// A saved hash state that is accepted saves to the same bytes, and can go on.

#include "base/assert.h"
#include "base/hasher.h"

#include <algorithm>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const orbitalreg::ByteView state = std::as_bytes(std::span{data, size});
    auto hasher = orbitalreg::Hasher::restore(state);
    if (!hasher) return 0;
    const auto saved = hasher.value().save();
    ORB_ASSERT(std::equal(saved.begin(), saved.end(), state.begin(), state.end()));
    const std::uint64_t before = hasher.value().size_bytes();
    hasher.value().update(state);
    ORB_ASSERT(hasher.value().size_bytes() == before + state.size());
    static_cast<void>(hasher.value().digest());
    return 0;
}
