#include "base/errors.h"

#include "base/bytes.h"

#include <array>
#include <cstring>
#include <string>

namespace orbitalreg {
namespace {

class BaseCategory final : public boost::system::error_category {
public:
    constexpr BaseCategory() noexcept : error_category{0x6f72622d62617365} {}
    const char* name() const noexcept override { return "base"; }
    std::string message(int value) const override {
        switch (static_cast<BaseErrc>(value)) {
            case BaseErrc::digest_malformed:
                return "malformed digest";
            case BaseErrc::digest_unsupported:
                return "unsupported digest algorithm";
            case BaseErrc::hash_state_invalid:
                return "invalid saved hash state";
        }
        return "unknown error";
    }
};

// The two hexadecimal digits of each byte.
consteval std::array<std::array<char, 2>, 256> hex_pairs() {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::array<std::array<char, 2>, 256> pairs{};
    for (std::size_t byte = 0; byte < 256; ++byte)
        pairs[byte] = {kDigits[byte >> 4], kDigits[byte & 15]};
    return pairs;
}
constexpr auto kHexPairs = hex_pairs();

}  // namespace

const boost::system::error_category& base_category() noexcept {
    static constexpr BaseCategory category;
    return category;
}

bool all_zero(ByteView bytes) noexcept {
    if (bytes.empty()) return true;
    // Each byte is as the one before it, and the first is zero.
    return bytes[0] == std::byte{0} &&
           std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

std::size_t printable_prefix(std::string_view text) noexcept {
    std::size_t at = 0;
    for (; at + 8 <= text.size(); at += 8) {
        if (!printable_eight(load_le<std::uint64_t>(as_bytes(text).data() + at))) break;
    }
    while (at < text.size() && text[at] >= 0x20 && text[at] < 0x7f) ++at;
    return at;
}

void append_hex(std::string& text, ByteView bytes) {
    const auto begin = text.size();
    text.resize(begin + bytes.size() * 2);
    char* to = text.data() + begin;
    for (const std::byte b : bytes) {
        std::memcpy(to, kHexPairs[std::to_integer<std::size_t>(b)].data(), 2);
        to += 2;
    }
}

std::string to_hex(ByteView bytes) {
    std::string text;
    append_hex(text, bytes);
    return text;
}

}  // namespace orbitalreg
