#pragma once
// The eight letters that open a structure on disk, as the number they load as.

#include <cstdint>

namespace orbitalreg::cas {

consteval std::uint64_t magic(const char (&letters)[9]) {
    std::uint64_t value = 0;
    for (int i = 7; i >= 0; --i) value = value << 8 | static_cast<unsigned char>(letters[i]);
    return value;
}

}  // namespace orbitalreg::cas
