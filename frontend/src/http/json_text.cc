#include "http/json_text.h"

#include "base/bytes.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace orbitalreg::frontend {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";
constexpr std::uint32_t kReplacementPoint = 0xfffd;
constexpr std::uint32_t kEllipsis = 0x2026;
constexpr std::string_view kHexDigits = "0123456789abcdef";

bool is_continuation(std::string_view text, std::size_t at) noexcept {
    return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0U) == 0x80U;
}

// The length of the UTF-8 sequence at `at`, 0 where there is none (overlong forms and surrogates included).
std::size_t sequence_length(std::string_view text, std::size_t at) noexcept {
    const auto lead = static_cast<unsigned char>(text[at]);
    const auto second = at + 1 < text.size() ? static_cast<unsigned char>(text[at + 1]) : 0U;
    if (lead < 0x80) return 1;
    if (lead >= 0xc2 && lead <= 0xdf) return is_continuation(text, at + 1) ? 2 : 0;
    if (lead >= 0xe0 && lead <= 0xef) {
        if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f)) return 0;
        return is_continuation(text, at + 1) && is_continuation(text, at + 2) ? 3 : 0;
    }
    if (lead >= 0xf0 && lead <= 0xf4) {
        if ((lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f)) return 0;
        return is_continuation(text, at + 1) && is_continuation(text, at + 2) &&
                       is_continuation(text, at + 3)
                   ? 4
                   : 0;
    }
    return 0;
}

void append_escape(std::string& out, std::uint32_t unit) {
    out += "\\u";
    for (const int shift : {12, 8, 4, 0}) out += kHexDigits[(unit >> shift) & 0xfU];
}

// The code point of a sequence that sequence_length() has measured.
std::uint32_t code_point(std::string_view sequence) noexcept {
    const auto lead = static_cast<unsigned char>(sequence[0]);
    if (sequence.size() == 1) return lead;
    std::uint32_t point = lead & (0x7fU >> sequence.size());
    for (const char c : sequence.substr(1))
        point = point << 6U | (static_cast<unsigned>(c) & 0x3fU);
    return point;
}

}  // namespace

std::string json_string(std::string_view text) {
    std::string out;
    out.reserve(text.size() + 2);
    append_json_string(out, text);
    return out;
}

void append_json_string(std::string& out, std::string_view text) {
    out += '"';
    // Names, digests and most of the rest are as plain as this.
    const auto printable = text.substr(0, printable_prefix(text));
    const auto plain = std::min({printable.find('"'), printable.find('\\'), printable.size()});
    out += printable.substr(0, plain);
    for (std::size_t at = plain; at < text.size();) {
        const auto byte = static_cast<unsigned char>(text[at]);
        const std::size_t length = sequence_length(text, at);
        if (length == 0) {
            out += kReplacement;
        } else if (byte == '"' || byte == '\\') {
            out += '\\';
            out += text[at];
        } else if (byte < 0x20 || byte == 0x7f) {
            out += "\\u00";
            out += kHexDigits[byte >> 4];
            out += kHexDigits[byte & 0xf];
        } else {
            out += text.substr(at, length);
        }
        at += length == 0 ? 1 : length;
    }
    out += '"';
}

void append_json_ascii(std::string& out, std::string_view text, std::size_t size_max) {
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t length = sequence_length(text, at);
        const std::size_t step = length == 0 ? 1 : length;
        if (at + step > size_max) {
            append_escape(out, kEllipsis);
            return;
        }
        const auto point = length == 0 ? kReplacementPoint : code_point(text.substr(at, length));
        if (point == '"' || point == '\\') out += '\\';
        if (point >= 0x20 && point < 0x7f) {
            out += static_cast<char>(point);
        } else if (point < 0x10000) {
            append_escape(out, point);
        } else {
            append_escape(out, 0xd800U + ((point - 0x10000U) >> 10U));
            append_escape(out, 0xdc00U + ((point - 0x10000U) & 0x3ffU));
        }
        at += step;
    }
}

}  // namespace orbitalreg::frontend
