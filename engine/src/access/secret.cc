#include "access/secret.h"

#include "base/base64.h"
#include "base/digest.h"

#include <openssl/crypto.h>

#include <array>

namespace orbitalreg::engine {
namespace {

constexpr std::string_view kBase32 = "abcdefghijklmnopqrstuvwxyz234567";
constexpr std::size_t kIdSize = 12;
constexpr std::size_t kSecretSize = 43;
constexpr std::size_t kCheckSize = 6;
constexpr std::size_t kPrefixSize = 4;
constexpr std::size_t kTextSize = kPrefixSize + kIdSize + 1 + kSecretSize + 1 + kCheckSize;

constexpr std::array<std::string_view, 4> kPrefixes{"orp_", "orr_", "ort_", "orb_"};

std::string_view prefix_of(SecretKind kind) noexcept {
    return kPrefixes[static_cast<std::size_t>(kind)];
}

// `count` characters of five bits each.
std::string base32_of(std::uint64_t bits, std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i, bits >>= 5) text += kBase32[bits & 31];
    return text;
}

std::string check_of(std::string_view text) {
    const auto digest = Digest::of(DigestAlgorithm::sha256, as_bytes(text));
    return base32_of(digest.prefix(), kCheckSize);
}

}  // namespace

std::string secret_hash(std::string_view text) {
    return Digest::of(DigestAlgorithm::sha256, as_bytes(text)).hex();
}

std::string Secret::hash() const { return secret_hash(text); }

std::string make_secret_id(Random& random) { return base32_of(random.next_u64(), kIdSize); }

Secret make_secret(SecretKind kind, Random& random, std::string_view id) {
    std::array<std::byte, 32> bytes;
    random.fill(bytes);
    Secret secret;
    secret.id = id.empty() ? make_secret_id(random) : std::string{id};
    secret.text = std::string{prefix_of(kind)} + secret.id + '_' + encode_base64url(bytes) + '_';
    secret.text += check_of(secret.text);
    return secret;
}

bool looks_like_secret(SecretKind kind, std::string_view text) noexcept {
    return text.starts_with(prefix_of(kind));
}

std::optional<std::string_view> secret_id_of(SecretKind kind, std::string_view text) {
    if (!looks_like_secret(kind, text) || text.size() != kTextSize) return std::nullopt;
    const auto body = text.substr(0, kTextSize - kCheckSize);
    if (body.back() != '_' || body[kPrefixSize + kIdSize] != '_') return std::nullopt;
    if (!same_hash(check_of(body), text.substr(body.size()))) return std::nullopt;
    const auto id = text.substr(kPrefixSize, kIdSize);
    if (id.find_first_not_of(kBase32) != id.npos) return std::nullopt;
    return id;
}

bool same_hash(std::string_view one, std::string_view other) noexcept {
    return one.size() == other.size() && !one.empty() &&
           CRYPTO_memcmp(one.data(), other.data(), one.size()) == 0;
}

}  // namespace orbitalreg::engine
