#pragma once
// Classes of ASCII characters and the few operations on protocol text. Locale plays no part: none of <cctype> is used.

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

namespace orbitalreg::frontend {

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
constexpr bool is_lower(char c) noexcept { return c >= 'a' && c <= 'z'; }
constexpr bool is_upper(char c) noexcept { return c >= 'A' && c <= 'Z'; }
constexpr bool is_alphanumeric(char c) noexcept {
    return is_digit(c) || is_lower(c) || is_upper(c);
}
constexpr bool is_hex_digit(char c) noexcept {
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
constexpr bool is_visible_ascii(char c) noexcept { return c > 0x20 && c < 0x7f; }
namespace ascii {

consteval std::array<bool, 256> token_characters() {
    std::array<bool, 256> is_one{};
    for (int c = 0; c < 128; ++c)
        is_one[static_cast<std::size_t>(c)] = is_alphanumeric(static_cast<char>(c));
    for (const char c : std::string_view{"!#$%&'*+-.^_`|~"})
        is_one[static_cast<std::size_t>(c)] = true;
    return is_one;
}
inline constexpr std::array<bool, 256> kTokenCharacters = token_characters();

}  // namespace ascii

// tchar of RFC 9110, 5.6.2.
constexpr bool is_token_character(char c) noexcept {
    return ascii::kTokenCharacters[static_cast<unsigned char>(c)];
}

constexpr char to_lower(char c) noexcept {
    return is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c;
}

constexpr bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (to_lower(a[i]) != to_lower(b[i])) return false;
    }
    return true;
}

constexpr std::string_view trim_blanks(std::string_view text) noexcept {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

// The value of a hexadecimal digit; the caller has checked that it is one.
constexpr unsigned hex_value(char c) noexcept {
    return is_digit(c) ? static_cast<unsigned>(c - '0')
                       : static_cast<unsigned>(to_lower(c) - 'a') + 10;
}

// Decimal digits and nothing else; nothing when there are none or the number does not fit 64 bits.
constexpr std::optional<std::uint64_t> parse_decimal(std::string_view text) noexcept {
    if (text.empty()) return std::nullopt;
    std::uint64_t value = 0;
    for (const char c : text) {
        if (!is_digit(c)) return std::nullopt;
        const auto digit = static_cast<std::uint64_t>(c - '0');
        if (value > (std::numeric_limits<std::uint64_t>::max() - digit) / 10) return std::nullopt;
        value = value * 10 + digit;
    }
    return value;
}

}  // namespace orbitalreg::frontend
