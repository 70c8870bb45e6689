#include "base/digest.h"

#include "base/assert.h"
#include "base/errors.h"
#include "base/hasher.h"

#include <algorithm>
#include <array>

namespace orbitalreg {
namespace {

constexpr bool is_lower_alnum(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

// Lower-case alphanumeric parts joined by one of + . _ -
bool algorithm_well_formed(std::string_view text) noexcept {
    bool part_empty = true;
    for (const char c : text) {
        if (is_lower_alnum(c)) {
            part_empty = false;
        } else if (!part_empty && (c == '+' || c == '.' || c == '_' || c == '-')) {
            part_empty = true;
        } else {
            return false;
        }
    }
    return !part_empty;
}

bool encoded_well_formed(std::string_view text) noexcept {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return is_lower_alnum(c) || (c >= 'A' && c <= 'Z') || c == '=' || c == '_' || c == '-';
    });
}

constexpr std::uint8_t kNoDigit = 0xff;

// The value of each hexadecimal digit, lower case only.
consteval std::array<std::uint8_t, 256> hex_values() {
    std::array<std::uint8_t, 256> values{};
    values.fill(kNoDigit);
    for (std::uint8_t i = 0; i < 16; ++i)
        values[static_cast<std::size_t>("0123456789abcdef"[i])] = i;
    return values;
}
constexpr auto kHexValues = hex_values();

unsigned hex_value(char c) noexcept { return kHexValues[static_cast<unsigned char>(c)]; }

}  // namespace

std::string_view to_string(DigestAlgorithm algorithm) noexcept {
    return algorithm == DigestAlgorithm::sha256 ? "sha256" : "sha512";
}

Result<DigestAlgorithm> parse_digest_algorithm(std::string_view text) noexcept {
    if (text == "sha256") return DigestAlgorithm::sha256;
    if (text == "sha512") return DigestAlgorithm::sha512;
    return fail(BaseErrc::digest_unsupported);
}

Digest::Digest(DigestAlgorithm algorithm, ByteView hash) noexcept : algorithm_{algorithm} {
    ORB_ASSERT(hash.size() == digest_size_bytes(algorithm));
    std::copy(hash.begin(), hash.end(), hash_.begin());
}

Result<Digest> Digest::parse(std::string_view text) noexcept {
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) return fail(BaseErrc::digest_malformed);
    const std::string_view name = text.substr(0, colon);
    const std::string_view encoded = text.substr(colon + 1);
    const auto known = parse_digest_algorithm(name);
    if (!known) {
        const bool well_formed = algorithm_well_formed(name) && encoded_well_formed(encoded);
        return fail(well_formed ? BaseErrc::digest_unsupported : BaseErrc::digest_malformed);
    }
    const DigestAlgorithm algorithm = known.value();
    if (encoded.size() != 2 * digest_size_bytes(algorithm)) return fail(BaseErrc::digest_malformed);
    std::array<std::byte, 64> hash{};
    unsigned strange = 0;
    for (std::size_t i = 0; i < encoded.size() / 2; ++i) {
        const unsigned high = hex_value(encoded[2 * i]);
        const unsigned low = hex_value(encoded[2 * i + 1]);
        strange |= high | low;
        hash[i] = static_cast<std::byte>(high << 4 | low);
    }
    if (strange > 15) return fail(BaseErrc::digest_malformed);
    return Digest{algorithm, {hash.data(), digest_size_bytes(algorithm)}};
}

Digest Digest::of(DigestAlgorithm algorithm, ByteView content) noexcept {
    Hasher hasher{algorithm};
    hasher.update(content);
    return hasher.digest();
}

std::string Digest::to_string() const {
    std::string text;
    text.reserve(7 + 2 * hash().size());
    text.append(orbitalreg::to_string(algorithm_)).append(":");
    append_hex(text, hash());
    return text;
}

}  // namespace orbitalreg
