#include "auth/jws.h"

#include "auth/strict_json.h"
#include "base/base64.h"

#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

namespace orbitalreg::frontend {
namespace {

namespace json = boost::json;

std::string part(std::string_view text) { return encode_base64url(as_bytes(text)); }

std::string token_of(std::string_view header, std::string_view claims,
                     std::string_view signature = "signature") {
    return part(header) + '.' + part(claims) + '.' + part(signature);
}

std::string_view fault_of(const std::string& token) {
    const auto reading = read_jws(token);
    EXPECT_EQ(reading.jws.has_value(), reading.fault.empty());
    return reading.fault;
}

constexpr std::string_view kHeader = R"({"alg":"ES256","typ":"JWT","kid":"k1"})";

TEST(Jws, ReadsWhatItWrote) {
    const auto key = SigningKey::generate(SignatureAlgorithm::es256).value();
    const json::object claims{
        {"iss", "https://reg.example"}, {"exp", 1768478700}, {"access", json::array{}}};
    const auto token = write_jws(key, "JWT", claims);
    const auto reading = read_jws(token);
    ASSERT_TRUE(reading.jws) << reading.fault;
    EXPECT_EQ(reading.jws->algorithm, SignatureAlgorithm::es256);
    EXPECT_EQ(reading.jws->type, "JWT");
    EXPECT_EQ(reading.jws->key_id, key.public_key().thumbprint());
    EXPECT_EQ(json::serialize(reading.jws->claims), json::serialize(claims));
    EXPECT_TRUE(reading.jws->verify(key.public_key()));
    EXPECT_FALSE(
        reading.jws->verify(SigningKey::generate(SignatureAlgorithm::es256)->public_key()));
}

// Each character changed to each of a few others: none is a token of this key any more (SEC-40: one text for each signature).
TEST(Jws, NoCharacterCanBeChanged) {
    const auto key = SigningKey::generate(SignatureAlgorithm::eddsa).value();
    const auto good = write_jws(key, "JWT", {{"sub", "user:alice"}, {"exp", 1}});
    for (std::size_t i = 0; i < good.size(); ++i) {
        for (const char other : {'A', 'B', '_', '.', '=', ' '}) {
            if (good[i] == other) continue;
            auto bad = good;
            bad[i] = other;
            const auto reading = read_jws(bad);
            ASSERT_FALSE(reading.jws && reading.jws->verify(key.public_key())) << i << ' ' << other;
        }
    }
    for (std::size_t size = 0; size < good.size(); ++size) {
        const auto cut = good.substr(0, size);
        const auto reading = read_jws(cut);
        ASSERT_FALSE(reading.jws && reading.jws->verify(key.public_key())) << size;
    }
}

// SEC-38 to SEC-40.
TEST(Jws, RefusesHostileShapes) {
    EXPECT_EQ(fault_of(token_of(kHeader, "{}")), "");
    EXPECT_EQ(fault_of(token_of(R"({"alg":"none"})", "{}")), "an algorithm that is not accepted");
    EXPECT_EQ(fault_of(token_of(R"({"alg":"HS256"})", "{}")), "an algorithm that is not accepted");
    EXPECT_EQ(fault_of(token_of(R"({"alg":["ES256"]})", "{}")),
              "an algorithm that is not accepted");
    EXPECT_EQ(fault_of(token_of("{}", "{}")), "an algorithm that is not accepted");
    for (const auto field : {R"("jwk":{})", R"("jku":"https://x")", R"("x5u":"https://x")",
                             R"("x5c":[])", R"("crit":["exp"])", R"("b64":false)", R"("zip":"DEF")",
                             R"("enc":"A256GCM")", R"("cty":"JWT")"}) {
        EXPECT_EQ(fault_of(token_of(std::string{R"({"alg":"ES256",)"} + field + '}', "{}")),
                  "a header field that is not accepted");
    }
    EXPECT_EQ(fault_of(token_of(R"({"alg":"ES256","kid":7})", "{}")),
              "a header field that is no text");
    EXPECT_EQ(fault_of(token_of(R"({"alg":"ES256","kid":""})", "{}")),
              "a header field that is no text");
    EXPECT_EQ(fault_of(token_of(R"({"alg":"ES256","kid":")" + std::string(129, 'k') + "\"}", "{}")),
              "a header field that is no text");
    EXPECT_EQ(fault_of(token_of(R"({"alg":"ES256","alg":"none"})", "{}")),
              "the header is no JSON object in base64url");
    EXPECT_EQ(fault_of(token_of(kHeader, R"({"sub":"a","sub":"b"})")),
              "the claims are no JSON object in base64url");
    EXPECT_EQ(fault_of(token_of(kHeader, R"({"a":{"b":1,"\u0062":2}})")),
              "the claims are no JSON object in base64url");
    EXPECT_EQ(fault_of(token_of(kHeader, "[]")), "the claims are no JSON object in base64url");
    EXPECT_EQ(fault_of(token_of(kHeader, "{} ")), "");
    EXPECT_EQ(fault_of(token_of(kHeader, "{}{}")), "the claims are no JSON object in base64url");
    EXPECT_EQ(fault_of(token_of(kHeader, "{\"a\":\"\xff\"}")),
              "the claims are no JSON object in base64url");
    EXPECT_EQ(fault_of(token_of(kHeader, R"({"a":[[[[[[[[[[]]]]]]]]]]})")),
              "the claims are no JSON object in base64url");
    EXPECT_EQ(fault_of(token_of(kHeader, "{}", "")), "the signature is not base64url");
    EXPECT_EQ(fault_of(token_of(kHeader, "{}") + "="), "the signature is not base64url");
    EXPECT_EQ(fault_of(token_of(kHeader, "{}") + ".x"), "not three parts");
    EXPECT_EQ(fault_of("a.b"), "not three parts");
    EXPECT_EQ(fault_of(""), "not three parts");
    EXPECT_EQ(fault_of(token_of(kHeader, "{}") + ".a.b"), "not three parts")
        << "an encrypted one has five";
    EXPECT_EQ(fault_of(R"({"payload":"e30","signatures":[]})"), "not three parts");
    EXPECT_EQ(fault_of(std::string(kJwsSizeMax + 1, 'a')), "too large");
    EXPECT_EQ(fault_of("eyJhbGciOiJFUzI1NiJ9+.e30.AA"),
              "the header is no JSON object in base64url");
}

TEST(Jws, ANumberThatNoDoubleHoldsIsRefused) {
    for (const auto* text : {"8888e888", "-1e309", R"({"exp":1e999})"})
        EXPECT_FALSE(parse_strict_json(text, 2)) << text;
    EXPECT_TRUE(parse_strict_json("1e300", 2));
}

TEST(Jws, TimesAreWholeNumbers) {
    const auto claims = parse_strict_json(
        R"({"a":1768478400,"b":1768478400.5,"c":"1768478400","d":1e9,"e":99999999999999999999,"f":-1})",
        2);
    ASSERT_TRUE(claims);
    const auto& object = claims->get_object();
    EXPECT_EQ(number_claim(object, "a"), 1768478400);
    EXPECT_EQ(number_claim(object, "f"), -1);
    for (const auto name : {"b", "c", "d", "e", "missing"})
        EXPECT_FALSE(number_claim(object, name)) << name;
    EXPECT_EQ(text_claim(object, "c"), "1768478400");
    EXPECT_FALSE(text_claim(object, "a"));
}

}  // namespace
}  // namespace orbitalreg::frontend
