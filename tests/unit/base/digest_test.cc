#include "base/digest.h"

#include "base/errors.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace orbitalreg {
namespace {

const std::string kHex64(64, 'a');

// FIPS 180-4: the digests of "abc".
TEST(Digest, OfKnownContent) {
    EXPECT_EQ(Digest::of(DigestAlgorithm::sha256, as_bytes("abc")).to_string(),
              "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(Digest::of(DigestAlgorithm::sha512, as_bytes("abc")).to_string(),
              "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
              "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
}

TEST(Digest, TextRoundTrips) {
    for (const auto algorithm : {DigestAlgorithm::sha256, DigestAlgorithm::sha512}) {
        const Digest digest = Digest::of(algorithm, as_bytes("content"));
        const auto parsed = Digest::parse(digest.to_string());
        ASSERT_TRUE(parsed);
        EXPECT_EQ(parsed.value(), digest);
        EXPECT_EQ(parsed.value().algorithm(), algorithm);
    }
}

// DIST-DIG-01
TEST(Digest, RefusesWhatIsNoDigest) {
    const std::vector<std::string> malformed{
        "",
        "sha256",
        "sha256:",
        ":" + kHex64,
        "sha256" + kHex64,
        "sha256:" + kHex64.substr(1),
        "sha256:" + kHex64 + "a",
        "sha256:" + std::string(64, 'A'),
        "sha256:" + std::string(64, 'g'),
        "sha256:" + kHex64.substr(1) + " ",
        "sha256:" + kHex64.substr(1) + std::string(1, '\0'),
        "SHA256:" + kHex64,
        "sha256+:" + kHex64,
        "+sha256:" + kHex64,
        "sha..256:" + kHex64,
        "sha512:" + kHex64,
        "sha256:../" + kHex64.substr(3),
    };
    for (const auto& text : malformed) {
        const auto parsed = Digest::parse(text);
        ASSERT_FALSE(parsed) << text;
        EXPECT_EQ(parsed.error(), BaseErrc::digest_malformed) << text;
    }
}

// DIST-DIG-02
TEST(Digest, NamesAlgorithmsItDoesNotKnow) {
    for (const auto* text :
         {"md5:d41d8cd98f00b204e9800998ecf8427e", "sha384:abc", "a+b.c_d-e:Zz=_-"}) {
        const auto parsed = Digest::parse(text);
        ASSERT_FALSE(parsed) << text;
        EXPECT_EQ(parsed.error(), BaseErrc::digest_unsupported) << text;
    }
}

TEST(Digest, SameHashUnderAnotherAlgorithmIsAnotherDigest) {
    const std::vector<std::byte> zeros(64);
    EXPECT_NE(Digest(DigestAlgorithm::sha256, ByteView{zeros}.first(32)),
              Digest(DigestAlgorithm::sha512, zeros));
}

}  // namespace
}  // namespace orbitalreg
