#pragma once
// What the outbound client asks of URLs beside parse_http_url().

#include "frontend/http_client.h"

namespace orbitalreg::frontend {

// Where a `Location` or a link in the answer to `base` leads, absolute and without its fragment; nothing where that is no URL
// that parse_http_url() takes.
std::optional<std::string> resolve_url(const std::string& base, std::string_view location);

// Scheme, host and port.
bool is_same_origin(const HttpUrl& a, const HttpUrl& b) noexcept;

// For people and logs: a query may be a signature.
std::string_view without_query(std::string_view url) noexcept;

// Every byte that is not unreserved, as %XX.
std::string encode_query_value(std::string_view text);

}  // namespace orbitalreg::frontend
