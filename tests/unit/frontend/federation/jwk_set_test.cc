// Key sets as providers publish them: what is of use is found, all else is left out (RFC 7517).

#include "federation/jwk_set.h"

#include "support/identity_provider.h"

#include <gtest/gtest.h>

namespace orbitalreg::frontend {
namespace {

// RFC 7517, A.1, with the RSA key of the same appendix.
constexpr std::string_view kPublicKeys = R"({"keys":[
 {"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
  "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"enc","kid":"1"},
 {"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
  "e":"AQAB","alg":"RS256","kid":"2011-04-29"}]})";

TEST(JwkSet, FindsKeysByNameAndAlgorithm) {
    const auto set = JwkSet::parse(kPublicKeys);
    ASSERT_TRUE(set);
    EXPECT_EQ(set->size(), 1U) << "a key for encryption is of no use";
    EXPECT_EQ(set->find("2011-04-29", SignatureAlgorithm::rs256).size(), 1U);
    EXPECT_TRUE(set->find("2011-04-29", SignatureAlgorithm::ps256).empty())
        << "the set says RS256 only";
    EXPECT_TRUE(set->find("2011-04-29", SignatureAlgorithm::es256).empty());
    EXPECT_TRUE(set->find("1", SignatureAlgorithm::es256).empty());
    EXPECT_TRUE(set->find("", SignatureAlgorithm::rs256).empty());
    EXPECT_TRUE(set->has("2011-04-29"));
    EXPECT_FALSE(set->has("1"));
}

TEST(JwkSet, OneNameForTwoKeys) {
    const auto first = SigningKey::generate(SignatureAlgorithm::es256).value();
    const auto second = SigningKey::generate(SignatureAlgorithm::es256).value();
    const auto third = SigningKey::generate(SignatureAlgorithm::eddsa).value();
    const auto set = JwkSet::parse(R"({"keys":[)" + published(first.public_key(), "k") + ',' +
                                   published(second.public_key(), "k") + ',' +
                                   published(third.public_key(), "k") + "]}");
    ASSERT_TRUE(set);
    EXPECT_EQ(set->find("k", SignatureAlgorithm::es256).size(), 2U);
    EXPECT_EQ(set->find("k", SignatureAlgorithm::eddsa).size(), 1U);
}

TEST(JwkSet, LeavesOutWhatIsOfNoUse) {
    const auto good =
        published(SigningKey::generate(SignatureAlgorithm::es256)->public_key(), "good");
    const auto x = boost::json::parse(good).as_object().at("x").as_string();
    const auto long_id = std::string(kKeyIdSizeMax + 1, 'k');
    for (
        const std::string& other : std::vector<std::string>{
            R"({"kty":"oct","k":"c2VjcmV0","kid":"a"})", R"({"kty":"EC","kid":"a"})",
            R"({"kty":"XYZ","kid":"a"})", "{}", "[]", "null", "7",
            R"({"kty":"EC","crv":"P-521","x":"AA","y":"AA","kid":"a"})",
            R"({"kty":"EC","crv":"P-256","x":")" + std::string{x.c_str()} + R"(","y":")" +
                std::string{x.c_str()} + R"(","kid":"a"})",
            R"({"kty":"RSA","n":"AQAB","e":"AQAB","kid":"a"})",
            R"({"kty":"OKP","crv":"X25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"a"})",
            R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})",
            R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":7})",
            R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":""})",
            R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":")" +
                long_id + "\"}",
            R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"a","alg":"RS256"})",
            R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"a","alg":"HS256"})",
            R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"a","key_ops":["sign"]})",
            R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"a","use":7})"}) {
        const auto set = JwkSet::parse(R"({"keys":[)" + other + ',' + good + "]}");
        ASSERT_TRUE(set) << other;
        EXPECT_EQ(set->size(), 1U) << other;
        EXPECT_TRUE(set->has("good")) << other;
    }
}

TEST(JwkSet, RefusesWhatIsNoSet) {
    std::string many = R"({"keys":[{})";
    for (std::size_t i = 1; i < kJwkSetKeysMax; ++i) many += ",{}";
    EXPECT_TRUE(JwkSet::parse(many + "]}"));
    EXPECT_FALSE(JwkSet::parse(many + ",{}]}"));
    EXPECT_FALSE(JwkSet::parse(R"({"keys":[]})" + std::string(kJwkSetSizeMax, ' ')));
    for (const auto* text : {"", "[]", "{}", R"({"keys":{}})", R"({"keys":null})",
                             R"({"keys":[],"keys":[]})", R"({"keys":[]} x)", "<html>"}) {
        EXPECT_FALSE(JwkSet::parse(text)) << text;
    }
    EXPECT_EQ(JwkSet::parse(R"({"keys":[]})")->size(), 0U);
}

}  // namespace
}  // namespace orbitalreg::frontend
