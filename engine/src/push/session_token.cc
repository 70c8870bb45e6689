#include "push/session_token.h"

#include "base/assert.h"
#include "base/base64.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

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

void SessionTokens::FreeMac::operator()(evp_mac_ctx_st* mac) const noexcept {
    EVP_MAC_CTX_free(mac);
}

SessionTokens::SessionTokens(const std::array<std::byte, 32>& key) {
    EVP_MAC* hmac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
    keyed_.reset(EVP_MAC_CTX_new(hmac));
    EVP_MAC_free(hmac);
    std::string digest{"SHA256"};
    const std::array<OSSL_PARAM, 2> parameters{
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
        OSSL_PARAM_construct_end()};
    const bool ready =
        keyed_ != nullptr &&
        EVP_MAC_init(keyed_.get(), reinterpret_cast<const unsigned char*>(key.data()), key.size(),
                     parameters.data()) == 1;
    ORB_ASSERT(ready);
}

SessionTokens::Tag16 SessionTokens::tag_of(ByteView claims, const ImageName& image,
                                           const Principal& principal) const {
    const Mac mac_of{EVP_MAC_CTX_dup(keyed_.get())};
    const auto add = [&](std::string_view text) {
        return EVP_MAC_update(mac_of.get(), reinterpret_cast<const unsigned char*>(text.data()),
                              text.size()) == 1;
    };
    std::array<unsigned char, 32> mac{};
    std::size_t mac_size = 0;
    // No image name holds a zero byte, so that name and principal cannot run into each other.
    const bool done = mac_of != nullptr && add(as_text(claims)) && add(image.text()) &&
                      add({"\0", 1}) && add(principal.name) &&
                      EVP_MAC_final(mac_of.get(), mac.data(), &mac_size, mac.size()) == 1;
    ORB_ASSERT(done && mac_size == mac.size());
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
