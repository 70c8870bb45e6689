#pragma once
// Text as JSON. What we write is small and of fixed shape, so it is put together from strings.

#include <cstddef>
#include <string>
#include <string_view>

namespace orbitalreg::frontend {

// `text` in quotes. Bytes that are not UTF-8 become U+FFFD, so that the document stays JSON whatever a client sent.
std::string json_string(std::string_view text);
void append_json_string(std::string& out, std::string_view text);

// Appends `text` as the inside of a JSON string of printable ASCII: everything else is escaped as \uXXXX. What does not fit into
// the first `size_max` bytes of it is left out, and \u2026 says so.
void append_json_ascii(std::string& out, std::string_view text, std::size_t size_max);

}  // namespace orbitalreg::frontend
