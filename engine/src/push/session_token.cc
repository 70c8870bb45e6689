#include "push/session_token.h"

#include "base/assert.h"
#include "base/base64.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>

namespace orbitalreg::engine {

namespace {

constexpr std::size_t kClaimsSize = 24;
constexpr std::size_t kTagSize = 16;
constexpr std::size_t kTokenSize = kClaimsSize + kTagSize;
constexpr std::uint8_t kVersion = 1;

std::array<std::byte, kClaimsSize> encode_claims(const SessionClaims& claims) {
    std::array<std::byte, kClaimsSize> bytes{};
    // The time fills 8 bytes of which the upper 2 are zero, then the first two fields are put
    // before it.
    store_le<std::uint64_t>(bytes.data(), claims.issued_store_time_s << 16);
    bytes[0] = std::byte{kVersion};
    bytes[1] = static_cast<std::byte>(claims.algorithm);
    std::copy(claims.session.begin(), claims.session.end(), bytes.begin() + 8);
    return bytes;
}

}  // namespace

SessionTokens::Tag16 SessionTokens::tag_of(ByteView claims, const ImageName& image,
                                           const Principal& principal) const {
    // No image name holds a zero byte, so that name and principal cannot run into each other.
    std::vector<std::byte> message{claims.begin(), claims.end()};
    const auto name = as_bytes(image.text());
    message.insert(message.end(), name.begin(), name.end());
    message.push_back(std::byte{0});
    const auto who = as_bytes(principal.name);
    message.insert(message.end(), who.begin(), who.end());

    std::array<unsigned char, 32> mac{};
    unsigned int mac_size = 0;
    const auto* done = HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
                            reinterpret_cast<const unsigned char*>(message.data()), message.size(),
                            mac.data(), &mac_size);
    ORB_ASSERT(done != nullptr && mac_size == mac.size());
    Tag16 tag;
    std::memcpy(tag.data(), mac.data(), tag.size());
    return tag;
}

std::string SessionTokens::issue(const SessionClaims& claims, const ImageName& image,
                                 const Principal& principal) const {
    const auto encoded = encode_claims(claims);
    const auto tag = tag_of(encoded, image, principal);
    std::array<std::byte, kTokenSize> token;
    std::copy(encoded.begin(), encoded.end(), token.begin());
    std::copy(tag.begin(), tag.end(), token.begin() + kClaimsSize);
    return encode_base64url(token);
}

std::optional<SessionClaims> SessionTokens::verify(std::string_view token, const ImageName& image,
                                                   const Principal& principal) const {
    constexpr std::size_t kTextSize = (kTokenSize * 4 + 2) / 3;
    if (token.size() != kTextSize) return std::nullopt;
    const auto bytes = decode_base64url(token);
    if (!bytes || bytes->size() != kTokenSize) return std::nullopt;
    const ByteView view{*bytes};
    const auto claims_bytes = view.first(kClaimsSize);
    const auto tag = tag_of(claims_bytes, image, principal);
    if (CRYPTO_memcmp(tag.data(), view.data() + kClaimsSize, kTagSize) != 0) return std::nullopt;

    // Genuine, but perhaps of another version of this program.
    const auto algorithm = static_cast<DigestAlgorithm>(view[1]);
    const bool known = view[0] == std::byte{kVersion} && (algorithm == DigestAlgorithm::sha256 ||
                                                          algorithm == DigestAlgorithm::sha512);
    if (!known) return std::nullopt;
    SessionClaims claims;
    claims.issued_store_time_s = load_le<std::uint64_t>(view.data()) >> 16;
    claims.algorithm = algorithm;
    std::copy_n(view.begin() + 8, claims.session.size(), claims.session.begin());
    return claims;
}

std::string uuid_text(const SessionId& session) {
    auto text = to_hex(session);
    for (const std::size_t dash : {8U, 13U, 18U, 23U}) text.insert(dash, 1, '-');
    return text;
}

}  // namespace orbitalreg::engine
