#pragma once
// PublicKey checks signatures and SigningKey makes them: the asymmetric algorithms of tokens, identity providers and trust
// policies. A key fits the algorithms of its own kind and no other, and there is no symmetric one (SEC-38, SEC-41).
//
// Life     values; a copy shares the key. Threads  any.
// Limits   RSA of 2048 to 8192 bits with an exponent of 65537 to 2^32; curves P-256 and P-384; Ed25519.
// Source   RFC 7518 (ES256, ES384, RS256, PS256), RFC 8037 (EdDSA), RFC 7517 and 7638 (JWK, thumbprint).

#include "base/bytes.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct evp_pkey_st;

namespace orbitalreg {

enum class SignatureAlgorithm : std::uint8_t { es256, es384, eddsa, rs256, ps256 };

// `ES256`, as tokens write it; case matters.
std::string_view to_string(SignatureAlgorithm algorithm) noexcept;
std::optional<SignatureAlgorithm> parse_signature_algorithm(std::string_view text) noexcept;

enum class Curve : std::uint8_t { p256, p384 };

class PublicKey {
public:
    // Nothing for numbers that are no key of its kind, or one outside the limits above. Big-endian; coordinates have the
    // full size of their curve.
    static std::optional<PublicKey> from_ec(Curve curve, ByteView x, ByteView y);
    static std::optional<PublicKey> from_ed25519(ByteView x);
    static std::optional<PublicKey> from_rsa(ByteView modulus, ByteView exponent);

    bool fits(SignatureAlgorithm algorithm) const noexcept;
    // False for an algorithm that does not fit. ECDSA signatures are r and s in full size, one behind the other.
    bool verify(SignatureAlgorithm algorithm, ByteView message, ByteView signature) const;

    // A JSON object of the members that make the key, in the order of RFC 7638.
    std::string jwk() const;
    // base64url of the SHA-256 of jwk(): 43 characters.
    std::string thumbprint() const;

private:
    friend class SigningKey;
    enum class Kind : std::uint8_t { p256, p384, ed25519, rsa };
    PublicKey(std::shared_ptr<evp_pkey_st> key, Kind kind) noexcept
        : key_{std::move(key)}, kind_{kind} {}
    static std::optional<PublicKey> checked(std::shared_ptr<evp_pkey_st> key);

    std::shared_ptr<evp_pkey_st> key_;
    Kind kind_;
};

class SigningKey {
public:
    // es256 or eddsa; nothing for another algorithm.
    static std::optional<SigningKey> generate(SignatureAlgorithm algorithm);
    // PKCS #8, not encrypted.
    static std::optional<SigningKey> from_pem(std::string_view pem);
    std::string to_pem() const;

    SignatureAlgorithm algorithm() const noexcept;
    const PublicKey& public_key() const noexcept { return public_; }
    // Empty when the library fails.
    std::vector<std::byte> sign(ByteView message) const;

private:
    explicit SigningKey(PublicKey key) noexcept : public_{std::move(key)} {}
    PublicKey public_;  // its key_ has the private half too
};

}  // namespace orbitalreg
