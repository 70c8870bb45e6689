#include "base/base64.h"

#include <array>
#include <cstdint>

namespace orbitalreg {

namespace {

constexpr std::string_view kStandard =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kUrlSafe =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::uint8_t kInvalid = 0xff;

constexpr std::array<std::uint8_t, 256> decoding_table(std::string_view alphabet) {
    std::array<std::uint8_t, 256> table{};
    table.fill(kInvalid);
    for (std::size_t i = 0; i < alphabet.size(); ++i) {
        table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint8_t>(i);
    }
    return table;
}

constexpr auto kStandardTable = decoding_table(kStandard);
constexpr auto kUrlSafeTable = decoding_table(kUrlSafe);

// `text` without padding.
std::optional<std::vector<std::byte>> decode(std::string_view text,
                                             const std::array<std::uint8_t, 256>& table) {
    if (text.size() % 4 == 1) return std::nullopt;
    std::vector<std::byte> bytes;
    bytes.reserve(text.size() / 4 * 3 + 2);
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (const char c : text) {
        const auto value = table[static_cast<unsigned char>(c)];
        if (value == kInvalid) return std::nullopt;
        bits = (bits << 6) | value;
        count += 6;
        if (count < 8) continue;
        count -= 8;
        bytes.push_back(static_cast<std::byte>((bits >> count) & 0xff));
        bits &= (1u << count) - 1;
    }
    if (bits != 0) return std::nullopt;
    return bytes;
}

// Without padding.
std::string encode(ByteView bytes, std::string_view alphabet) {
    std::string text;
    text.reserve(bytes.size() / 3 * 4 + 4);
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (const auto byte : bytes) {
        bits = (bits << 8) | std::to_integer<std::uint32_t>(byte);
        count += 8;
        while (count >= 6) {
            count -= 6;
            text += alphabet[(bits >> count) & 63];
        }
        bits &= (1u << count) - 1;
    }
    if (count > 0) text += alphabet[(bits << (6 - count)) & 63];
    return text;
}

}  // namespace

std::optional<std::vector<std::byte>> decode_base64(std::string_view text) {
    if (text.size() % 4 != 0) return std::nullopt;
    if (text.ends_with("==")) {
        text.remove_suffix(2);
    } else if (text.ends_with('=')) {
        text.remove_suffix(1);
    }
    return decode(text, kStandardTable);
}

std::optional<std::vector<std::byte>> decode_base64url(std::string_view text) {
    return decode(text, kUrlSafeTable);
}

std::string encode_base64(ByteView bytes) {
    auto text = encode(bytes, kStandard);
    text.resize((text.size() + 3) / 4 * 4, '=');
    return text;
}

std::string encode_base64url(ByteView bytes) { return encode(bytes, kUrlSafe); }

}  // namespace orbitalreg
