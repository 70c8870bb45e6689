// What parses as a digest is written back as it was read; nothing else is accepted under the same spelling.

#include "base/digest.h"

#include "base/assert.h"

#include <cstdint>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    const auto digest = orbitalreg::Digest::parse(text);
    if (digest) ORB_ASSERT(digest.value().to_string() == text);
    return 0;
}
