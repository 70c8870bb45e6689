// Tokens of an identity provider, from their bytes to what they are granted: who is refused, why, and in which words for the
// one who sent it (SEC-38 to SEC-42, SEC-53 to SEC-60).

#include "federation/federation.h"

#include "support/identity_provider.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <gtest/gtest.h>

namespace orbitalreg::frontend {
namespace {

namespace json = boost::json;
using Kind = OidcMatcher::Kind;

// Made with the openssl program: an RSA key of 2048 bits, a token signed with it, and one that takes the PEM of its public half
// for the secret of an HMAC.
constexpr std::string_view kRsaModulus =
    "1fJIQotLWcZjUnu-QLFhDK4qdUJGf3_BDPhokddhqGEb4me8ct0SpHB0AFAaCzhbihg7nzfEiOGQ4doZj7i8AE"
    "OqmPoDb7bVrmaX0VsSccb2c4daHquOqQaKzv7ekgq-k5XfX8B_xsGZ9w3_lubpooKonNCt1POhsfz5lZyTAd6n"
    "LGI59lpM96hOF1UMRdlZINAHx6LiSq6N24qGPzEP86mXoGUewzQQOr_n3EZqvVz2CuQO4Uz-MD4zHIy2Rghcvi"
    "V5wKJ_Cjl7SV0NwA7621POuGHD2GSEmk0gHKp7eN6guALniq-FfUtzJ-q73B4yF-t4mQR2O3HmwGkBphd5Qw";
constexpr std::string_view kRsaHeader = "eyJhbGciOiJSUzI1NiIsImtpZCI6InJzYS0xIiwidHlwIjoiSldUIn0";
constexpr std::string_view kRsaClaims =
    "eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwiYXVkIjoicmVnLmV4YW1wbGUiLCJzdWIiOiJyZXBvOmFjbW"
    "UvYXBwOnJlZjpyZWZzL2hlYWRzL21haW4iLCJpYXQiOjE3Njg0Nzg0MDAsIm5iZiI6MTc2ODQ3ODM5NSwiZXhw"
    "IjoxNzY4NDc4NzAwLCJqdGkiOiJyc2EtanRpIiwicmVwb3NpdG9yeSI6ImFjbWUvYXBwIiwicmVwb3NpdG9yeV"
    "9vd25lcl9pZCI6IjEyMzQ1NiIsInJlZiI6InJlZnMvaGVhZHMvbWFpbiIsImV2ZW50X25hbWUiOiJwdXNoIn0";
constexpr std::string_view kRsaSignature =
    "y039o0DdG4Fr_eUzmyAofZUQ0fHj6FJaTN8348WQ_6MYCTIHzllHvfnwjOmypz4v2k9Qvj3H75QjMaeC4MAHI4"
    "YzeG-vTX-8fawzI9Mk-7OticToqiWZ_uT_aoTSgdYjvl-KlZa7MnG777xEqWYNy94-VrA02pmvPpujwwXc7P2_"
    "30u_7rEijqaS3tyDw09MxM3kW37AMhkDhXsBwB2_unp1dY3yp-KbLMvCuyekOTlHaF5l9n8H0ZxDBnN2NtBhfr"
    "d9KRfy3kyoEqL7iLPZ2RBfbt_eLR8Hks6oiZA9YYgVsjmZWnIW-fnXPmrf_hYQd6oQiijbCsB5rq1IV7H0gQ";
constexpr std::string_view kHmacHeader = "eyJhbGciOiJIUzI1NiIsImtpZCI6InJzYS0xIiwidHlwIjoiSldUIn0";
constexpr std::string_view kHmacSignature = "Ju5PlMKJsIxOvQeeVxEXoxaC3mVpJjQvdeEdpZKCQEw";

std::string joined(std::string_view header, std::string_view claims, std::string_view signature) {
    return std::string{header}.append(".").append(claims).append(".").append(signature);
}

// As on GitHub: releases of one repository from tags, by an environment, and never from a pull request.
OidcOptions github_options() {
    OidcOptions options;
    options.issuers = {test_issuer()};
    OidcRule release;
    release.name = "acme-release";
    release.issuer = "idp";
    release.claims = {{"repository_owner_id", Kind::equal, {"123456"}},
                      {"repository", Kind::equal, {"acme/app"}},
                      {"environment", Kind::equal, {"production"}},
                      {"event_name", Kind::not_in, {"pull_request", "pull_request_target"}}};
    release.grants = {{{"acme"}, {"acme/app", "acme/app/**"}, "developer", {}}};
    release.ttl_s = 600;
    options.rules = {release};
    return options;
}

json::object github_claims() {
    return {{"iss", "https://idp.example"},
            {"aud", "reg.example"},
            {"sub", "repo:acme/app:environment:production"},
            {"jti", "one"},
            {"iat", kTestNow - 30},
            {"nbf", kTestNow - 35},
            {"exp", kTestNow + 270},
            {"repository", "acme/app"},
            {"repository_owner_id", "123456"},
            {"environment", "production"},
            {"event_name", "push"},
            {"ref", "refs/tags/v1"}};
}

class FederationTest : public testing::Test {
protected:
    FederationTest() { provider_.keys = {published(key_.public_key(), "k1")}; }

    Federation& federation() {
        if (!federation_) federation_.emplace(options_, clock_, null_log(), provider_.fetcher());
        return *federation_;
    }
    FederationAnswer accept(std::string token) {
        return run(federation().accept(std::move(token)));
    }
    FederationAnswer accept(const json::object& claims) { return accept(token_of(claims)); }
    // Whose claims are given as text, so that they can be what no tree of values can.
    std::string token_of(const std::string& claims) const {
        return sign(key_, R"({"alg":"ES256","kid":"k1","typ":"JWT"})", claims);
    }
    std::string token_of(const json::object& claims) const {
        return token_of(json::serialize(claims));
    }
    // The error and the reason, of what must be refused.
    std::string refusal_of(const FederationAnswer& answer) {
        if (answer.identity) return "accepted";
        switch (answer.error) {
            case FederationError::none:
                return "none: " + answer.reason;
            case FederationError::invalid_request:
                return "request: " + answer.reason;
            case FederationError::invalid_target:
                return "target: " + answer.reason;
            case FederationError::temporarily_unavailable:
                return "unavailable: " + answer.reason;
        }
        return {};
    }
    std::string refusal_with(std::string_view claim, json::value value) {
        auto claims = github_claims();
        claims[claim] = std::move(value);
        return refusal_of(accept(claims));
    }
    std::string refusal_without(std::string_view claim) {
        auto claims = github_claims();
        claims.erase(claim);
        return refusal_of(accept(claims));
    }

    const SigningKey key_ = SigningKey::generate(SignatureAlgorithm::es256).value();
    OidcOptions options_ = github_options();
    ManualClock clock_;
    TestProvider provider_;
    std::optional<Federation> federation_;
};

TEST_F(FederationTest, AcceptsAndSaysWhoItIs) {
    const auto answer = accept(github_claims());
    ASSERT_TRUE(answer.identity) << answer.reason;
    const auto& identity = *answer.identity;
    EXPECT_EQ(answer.error, FederationError::none);
    EXPECT_EQ(identity.issuer_name, "idp");
    EXPECT_EQ(identity.subject, "oidc:idp:repo:acme/app:environment:production");
    EXPECT_EQ(identity.rules, std::vector<std::string>{"acme-release"});
    ASSERT_EQ(identity.grants.size(), 1U);
    EXPECT_EQ(identity.grants[0].project, "acme");
    EXPECT_EQ(identity.grants[0].role, engine::Role::developer);
    EXPECT_EQ(identity.expires_s, kTestNow + 270);
    EXPECT_EQ(identity.ttl_s, 270) << "no longer than the token";
    EXPECT_EQ(identity.token_id.size(), 64U);
    EXPECT_FALSE(identity.password_login);
}

TEST_F(FederationTest, LivesNoLongerThanRuleTokenAndQuarterOfAnHour) {
    auto claims = github_claims();
    claims["exp"] = kTestNow + 3'000;
    EXPECT_EQ(accept(claims).identity->ttl_s, 600);
    options_.rules[0].ttl_s = 900;
    federation_.reset();
    EXPECT_EQ(accept(claims).identity->ttl_s, 900);
    claims["exp"] = kTestNow + 60;
    EXPECT_EQ(accept(claims).identity->ttl_s, 60);
    claims["exp"] = kTestNow + 59;
    EXPECT_EQ(refusal_of(accept(claims)), "request: about to expire");
}

TEST_F(FederationTest, Times) {
    EXPECT_EQ(refusal_with("exp", kTestNow - 30), "request: expired before it was issued");
    auto claims = github_claims();
    claims["iat"] = kTestNow - 200;
    claims["exp"] = kTestNow - 60;
    EXPECT_EQ(refusal_of(accept(claims)), "request: expired");
    claims["exp"] = kTestNow - 59;
    EXPECT_EQ(refusal_of(accept(claims)), "request: about to expire");
    EXPECT_EQ(refusal_with("nbf", kTestNow + 60), "accepted");
    EXPECT_EQ(refusal_with("nbf", kTestNow + 61), "request: not valid yet");
    EXPECT_EQ(refusal_without("nbf"), "accepted");
    EXPECT_EQ(refusal_with("iat", kTestNow + 60), "accepted");
    EXPECT_EQ(refusal_with("iat", kTestNow + 61), "request: issued in the future");
    EXPECT_EQ(refusal_with("iat", kTestNow - 600), "accepted");
    EXPECT_EQ(refusal_with("iat", kTestNow - 601), "request: issued too long ago");
    EXPECT_EQ(refusal_with("exp", kTestNow - 30 + 3600), "accepted");
    EXPECT_EQ(refusal_with("exp", kTestNow - 30 + 3601), "request: valid for longer than allowed");
    EXPECT_EQ(refusal_without("exp"), "request: exp is missing or no time");
    EXPECT_EQ(refusal_without("iat"), "request: iat is missing or no time");
}

// SEC-42: a time that is anything but a whole number of reasonable size.
TEST_F(FederationTest, TimesThatAreNone) {
    auto rest = github_claims();
    rest.erase("exp");
    auto text = json::serialize(rest);
    text.pop_back();
    for (const auto* exp :
         {"1768478700.0", "1768478700.5", "1.7684787e9", "\"1768478700\"", "true", "null", "[]",
          "9223372036854775807", "9223372036854775808", "18446744073709551616", "-1", "1e400"}) {
        const auto refusal = refusal_of(accept(token_of(text + R"(,"exp":)" + exp + '}')));
        EXPECT_TRUE(refusal == "request: exp is missing or no time" ||
                    refusal == "request: the claims are no JSON object in base64url")
            << exp << ' ' << refusal;
    }
    EXPECT_EQ(refusal_with("nbf", "1768478400"), "request: nbf is no time");
    EXPECT_EQ(refusal_with("nbf", 1.5), "request: nbf is no time");
    EXPECT_EQ(refusal_with("iat", -5), "request: iat is missing or no time");
}

// SEC-55.
TEST_F(FederationTest, Audiences) {
    EXPECT_EQ(refusal_with("aud", "other.example"), "target: made for another audience");
    EXPECT_EQ(refusal_with("aud", "reg.example/"), "target: made for another audience");
    EXPECT_EQ(refusal_with("aud", "REG.EXAMPLE"), "target: made for another audience");
    EXPECT_EQ(refusal_without("aud"), "request: aud is missing or no text");
    EXPECT_EQ(refusal_with("aud", 7), "request: aud is missing or no text");
    EXPECT_EQ(refusal_with("aud", json::array{}), "target: made for another audience");
    EXPECT_EQ(refusal_with("aud", json::array{"reg.example"}), "accepted");
    EXPECT_EQ(refusal_with("aud", json::array{"other"}), "target: made for another audience");
    EXPECT_EQ(refusal_with("aud", json::array{"reg.example", 7}),
              "request: aud holds what is no text");
    const json::array both{"other.example", "reg.example"};
    EXPECT_EQ(refusal_with("aud", both), "target: made for several audiences, without azp");
    auto claims = github_claims();
    claims["aud"] = both;
    claims["azp"] = "other.example";
    EXPECT_EQ(refusal_of(accept(claims)), "target: made for several audiences, azp is another");
    claims["azp"] = "reg.example";
    EXPECT_EQ(refusal_of(accept(claims)), "accepted");
}

TEST_F(FederationTest, Subjects) {
    EXPECT_EQ(refusal_without("sub"), "request: sub is missing or no subject");
    for (const json::value& sub :
         std::vector<json::value>{"", 7, json::array{"a"}, std::string(513, 's').c_str(), "a\nb"})
        EXPECT_EQ(refusal_with("sub", sub), "request: sub is missing or no subject");
    EXPECT_EQ(refusal_with("jti", ""), "request: jti is no text");
    EXPECT_EQ(refusal_with("jti", 7), "request: jti is no text");
    EXPECT_EQ(refusal_without("jti"), "accepted");
}

// SEC-53: no issuer that is nearly the configured one.
TEST_F(FederationTest, Issuers) {
    for (const auto* issuer : {"https://idp.example/", "http://idp.example", "https://IDP.example",
                               "https://idp.example.evil", "idp.example", "idp", ""}) {
        EXPECT_EQ(refusal_with("iss", issuer), "request: of no issuer that is known") << issuer;
    }
    EXPECT_EQ(refusal_with("iss", json::array{"https://idp.example"}),
              "request: of no issuer that is known");
    EXPECT_EQ(refusal_without("iss"), "request: of no issuer that is known");
    EXPECT_EQ(provider_.requests(), 0) << "nobody is asked for a stranger";
}

TEST_F(FederationTest, RulesRefuse) {
    EXPECT_EQ(refusal_with("event_name", "pull_request_target"),
              "request: no rule accepts it: acme-release: event_name is `pull_request_target`");
    EXPECT_EQ(refusal_with("event_name", "pull_request"),
              "request: no rule accepts it: acme-release: event_name is `pull_request`");
    EXPECT_EQ(refusal_without("event_name"),
              "request: no rule accepts it: acme-release: event_name is missing");
    EXPECT_EQ(refusal_without("environment"),
              "request: no rule accepts it: acme-release: environment is missing");
    EXPECT_EQ(refusal_with("environment", "staging"),
              "request: no rule accepts it: acme-release: environment is `staging`");
    EXPECT_EQ(refusal_with("repository", "acme/app-evil"),
              "request: no rule accepts it: acme-release: repository is `acme/app-evil`");
    EXPECT_EQ(refusal_with("repository_owner_id", "654321"),
              "request: no rule accepts it: acme-release: repository_owner_id is `654321`")
        << "somebody who took over the name";
    const auto answer = accept([] {
        auto claims = github_claims();
        claims.erase("environment");
        return claims;
    }());
    EXPECT_EQ(answer.issuer_name, "idp");
    EXPECT_EQ(answer.subject, "oidc:idp:repo:acme/app:environment:production");
}

// SEC-38 to SEC-40: before any cryptography.
TEST_F(FederationTest, HostileHeaders) {
    const auto claims = json::serialize(github_claims());
    const auto refusal_of_header = [&](const std::string& header) {
        return refusal_of(accept(sign(key_, header, claims)));
    };
    EXPECT_EQ(refusal_of_header(R"({"alg":"ES256","kid":"k1"})"), "accepted");
    EXPECT_EQ(refusal_of_header(R"({"alg":"none","kid":"k1"})"),
              "request: an algorithm that is not accepted");
    EXPECT_EQ(refusal_of_header(R"({"alg":"HS256","kid":"k1"})"),
              "request: an algorithm that is not accepted");
    EXPECT_EQ(refusal_of_header(R"({"alg":"ES384","kid":"k1"})"),
              "request: an algorithm that the issuer is not allowed");
    EXPECT_EQ(refusal_of_header(R"({"alg":"RS256","kid":"k1"})"),
              "request: the key is for another algorithm");
    EXPECT_EQ(refusal_of_header(R"({"alg":"ES256"})"), "request: it names no key");
    EXPECT_EQ(refusal_of_header(R"({"alg":"ES256","kid":"../../k1"})"),
              "request: the issuer has no such key");
    EXPECT_EQ(refusal_of_header(R"({"alg":"ES256","kid":"k1","typ":"at+jwt"})"),
              "request: another type of token");
    EXPECT_EQ(refusal_of_header(R"({"alg":"ES256","kid":"k1","typ":"orbital-login+jwt"})"),
              "request: another type of token");
    EXPECT_EQ(
        refusal_of_header(R"({"alg":"ES256","kid":"k1","jwk":)" + key_.public_key().jwk() + '}'),
        "request: a header field that is not accepted");
    EXPECT_EQ(refusal_of_header(R"({"alg":"ES256","kid":"k1","jku":"https://evil.example"})"),
              "request: a header field that is not accepted");
    EXPECT_EQ(refusal_of(accept(token_of(R"({"sub":"a","sub":"b"})"))),
              "request: the claims are no JSON object in base64url");
    EXPECT_EQ(refusal_of(accept(std::string{"no token"})), "request: not three parts");
}

TEST_F(FederationTest, AnotherKeyUnderTheSameName) {
    const auto stranger = SigningKey::generate(SignatureAlgorithm::es256).value();
    const auto token =
        sign(stranger, R"({"alg":"ES256","kid":"k1"})", json::serialize(github_claims()));
    EXPECT_EQ(refusal_of(accept(token)), "request: the signature is not the issuer's");
    provider_.keys.push_back(published(stranger.public_key(), "k1"));
    federation_.reset();
    EXPECT_EQ(refusal_of(accept(token)), "accepted") << "of two under one name, either";
    EXPECT_EQ(refusal_of(accept(github_claims())), "accepted");
}

TEST_F(FederationTest, RsaOfAnotherHand) {
    provider_.keys = {R"({"kty":"RSA","use":"sig","kid":"rsa-1","e":"AQAB","n":")" +
                      std::string{kRsaModulus} + "\"}"};
    options_.rules[0].claims = {{"repository_owner_id", Kind::equal, {"123456"}}};
    const auto good = joined(kRsaHeader, kRsaClaims, kRsaSignature);
    const auto answer = accept(good);
    ASSERT_TRUE(answer.identity) << answer.reason;
    EXPECT_EQ(answer.identity->subject, "oidc:idp:repo:acme/app:ref:refs/heads/main");
    auto bad = good;
    bad[good.size() - 10] = bad[good.size() - 10] == 'A' ? 'B' : 'A';
    EXPECT_EQ(refusal_of(accept(bad)), "request: the signature is not the issuer's");
    EXPECT_EQ(refusal_of(accept(joined(kHmacHeader, kRsaClaims, kHmacSignature))),
              "request: an algorithm that is not accepted");
    EXPECT_EQ(refusal_of(accept(joined(kRsaHeader, kRsaClaims, kHmacSignature))),
              "request: the signature is not the issuer's");
}

TEST_F(FederationTest, EddsaToo) {
    const auto key = SigningKey::generate(SignatureAlgorithm::eddsa).value();
    provider_.keys = {published(key.public_key(), "ed")};
    EXPECT_EQ(refusal_of(accept(
                  sign(key, R"({"alg":"EdDSA","kid":"ed"})", json::serialize(github_claims())))),
              "accepted");
    options_.issuers[0].algorithms = {SignatureAlgorithm::rs256};
    federation_.reset();
    EXPECT_EQ(refusal_of(accept(
                  sign(key, R"({"alg":"EdDSA","kid":"ed"})", json::serialize(github_claims())))),
              "request: an algorithm that the issuer is not allowed");
}

// SEC-60: what cannot be checked is not accepted.
TEST_F(FederationTest, IssuerDown) {
    provider_.down = true;
    EXPECT_EQ(refusal_of(accept(github_claims())),
              "unavailable: there are no keys yet: nobody answers");
    EXPECT_EQ(accept(github_claims()).issuer_name, "idp");
}

// SEC-57: the same token is the same, and no other is.
TEST_F(FederationTest, TokensHaveIds) {
    const auto id_of = [this](const json::object& claims) {
        return accept(claims).identity.value().token_id;
    };
    auto claims = github_claims();
    const auto first = id_of(claims);
    EXPECT_EQ(id_of(claims), first) << "signed anew";
    claims["ref"] = "refs/tags/v2";
    EXPECT_EQ(id_of(claims), first) << "the issuer says that it is the same";
    claims["jti"] = "two";
    EXPECT_NE(id_of(claims), first);
    claims.erase("jti");
    const auto without = id_of(claims);
    EXPECT_EQ(id_of(claims), without) << "another signature is not another token";
    claims["ref"] = "refs/tags/v3";
    EXPECT_NE(id_of(claims), without);
}

TEST_F(FederationTest, Groups) {
    options_.issuers[0].groups_claim = "groups";
    auto claims = github_claims();
    EXPECT_TRUE(accept(claims).identity->groups.empty());
    claims["groups"] = json::array{"dev", 7, "", "ops", std::string(256, 'g').c_str()};
    EXPECT_EQ(accept(claims).identity->groups, (std::vector<std::string>{"dev", "ops"}));
    claims["groups"] = "one";
    EXPECT_EQ(accept(claims).identity->groups, std::vector<std::string>{"one"});
}

TEST_F(FederationTest, KeepsFreshUntilCancelled) {
    asio::io_context context;
    asio::cancellation_signal stop;
    bool ended = false;
    asio::co_spawn(
        context, federation().keep_fresh(),
        asio::bind_cancellation_slot(stop.slot(), [&ended](std::exception_ptr) { ended = true; }));
    while (provider_.requests() < 2) context.poll_one();
    EXPECT_FALSE(ended);
    stop.emit(asio::cancellation_type::terminal);
    for (int i = 0; i < 1000 && !ended; ++i) context.poll_one();
    EXPECT_TRUE(ended);
}

TEST_F(FederationTest, KnowsTokensByTheirLooks) {
    EXPECT_TRUE(Federation::looks_like_token(token_of(github_claims())));
    EXPECT_TRUE(Federation::looks_like_token("eyJhbGciOiJub25lIn0.e30."));
    for (const auto* text :
         {"", "..", "a.b.c", "orp_abc.def.ghi", "correct.horse.battery", "e30.e30.e30",
          "eyJhbGciOiJub25lIn0", "eyJhbGciOiJub25lIn0.e30", "eyJhbGciOiJub25lIn0.e30.a.b"})
        EXPECT_FALSE(Federation::looks_like_token(text)) << text;
    EXPECT_TRUE(federation().has_rule("acme-release"));
    EXPECT_FALSE(federation().has_rule("gone"));
}

}  // namespace
}  // namespace orbitalreg::frontend
