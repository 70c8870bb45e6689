// What a rule accepts (SEC-56), and what the value of a claim may become.

#include "federation/claim_rules.h"

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

namespace orbitalreg::frontend {
namespace {

namespace json = boost::json;
using Kind = OidcMatcher::Kind;

json::object object_of(const std::string& text) { return json::parse(text).as_object(); }

bool matches(Kind kind, std::vector<std::string> values, const std::string& value) {
    const ClaimMatcher matcher{{"c", kind, std::move(values)}};
    return matcher.refusal(object_of(R"({"c":)" + value + '}')).empty();
}

struct MatcherCase {
    Kind kind;
    std::vector<std::string> values;
    std::string claim;  // in JSON
    bool accepted;
};

TEST(ClaimMatcher, Table) {
    const std::vector<MatcherCase> cases{
        {Kind::equal, {"acme/app"}, R"("acme/app")", true},
        {Kind::equal, {"acme/app"}, R"("acme/app2")", false},
        {Kind::equal, {"acme/app"}, R"("Acme/app")", false},
        {Kind::equal, {"acme/app"}, R"("acme/app ")", false},
        {Kind::equal, {"a", "b"}, R"("b")", true},
        {Kind::equal, {"a", "b"}, R"("c")", false},
        // By canonical text: providers do not agree on types.
        {Kind::equal, {"123456"}, "123456", true},
        {Kind::equal, {"123456"}, R"("123456")", true},
        {Kind::equal, {"18446744073709551615"}, "18446744073709551615", true},
        {Kind::equal, {"true"}, "true", true},
        {Kind::equal, {"true"}, R"("true")", true},
        {Kind::equal, {"true"}, "false", false},
        {Kind::equal, {"1"}, "true", false},
        {Kind::equal, {"1"}, "1.0", false},
        {Kind::equal, {"1000"}, "1e3", false},
        {Kind::equal, {"a"}, R"({"a":"a"})", false},
        {Kind::equal, {"null"}, "null", false},
        {Kind::equal, {""}, R"("")", true},  // refused when the configuration is read
        // Any element of an array.
        {Kind::equal, {"b"}, R"(["a","b"])", true},
        {Kind::equal, {"c"}, R"(["a","b"])", false},
        {Kind::equal, {"a"}, R"([["a"]])", false},
        {Kind::equal, {"a"}, "[]", false},
        // `*` crosses neither `/` nor `:`.
        {Kind::glob, {"refs/tags/v*"}, R"("refs/tags/v1.2")", true},
        {Kind::glob, {"refs/tags/v*"}, R"("refs/tags/v")", true},
        {Kind::glob, {"refs/tags/v*"}, R"("refs/tags/v1/evil")", false},
        {Kind::glob, {"refs/tags/v*"}, R"("refs/heads/v1")", false},
        {Kind::glob, {"refs/tags/v*"}, R"("x/refs/tags/v1")", false},
        {Kind::glob, {"repo:acme/*:ref:*"}, R"("repo:acme/app:ref:main")", true},
        {Kind::glob, {"repo:acme/*:ref:*"}, R"("repo:acme/app:environment:x:ref:main")", false},
        {Kind::glob, {"repo:acme/*"}, R"("repo:acme/app:pull_request")", false},
        {Kind::glob, {"*"}, R"("a/b")", false},
        {Kind::glob, {"**"}, R"("a/b")", false},
        {Kind::glob, {"*a*b"}, R"("xaxxab")", true},
        {Kind::glob, {"a.c"}, R"("abc")", false},
        {Kind::glob, {"a?c"}, R"("abc")", false},
        {Kind::glob, {"a[bc]"}, R"("ab")", false},
        {Kind::glob, {"x", "y*"}, R"("yes")", true},
        {Kind::glob, {"a*"}, R"(["b","ab"])", true},
        // From the first character to the last.
        {Kind::regex, {"platform/[a-z-]+"}, R"("platform/web-app")", true},
        {Kind::regex, {"platform/[a-z-]+"}, R"("evil/platform/web")", false},
        {Kind::regex, {"platform/[a-z-]+"}, R"("platform/web/evil")", false},
        {Kind::regex, {"platform/[a-z-]+"}, R"("platform/web\nevil")", false},
        {Kind::regex, {"a|b"}, R"("ab")", false},
        {Kind::regex, {"a|b"}, R"("b")", true},
        {Kind::regex, {"(a+)+"}, '"' + std::string(5'000, 'a') + R"(!")", false},
        {Kind::regex, {"["}, R"("[")", false},
        {Kind::not_in, {"pull_request"}, R"("push")", true},
        {Kind::not_in, {"pull_request", "pull_request_target"}, R"("pull_request_target")", false},
        {Kind::not_in, {"x"}, R"(["a","b"])", true},
        {Kind::not_in, {"b"}, R"(["a","b"])", false},
        {Kind::not_in, {"x"}, "[]", false},
        {Kind::not_in, {"x"}, R"(["a",{}])", false},
        {Kind::not_in, {"x"}, "1.5", false},
        {Kind::not_in, {"x"}, "null", false},
        {Kind::present, {}, R"("x")", true},
        {Kind::present, {}, R"("")", true},
        {Kind::present, {}, "{}", true},
        {Kind::present, {}, "null", false},
    };
    for (const auto& test : cases) {
        EXPECT_EQ(matches(test.kind, test.values, test.claim), test.accepted)
            << (test.values.empty() ? "present" : test.values.front()) << ' '
            << test.claim.substr(0, 60);
    }
}

TEST(ClaimMatcher, MissingClaimNeverMatches) {
    for (const auto kind : {Kind::equal, Kind::glob, Kind::regex, Kind::not_in, Kind::present}) {
        const ClaimMatcher matcher{{"environment", kind, {"x"}}};
        EXPECT_EQ(matcher.refusal({}), "environment is missing");
    }
}

TEST(ClaimMatcher, NamesWhatIsNoExpression) {
    EXPECT_EQ(ClaimMatcher({"c", Kind::regex, {"a+"}}).fault(), "");
    EXPECT_NE(ClaimMatcher({"c", Kind::regex, {"("}}).fault(), "");
    EXPECT_NE(ClaimMatcher({"c", Kind::regex, {"(a)\\1"}}).fault(), "") << "not in linear time";
    EXPECT_NE(ClaimMatcher({"c", Kind::regex, {"((a{1,100}){1,100}){1,100}"}}).fault(), "");
}

TEST(ExpandProject, PutsNamesInAndNothingElse) {
    const auto claims =
        object_of(R"({"ns":"platform","n":7,"up":"Platform","path":"a/b","dots":"..","e":"",
                      "list":["a"],"t":"{{claims.ns}}","nl":"a\nb","dash":"-a"})");
    const auto name_of = [&claims](std::string_view text) {
        return expand_project(text, claims).name.value_or("refused");
    };
    EXPECT_EQ(name_of("acme"), "acme");
    EXPECT_EQ(name_of("{{claims.ns}}"), "platform");
    EXPECT_EQ(name_of("team-{{claims.ns}}-{{claims.n}}"), "team-platform-7");
    for (const auto* text :
         {"{{claims.up}}", "{{claims.path}}", "{{claims.dots}}", "{{claims.e}}", "{{claims.list}}",
          "{{claims.t}}", "{{claims.nl}}", "{{claims.missing}}", "{{claims.dash}}",
          "{{claims.ns}}/x", "{{ns}}", "{{claims.}}", "{{claims.ns", "claims.ns}}", "{claims.ns}",
          "{{ claims.ns }}", "{{claims.{{claims.ns}}}}", ""}) {
        EXPECT_EQ(name_of(text), "refused") << text;
    }
    EXPECT_EQ(expand_project("{{claims.path}}", claims).refusal,
              "path is `a/b`, no part of a name");
}

OidcRule rule_of(std::string name, std::vector<OidcMatcher> claims) {
    OidcRule rule;
    rule.name = std::move(name);
    rule.issuer = "github";
    rule.claims = std::move(claims);
    rule.grants = {{{"acme"}, {}, "developer", {}}};
    return rule;
}

TEST(ClaimRules, EveryRuleThatAcceptsAddsItsGrants) {
    auto pull = rule_of("all-pull", {{"repository_owner_id", Kind::equal, {"1"}}});
    pull.grants = {{{"acme", "shared"}, {}, "limited", {}}};
    auto push = rule_of("main-push", {{"repository_owner_id", Kind::equal, {"1"}},
                                      {"ref", Kind::equal, {"refs/heads/main"}}});
    push.grants = {{{"acme"}, {"acme/app/**"}, "maintainer", {"push", "delete"}}};
    push.ttl_s = 300;
    auto other = rule_of("other-issuer", {{"repository_owner_id", Kind::equal, {"1"}}});
    other.issuer = "gitlab";
    const ClaimRules rules{{pull, push, other}};

    const auto both =
        rules.match("github", object_of(R"({"repository_owner_id":"1","ref":"refs/heads/main"})"));
    EXPECT_EQ(both.rules, (std::vector<std::string>{"all-pull", "main-push"}));
    EXPECT_EQ(both.ttl_s, 300);
    ASSERT_EQ(both.grants.size(), 3U);
    EXPECT_EQ(both.grants[0].project, "acme");
    EXPECT_EQ(both.grants[1].project, "shared");
    EXPECT_EQ(both.grants[1].role, engine::Role::limited);
    EXPECT_EQ(both.grants[1].origin, "rule all-pull");
    EXPECT_EQ(both.grants[2].patterns, std::vector<std::string>{"acme/app/**"});
    EXPECT_EQ(both.grants[2].only,
              (std::vector<engine::Action>{engine::Action::push, engine::Action::remove}));

    const auto one =
        rules.match("github", object_of(R"({"repository_owner_id":"1","ref":"refs/heads/x"})"));
    EXPECT_EQ(one.rules, std::vector<std::string>{"all-pull"});
    EXPECT_EQ(one.refusals, "main-push: ref is `refs/heads/x`");
    EXPECT_EQ(one.ttl_s, kOidcTtlMaxSeconds);

    EXPECT_TRUE(rules.match("nobody", object_of(R"({"repository_owner_id":"1"})")).rules.empty());
    EXPECT_TRUE(rules.has("all-pull"));
    EXPECT_FALSE(rules.has("all"));
}

TEST(ClaimRules, ProjectOfAClaimThatIsNoNameRefusesTheRule) {
    auto rule = rule_of("namespaces", {{"project_id", Kind::equal, {"77"}}});
    rule.grants = {{{"acme", "{{claims.namespace_path}}"}, {}, "developer", {}}};
    const ClaimRules rules{{rule}};
    const auto good =
        rules.match("github", object_of(R"({"project_id":"77","namespace_path":"web"})"));
    ASSERT_EQ(good.grants.size(), 2U);
    EXPECT_EQ(good.grants[1].project, "web");
    const auto bad =
        rules.match("github", object_of(R"({"project_id":"77","namespace_path":"web/../acme"})"));
    EXPECT_TRUE(bad.rules.empty());
    EXPECT_TRUE(bad.grants.empty());
    EXPECT_EQ(bad.refusals, "namespaces: namespace_path is `web/../acme`, no part of a name");
}

TEST(ClaimRules, WithoutConditionOrGrantNothingIsAccepted) {
    auto open = rule_of("open", {});
    auto idle = rule_of("idle", {{"sub", Kind::present, {}}});
    idle.grants = {};
    const ClaimRules rules{{open, idle}};
    const auto match = rules.match("github", object_of(R"({"sub":"x"})"));
    EXPECT_TRUE(match.rules.empty());
    EXPECT_EQ(match.refusals, "open: it has no condition; idle: it grants nothing");
}

TEST(ClaimRules, RefusalsAreBounded) {
    std::vector<OidcRule> many;
    for (int i = 0; i < 1000; ++i)
        many.push_back(rule_of("rule-" + std::to_string(i), {{"c", Kind::equal, {"x"}}}));
    const ClaimRules rules{many};
    const auto match =
        rules.match("github", object_of(R"({"c":")" + std::string(4'000, 'y') + "\"}"));
    EXPECT_LT(match.refusals.size(), 1'500U);
}

}  // namespace
}  // namespace orbitalreg::frontend
