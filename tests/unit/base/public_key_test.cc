#include "base/public_key.h"

#include "base/base64.h"

#include <gtest/gtest.h>

namespace orbitalreg {
namespace {

std::vector<std::byte> bytes(std::string_view base64url) {
    return decode_base64url(base64url).value();
}

// RFC 7515, A.3.
constexpr std::string_view kEcX = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
constexpr std::string_view kEcY = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
constexpr std::string_view kEcMessage =
    "eyJhbGciOiJFUzI1NiJ9."
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlf"
    "Q";
constexpr std::string_view kEcSignature =
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

// RFC 8037, A.2 to A.4.
constexpr std::string_view kEdX = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
constexpr std::string_view kEdMessage = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
constexpr std::string_view kEdSignature =
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

// RFC 7638, 3.1.
constexpr std::string_view kRsaN =
    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_"
    "BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2"
    "W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_"
    "FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD0"
    "8qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-"
    "kEgU8awapJzKnqDKgw";

TEST(PublicKey, ChecksTheSignatureOfRfc7515) {
    const auto key = PublicKey::from_ec(Curve::p256, bytes(kEcX), bytes(kEcY));
    ASSERT_TRUE(key);
    EXPECT_TRUE(key->verify(SignatureAlgorithm::es256, as_bytes(kEcMessage), bytes(kEcSignature)));
    EXPECT_FALSE(key->verify(SignatureAlgorithm::es256, as_bytes(kEcMessage.substr(1)),
                             bytes(kEcSignature)));
    EXPECT_FALSE(key->verify(SignatureAlgorithm::es384, as_bytes(kEcMessage), bytes(kEcSignature)));
    EXPECT_FALSE(key->verify(SignatureAlgorithm::rs256, as_bytes(kEcMessage), bytes(kEcSignature)));
}

TEST(PublicKey, ChecksTheSignatureOfRfc8037) {
    const auto key = PublicKey::from_ed25519(bytes(kEdX));
    ASSERT_TRUE(key);
    EXPECT_TRUE(key->verify(SignatureAlgorithm::eddsa, as_bytes(kEdMessage), bytes(kEdSignature)));
    EXPECT_FALSE(key->verify(SignatureAlgorithm::eddsa, as_bytes(kEdMessage), ByteView{}));
    EXPECT_EQ(key->jwk(),
              R"({"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})");
    EXPECT_EQ(key->thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

TEST(PublicKey, HasTheThumbprintOfRfc7638) {
    const auto key = PublicKey::from_rsa(bytes(kRsaN), bytes("AQAB"));
    ASSERT_TRUE(key);
    EXPECT_EQ(key->thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    EXPECT_TRUE(key->fits(SignatureAlgorithm::rs256));
    EXPECT_TRUE(key->fits(SignatureAlgorithm::ps256));
    EXPECT_FALSE(key->fits(SignatureAlgorithm::es256));
}

// SEC-41.
TEST(PublicKey, RefusesWhatIsNoKeyOrAWeakOne) {
    auto y = bytes(kEcY);
    y.back() ^= std::byte{1};
    EXPECT_FALSE(PublicKey::from_ec(Curve::p256, bytes(kEcX), y)) << "not on the curve";
    EXPECT_FALSE(PublicKey::from_ec(Curve::p384, bytes(kEcX), bytes(kEcY)));
    EXPECT_FALSE(PublicKey::from_ec(Curve::p256, {}, {}));
    EXPECT_FALSE(
        PublicKey::from_ec(Curve::p256, std::vector<std::byte>(32), std::vector<std::byte>(32)));
    EXPECT_FALSE(PublicKey::from_ed25519(ByteView{bytes(kEcX)}.first(31)));
    const auto n = bytes(kRsaN);
    EXPECT_FALSE(PublicKey::from_rsa(ByteView{n}.first(128), bytes("AQAB"))) << "1024 bits";
    EXPECT_FALSE(PublicKey::from_rsa(n, bytes("Aw"))) << "an exponent of 3";
    EXPECT_FALSE(PublicKey::from_rsa(n, bytes("AQ"))) << "an exponent of 1";
    EXPECT_FALSE(PublicKey::from_rsa(n, std::vector<std::byte>(9, std::byte{0xff})));
    EXPECT_FALSE(PublicKey::from_rsa(std::vector<std::byte>(1025, std::byte{0xff}), bytes("AQAB")))
        << "8200 bits";
    EXPECT_FALSE(PublicKey::from_rsa({}, {}));
}

// SEC-41: a length that is not twice the curve's, numbers of zero, one that is too large.
TEST(PublicKey, RefusesMisshapenSignatures) {
    const auto key = PublicKey::from_ec(Curve::p256, bytes(kEcX), bytes(kEcY));
    const auto good = bytes(kEcSignature);
    for (std::size_t size = 0; size < good.size(); ++size) {
        EXPECT_FALSE(key->verify(SignatureAlgorithm::es256, as_bytes(kEcMessage),
                                 ByteView{good}.first(size)))
            << size;
    }
    auto longer = good;
    longer.push_back(std::byte{0});
    EXPECT_FALSE(key->verify(SignatureAlgorithm::es256, as_bytes(kEcMessage), longer));
    for (const std::size_t half : {0U, 32U}) {
        for (const auto filling : {std::byte{0}, std::byte{0xff}}) {
            auto bad = good;
            std::fill_n(bad.begin() + static_cast<std::ptrdiff_t>(half), 32, filling);
            EXPECT_FALSE(key->verify(SignatureAlgorithm::es256, as_bytes(kEcMessage), bad));
        }
    }
    EXPECT_FALSE(
        key->verify(SignatureAlgorithm::es256, as_bytes(kEcMessage), std::vector<std::byte>(64)));
}

TEST(SigningKey, SignsWhatItsPublicHalfVerifies) {
    for (const auto algorithm : {SignatureAlgorithm::es256, SignatureAlgorithm::eddsa}) {
        const auto key = SigningKey::generate(algorithm);
        ASSERT_TRUE(key);
        const auto again = SigningKey::from_pem(key->to_pem());
        ASSERT_TRUE(again);
        EXPECT_EQ(again->algorithm(), algorithm);
        EXPECT_EQ(again->public_key().thumbprint(), key->public_key().thumbprint());
        const auto other = SigningKey::generate(algorithm);
        // Often enough that numbers with leading zeros are among them.
        for (int i = 0; i < 600; ++i) {
            const auto message = "message " + std::to_string(i);
            const auto signature = again->sign(as_bytes(message));
            ASSERT_EQ(signature.size(), 64U);
            ASSERT_TRUE(key->public_key().verify(algorithm, as_bytes(message), signature));
            ASSERT_FALSE(key->public_key().verify(algorithm, as_bytes(message + "."), signature));
            ASSERT_FALSE(other->public_key().verify(algorithm, as_bytes(message), signature));
        }
    }
}

TEST(SigningKey, IsMadeForTwoAlgorithmsAndReadFromNothingElse) {
    EXPECT_FALSE(SigningKey::generate(SignatureAlgorithm::rs256));
    EXPECT_FALSE(SigningKey::generate(SignatureAlgorithm::es384));
    EXPECT_FALSE(SigningKey::from_pem(""));
    EXPECT_FALSE(
        SigningKey::from_pem("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"));
}

TEST(SignatureAlgorithm, IsNamedInOneWay) {
    for (const auto name : {"ES256", "ES384", "EdDSA", "RS256", "PS256"})
        EXPECT_EQ(to_string(parse_signature_algorithm(name).value()), name);
    for (const auto name : {"", "none", "HS256", "es256", "RS512", "EDDSA", "ES256 "})
        EXPECT_FALSE(parse_signature_algorithm(name)) << name;
}

}  // namespace
}  // namespace orbitalreg
