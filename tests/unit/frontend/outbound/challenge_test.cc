// What upstreams ask for, as they write it.

#include "outbound/challenge.h"

#include <gtest/gtest.h>

namespace orbitalreg::frontend {
namespace {

using Scheme = Challenge::Scheme;

TEST(Challenge, OfKnownRegistries) {
    const struct {
        std::string_view field;
        Challenge expected;
    } cases[] = {
        {R"(Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/alpine:pull")",
         {Scheme::bearer, "https://auth.docker.io/token", "registry.docker.io",
          "repository:library/alpine:pull", ""}},
        {R"(Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:user/image:pull")",
         {Scheme::bearer, "https://ghcr.io/token", "ghcr.io", "repository:user/image:pull", ""}},
        {R"(Bearer realm="https://quay.io/v2/auth",service="quay.io")",
         {Scheme::bearer, "https://quay.io/v2/auth", "quay.io", "", ""}},
        {R"(bearer REALM="https://h/t", scope="a,b" , error="invalid_token")",
         {Scheme::bearer, "https://h/t", "", "a,b", "invalid_token"}},
        {R"(Basic realm="Sonatype \"Nexus\"")", {Scheme::basic, "Sonatype \"Nexus\"", "", "", ""}},
        {"Bearer realm=https://h/t,service=s", {Scheme::bearer, "https://h/t", "s", "", ""}},
        {"Basic", {Scheme::basic, "", "", "", ""}},
        {R"(Bearer realm = "https://h/t")", {Scheme::bearer, "https://h/t", "", "", ""}},
        {R"(Bearer realm="https://a/t",realm="https://b/t")",
         {Scheme::bearer, "https://a/t", "", "", ""}},
        {R"(Bearer realm="unfinished)", {Scheme::bearer, "unfinished", "", "", ""}},
    };
    for (const auto& [field, expected] : cases)
        EXPECT_EQ(parse_challenges(field), std::vector<Challenge>{expected}) << field;
}

TEST(Challenge, SeveralInOneField) {
    const auto challenges = parse_challenges(
        R"(Negotiate abc/def+g==, NTLM, Digest realm="d", nonce="n", Basic realm="b",Bearer realm="https://h/t",service="s")");
    EXPECT_EQ(challenges, (std::vector<Challenge>{{Scheme::basic, "b", "", "", ""},
                                                  {Scheme::bearer, "https://h/t", "s", "", ""}}));
}

TEST(Challenge, NoneOfWhatIsNone) {
    for (const std::string_view field :
         {"", ",", ", ,", "=", "\"", "realm=\"x\"", "\x01\x02", "Token a=b", "@@@@", "\\"})
        EXPECT_TRUE(parse_challenges(field).empty()) << field;
}

TEST(Challenge, IsBounded) {
    std::string many;
    for (int i = 0; i < 100; ++i) many += "Basic a=b, ";
    EXPECT_EQ(parse_challenges(many).size(), kChallengesMax);
    const auto long_one = parse_challenges("Bearer realm=\"" + std::string(100'000, 'x') + '"');
    ASSERT_EQ(long_one.size(), 1U);
    EXPECT_LT(long_one[0].realm.size(), kChallengeTextMax);
}

}  // namespace
}  // namespace orbitalreg::frontend
