#pragma once
// Text as JSON. What we write is small and of fixed shape, so it is put together from strings.

#include <string>
#include <string_view>

namespace orbitalreg::frontend {

// `text` in quotes. Bytes that are not UTF-8 become U+FFFD, so that the document stays JSON whatever a client sent.
std::string json_string(std::string_view text);

}  // namespace orbitalreg::frontend
