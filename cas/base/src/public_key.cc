#include "base/public_key.h"

#include "base/base64.h"
#include "base/digest.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <array>

namespace orbitalreg {
namespace {

constexpr int kRsaBitsMin = 2048;
constexpr int kRsaBitsMax = 8192;
constexpr std::uint64_t kExponentMin = 65537;
constexpr std::uint64_t kExponentMax = 1ULL << 32;
constexpr std::size_t kEd25519Size = 32;

struct Free {
    void operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
    void operator()(EVP_PKEY_CTX* context) const noexcept { EVP_PKEY_CTX_free(context); }
    void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
    void operator()(BIGNUM* number) const noexcept { BN_free(number); }
    void operator()(ECDSA_SIG* signature) const noexcept { ECDSA_SIG_free(signature); }
    void operator()(OSSL_PARAM_BLD* builder) const noexcept { OSSL_PARAM_BLD_free(builder); }
    void operator()(OSSL_PARAM* parameters) const noexcept { OSSL_PARAM_free(parameters); }
    void operator()(BIO* bio) const noexcept { BIO_free(bio); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

// Whatever went wrong here must not be read by the TLS connection that this thread serves next.
struct ErrorsForgotten {
    ErrorsForgotten() = default;
    ErrorsForgotten(const ErrorsForgotten&) = delete;
    ErrorsForgotten& operator=(const ErrorsForgotten&) = delete;
    ~ErrorsForgotten() { ERR_clear_error(); }
};

const unsigned char* octets(ByteView bytes) noexcept {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}
unsigned char* octets(std::vector<std::byte>& bytes) noexcept {
    return reinterpret_cast<unsigned char*>(bytes.data());
}

constexpr std::size_t coordinate_size(Curve curve) noexcept {
    return curve == Curve::p256 ? 32 : 48;
}

Owned<BIGNUM> number_of(ByteView bytes) {
    return Owned<BIGNUM>{BN_bin2bn(octets(bytes), static_cast<int>(bytes.size()), nullptr)};
}

std::shared_ptr<EVP_PKEY> key_of(const char* type, OSSL_PARAM_BLD* builder) {
    const Owned<OSSL_PARAM> parameters{OSSL_PARAM_BLD_to_param(builder)};
    const Owned<EVP_PKEY_CTX> context{EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr)};
    EVP_PKEY* key = nullptr;
    if (!parameters || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
        EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1) {
        return nullptr;
    }
    return {key, Free{}};
}

// The number as bytes, at least `size` of them.
std::vector<std::byte> parameter(const EVP_PKEY* key, const char* name, std::size_t size) {
    BIGNUM* found = nullptr;
    if (EVP_PKEY_get_bn_param(key, name, &found) != 1) return {};
    const Owned<BIGNUM> number{found};
    std::vector<std::byte> bytes(std::max(size, static_cast<std::size_t>(BN_num_bytes(found))));
    BN_bn2binpad(found, octets(bytes), static_cast<int>(bytes.size()));
    return bytes;
}

// r and s in full size, as tokens have them, to what OpenSSL reads; empty for any other length.
std::vector<std::byte> to_der(ByteView raw, std::size_t size) {
    if (raw.size() != 2 * size) return {};
    auto r = number_of(raw.first(size));
    auto s = number_of(raw.last(size));
    const Owned<ECDSA_SIG> signature{ECDSA_SIG_new()};
    if (!r || !s || !signature || ECDSA_SIG_set0(signature.get(), r.get(), s.get()) != 1) return {};
    static_cast<void>(r.release());
    static_cast<void>(s.release());
    unsigned char* der = nullptr;
    const int length = i2d_ECDSA_SIG(signature.get(), &der);
    if (length <= 0) return {};
    const auto* begin = reinterpret_cast<const std::byte*>(der);
    std::vector<std::byte> bytes(begin, begin + length);
    OPENSSL_free(der);
    return bytes;
}

std::vector<std::byte> to_raw(ByteView der, std::size_t size) {
    const unsigned char* at = octets(der);
    const Owned<ECDSA_SIG> signature{d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()))};
    if (!signature) return {};
    std::vector<std::byte> raw(2 * size);
    const int part = static_cast<int>(size);
    if (BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), octets(raw), part) != part ||
        BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), octets(raw) + size, part) != part) {
        return {};
    }
    return raw;
}

struct Named {
    SignatureAlgorithm algorithm;
    std::string_view name;
};
constexpr std::array kNames{
    Named{SignatureAlgorithm::es256, "ES256"}, Named{SignatureAlgorithm::es384, "ES384"},
    Named{SignatureAlgorithm::eddsa, "EdDSA"}, Named{SignatureAlgorithm::rs256, "RS256"},
    Named{SignatureAlgorithm::ps256, "PS256"}};

// Of the message; EdDSA hashes it itself.
const EVP_MD* hash_of(SignatureAlgorithm algorithm) noexcept {
    switch (algorithm) {
        case SignatureAlgorithm::eddsa:
            return nullptr;
        case SignatureAlgorithm::es384:
            return EVP_sha384();
        default:
            return EVP_sha256();
    }
}

}  // namespace

std::string_view to_string(SignatureAlgorithm algorithm) noexcept {
    for (const auto& named : kNames) {
        if (named.algorithm == algorithm) return named.name;
    }
    return {};
}

std::optional<SignatureAlgorithm> parse_signature_algorithm(std::string_view text) noexcept {
    for (const auto& named : kNames) {
        if (named.name == text) return named.algorithm;
    }
    return std::nullopt;
}

// What of the library's key is one of ours, and within the limits.
std::optional<PublicKey> PublicKey::checked(std::shared_ptr<EVP_PKEY> key) {
    if (!key) return std::nullopt;
    const Owned<EVP_PKEY_CTX> context{EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr)};
    if (!context || EVP_PKEY_public_check(context.get()) != 1) return std::nullopt;
    switch (EVP_PKEY_get_base_id(key.get())) {
        case EVP_PKEY_ED25519:
            return PublicKey{std::move(key), Kind::ed25519};
        case EVP_PKEY_EC: {
            std::array<char, 64> group{};
            std::size_t size = 0;
            if (EVP_PKEY_get_group_name(key.get(), group.data(), group.size(), &size) != 1)
                return std::nullopt;
            const std::string_view name{group.data(), size};
            if (name == SN_X9_62_prime256v1) return PublicKey{std::move(key), Kind::p256};
            if (name == SN_secp384r1) return PublicKey{std::move(key), Kind::p384};
            return std::nullopt;
        }
        case EVP_PKEY_RSA: {
            const int bits = EVP_PKEY_get_bits(key.get());
            if (bits < kRsaBitsMin || bits > kRsaBitsMax) return std::nullopt;
            const auto exponent = parameter(key.get(), OSSL_PKEY_PARAM_RSA_E, 1);
            if (exponent.size() > sizeof(std::uint64_t)) return std::nullopt;
            std::uint64_t value = 0;
            for (const std::byte byte : exponent)
                value = value << 8 | std::to_integer<unsigned>(byte);
            if (value < kExponentMin || value > kExponentMax || value % 2 == 0) return std::nullopt;
            return PublicKey{std::move(key), Kind::rsa};
        }
        default:
            return std::nullopt;
    }
}

std::optional<PublicKey> PublicKey::from_ec(Curve curve, ByteView x, ByteView y) {
    const ErrorsForgotten forgotten;
    const std::size_t size = coordinate_size(curve);
    if (x.size() != size || y.size() != size) return std::nullopt;
    std::vector<std::byte> point{std::byte{4}};  // uncompressed
    point.insert(point.end(), x.begin(), x.end());
    point.insert(point.end(), y.begin(), y.end());
    const Owned<OSSL_PARAM_BLD> builder{OSSL_PARAM_BLD_new()};
    if (!builder) return std::nullopt;
    OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME,
                                    curve == Curve::p256 ? SN_X9_62_prime256v1 : SN_secp384r1, 0);
    OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                     point.size());
    return checked(key_of("EC", builder.get()));
}

std::optional<PublicKey> PublicKey::from_ed25519(ByteView x) {
    const ErrorsForgotten forgotten;
    if (x.size() != kEd25519Size) return std::nullopt;
    return checked(
        {EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, octets(x), x.size()), Free{}});
}

std::optional<PublicKey> PublicKey::from_rsa(ByteView modulus, ByteView exponent) {
    const ErrorsForgotten forgotten;
    if (modulus.size() > kRsaBitsMax / 8 + 1 || exponent.size() > sizeof(std::uint64_t))
        return std::nullopt;
    const auto n = number_of(modulus);
    const auto e = number_of(exponent);
    const Owned<OSSL_PARAM_BLD> builder{OSSL_PARAM_BLD_new()};
    if (!n || !e || !builder) return std::nullopt;
    OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get());
    OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get());
    return checked(key_of("RSA", builder.get()));
}

bool PublicKey::fits(SignatureAlgorithm algorithm) const noexcept {
    switch (algorithm) {
        case SignatureAlgorithm::es256:
            return kind_ == Kind::p256;
        case SignatureAlgorithm::es384:
            return kind_ == Kind::p384;
        case SignatureAlgorithm::eddsa:
            return kind_ == Kind::ed25519;
        case SignatureAlgorithm::rs256:
        case SignatureAlgorithm::ps256:
            return kind_ == Kind::rsa;
    }
    return false;
}

bool PublicKey::verify(SignatureAlgorithm algorithm, ByteView message, ByteView signature) const {
    const ErrorsForgotten forgotten;
    if (!fits(algorithm)) return false;
    std::vector<std::byte> der;
    if (kind_ == Kind::p256 || kind_ == Kind::p384) {
        der = to_der(signature, coordinate_size(kind_ == Kind::p256 ? Curve::p256 : Curve::p384));
        if (der.empty()) return false;
        signature = der;
    }
    const Owned<EVP_MD_CTX> context{EVP_MD_CTX_new()};
    EVP_PKEY_CTX* details = nullptr;  // belongs to `context`
    if (!context || EVP_DigestVerifyInit(context.get(), &details, hash_of(algorithm), nullptr,
                                         key_.get()) != 1) {
        return false;
    }
    if (algorithm == SignatureAlgorithm::ps256 &&
        (EVP_PKEY_CTX_set_rsa_padding(details, RSA_PKCS1_PSS_PADDING) != 1 ||
         EVP_PKEY_CTX_set_rsa_pss_saltlen(details, RSA_PSS_SALTLEN_DIGEST) != 1)) {
        return false;
    }
    return EVP_DigestVerify(context.get(), octets(signature), signature.size(), octets(message),
                            message.size()) == 1;
}

std::string PublicKey::jwk() const {
    const ErrorsForgotten forgotten;
    if (kind_ == Kind::rsa) {
        return R"({"e":")" + encode_base64url(parameter(key_.get(), OSSL_PKEY_PARAM_RSA_E, 1)) +
               R"(","kty":"RSA","n":")" +
               encode_base64url(parameter(key_.get(), OSSL_PKEY_PARAM_RSA_N, 1)) + R"("})";
    }
    if (kind_ == Kind::ed25519) {
        std::vector<std::byte> x(kEd25519Size);
        std::size_t size = x.size();
        EVP_PKEY_get_raw_public_key(key_.get(), octets(x), &size);
        return R"({"crv":"Ed25519","kty":"OKP","x":")" + encode_base64url(x) + R"("})";
    }
    const Curve curve = kind_ == Kind::p256 ? Curve::p256 : Curve::p384;
    const std::size_t size = coordinate_size(curve);
    return std::string{R"({"crv":")"} + (curve == Curve::p256 ? "P-256" : "P-384") +
           R"(","kty":"EC","x":")" +
           encode_base64url(parameter(key_.get(), OSSL_PKEY_PARAM_EC_PUB_X, size)) + R"(","y":")" +
           encode_base64url(parameter(key_.get(), OSSL_PKEY_PARAM_EC_PUB_Y, size)) + R"("})";
}

std::string PublicKey::thumbprint() const {
    return encode_base64url(Digest::of(DigestAlgorithm::sha256, as_bytes(jwk())).hash());
}

std::optional<SigningKey> SigningKey::generate(SignatureAlgorithm algorithm) {
    const ErrorsForgotten forgotten;
    EVP_PKEY* made = nullptr;
    if (algorithm == SignatureAlgorithm::es256) made = EVP_EC_gen("P-256");
    if (algorithm == SignatureAlgorithm::eddsa)
        made = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
    if (made == nullptr) return std::nullopt;
    auto key = PublicKey::checked({made, Free{}});
    if (!key) return std::nullopt;
    return SigningKey{std::move(*key)};
}

std::optional<SigningKey> SigningKey::from_pem(std::string_view pem) {
    const ErrorsForgotten forgotten;
    const Owned<BIO> bio{BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))};
    // A passphrase is nothing that a server could be asked for.
    const auto no_passphrase = [](char*, int, int, void*) { return -1; };
    auto key = PublicKey::checked(
        {bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr) : nullptr,
         Free{}});
    if (!key || key->kind_ == PublicKey::Kind::rsa || key->kind_ == PublicKey::Kind::p384)
        return std::nullopt;
    return SigningKey{std::move(*key)};
}

std::string SigningKey::to_pem() const {
    const ErrorsForgotten forgotten;
    const Owned<BIO> bio{BIO_new(BIO_s_mem())};
    if (!bio || PEM_write_bio_PKCS8PrivateKey(bio.get(), public_.key_.get(), nullptr, nullptr, 0,
                                              nullptr, nullptr) != 1) {
        return {};
    }
    char* text = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &text);
    return {text, static_cast<std::size_t>(size)};
}

SignatureAlgorithm SigningKey::algorithm() const noexcept {
    return public_.kind_ == PublicKey::Kind::ed25519 ? SignatureAlgorithm::eddsa
                                                     : SignatureAlgorithm::es256;
}

std::vector<std::byte> SigningKey::sign(ByteView message) const {
    const ErrorsForgotten forgotten;
    const Owned<EVP_MD_CTX> context{EVP_MD_CTX_new()};
    EVP_PKEY* const key = public_.key_.get();
    std::size_t size = 0;
    if (!context ||
        EVP_DigestSignInit(context.get(), nullptr, hash_of(algorithm()), nullptr, key) != 1 ||
        EVP_DigestSign(context.get(), nullptr, &size, octets(message), message.size()) != 1) {
        return {};
    }
    std::vector<std::byte> signature(size);
    if (EVP_DigestSign(context.get(), octets(signature), &size, octets(message), message.size()) !=
        1)
        return {};
    signature.resize(size);
    if (algorithm() == SignatureAlgorithm::eddsa) return signature;
    return to_raw(signature, coordinate_size(Curve::p256));
}

}  // namespace orbitalreg
