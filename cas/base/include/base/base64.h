#pragma once
// Base64 as RFC 4648 has it: the standard alphabet with padding, and the URL-safe one without.

#include "base/bytes.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orbitalreg {

// Standard alphabet, with padding, no line breaks; nothing if `text` is anything else.
std::string encode_base64(ByteView bytes);
std::optional<std::vector<std::byte>> decode_base64(std::string_view text);

// URL-safe alphabet, no padding. One text for each value: spare bits must be zero.
std::string encode_base64url(ByteView bytes);
std::optional<std::vector<std::byte>> decode_base64url(std::string_view text);

}  // namespace orbitalreg
