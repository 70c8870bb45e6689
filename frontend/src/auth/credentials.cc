#include "auth/credentials.h"

#include "base/base64.h"
#include "http/ascii.h"

#include <algorithm>

namespace orbitalreg::frontend {
namespace {

// Of what is looked at at all; a token has 8 KiB at most.
constexpr std::size_t kSizeMax = 16 * 1024;

bool is_clean(std::string_view text) noexcept {
    return std::none_of(text.begin(), text.end(),
                        [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

Credentials parse_basic(std::string_view encoded) {
    Credentials credentials;
    credentials.kind = Credentials::Kind::malformed;
    // The padding is left out by some.
    std::string padded{encoded};
    while (padded.size() % 4 != 0) padded += '=';
    const auto bytes = decode_base64(padded);
    if (!bytes) return credentials;
    const auto text = as_text(*bytes);
    const auto colon = text.find(':');
    if (colon == text.npos || !is_clean(text)) return credentials;
    return {Credentials::Kind::basic, std::string{text.substr(0, colon)},
            std::string{text.substr(colon + 1)}};
}

}  // namespace

Credentials parse_authorization(std::string_view value) {
    Credentials malformed;
    malformed.kind = Credentials::Kind::malformed;
    if (value.size() > kSizeMax) return malformed;
    value = trim_blanks(value);
    const auto space = value.find(' ');
    if (space == value.npos) return malformed;
    const auto scheme = value.substr(0, space);
    const auto rest = trim_blanks(value.substr(space + 1));
    if (equals_ignoring_case(scheme, "Basic")) return parse_basic(rest);
    if (equals_ignoring_case(scheme, "Bearer") && !rest.empty() && rest.find(' ') == rest.npos)
        return {Credentials::Kind::bearer, {}, std::string{rest}};
    return malformed;
}

}  // namespace orbitalreg::frontend
