// Options that nothing may start with, and those that an operator is warned of.

#include "frontend/oidc.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

namespace orbitalreg::frontend {
namespace {

using Kind = OidcMatcher::Kind;

OidcOptions good_options() {
    OidcOptions options;
    OidcIssuer issuer;
    issuer.name = "github";
    issuer.issuer = "https://token.actions.githubusercontent.com";
    issuer.audiences = {"reg.example"};
    options.issuers = {issuer};
    OidcRule rule;
    rule.name = "release";
    rule.issuer = "github";
    rule.claims = {{"repository_owner_id", Kind::equal, {"123456"}}};
    rule.grants = {{{"acme"}, {"acme/app/**"}, "developer", {"push", "pull"}}};
    options.rules = {rule};
    return options;
}

using Change = std::function<void(OidcIssuer& issuer, OidcRule& rule)>;

// All findings, a line each.
std::string findings_after(const Change& change, bool offline = false) {
    auto options = good_options();
    change(options.issuers[0], options.rules[0]);
    std::string text;
    for (const auto& finding : check_oidc(options, offline)) {
        text += (text.empty() ? "" : "\n") + std::string{finding.warning ? "warning " : ""} +
                finding.path + ": " + finding.message;
    }
    return text;
}

bool refuses_claims(std::vector<OidcMatcher> claims) {
    const auto found = findings_after([&](OidcIssuer&, OidcRule& rule) { rule.claims = claims; });
    return found.starts_with("oidc.rules[0].claims: must say whose tokens it means");
}

std::string warning_of(std::vector<OidcMatcher> claims) {
    return findings_after([&](OidcIssuer&, OidcRule& rule) { rule.claims = claims; });
}

TEST(OidcCheck, GoodOptionsHaveNoFindings) {
    EXPECT_EQ(findings_after([](OidcIssuer&, OidcRule&) {}), "");
    EXPECT_TRUE(check_oidc({}, true).empty());
}

TEST(OidcCheck, Issuers) {
    const auto found = [](const std::string& url) {
        return findings_after([&url](OidcIssuer& issuer, OidcRule&) { issuer.issuer = url; });
    };
    for (const auto* url : {"https://gitlab.corp", "https://gitlab.corp:8443/a/",
                            "http://127.0.0.1:1", "http://localhost:80", "http://[::1]:80"})
        EXPECT_EQ(found(url), "") << url;
    EXPECT_EQ(found("http://gitlab.corp"),
              "oidc.issuers[0].issuer: must be https; http only on this machine, for tests");
    for (const auto* url :
         {"", "gitlab.corp", "https://", "https://u@gitlab.corp", "https://gitlab.corp?x",
          "https://gitlab.corp#x", "ldap://gitlab.corp"}) {
        EXPECT_EQ(found(url), "oidc.issuers[0].issuer: `" + std::string{url} +
                                  "` is not a URL without user, query and fragment");
    }
    for (const auto* name : {"", "A", "a b", "a:b", "a/b"}) {
        EXPECT_TRUE(findings_after([&](OidcIssuer& issuer, OidcRule& rule) {
                        issuer.name = rule.issuer = name;
                    }).starts_with("oidc.issuers[0].name: must be"))
            << name;
    }
    EXPECT_EQ(findings_after([](OidcIssuer&, OidcRule& rule) { rule.issuer = "gitlab"; }),
              "oidc.rules[0].issuer: `gitlab` is the name of no issuer");
    auto twice = good_options();
    twice.issuers.push_back(twice.issuers[0]);
    twice.rules.push_back(twice.rules[0]);
    const auto findings = check_oidc(twice, false);
    ASSERT_EQ(findings.size(), 3U);
    EXPECT_EQ(findings[0].path, "oidc.issuers[1].name");
    EXPECT_EQ(findings[1].path, "oidc.issuers[1].issuer");
    EXPECT_EQ(findings[2].path, "oidc.rules[1].name");
}

// SEC-55.
TEST(OidcCheck, Audiences) {
    const auto found = [](std::vector<std::string> audiences) {
        return findings_after([&](OidcIssuer& issuer, OidcRule&) { issuer.audiences = audiences; });
    };
    EXPECT_EQ(found({"reg.example", "https://reg.example"}), "");
    EXPECT_EQ(found({}), "oidc.issuers[0]: needs `audiences`");
    for (const auto* audience : {"", "*", "reg.*"}) {
        EXPECT_EQ(found({audience}),
                  "oidc.issuers[0].audiences: must be the exact name of this registry");
    }
    for (const auto* audience :
         {"sigstore", "api://AzureADTokenExchange", "sts.amazonaws.com", "https://github.com/acme",
          "https://gitlab.com", "https://token.actions.githubusercontent.com"}) {
        EXPECT_EQ(found({"reg.example", audience}),
                  "oidc.issuers[0].audiences: `" + std::string{audience} +
                      "` is an audience that many services share; tokens must be made for this "
                      "registry alone");
    }
}

TEST(OidcCheck, Keys) {
    const auto found = [](const std::function<void(OidcKeyOptions&)>& change, bool offline) {
        return findings_after([&](OidcIssuer& issuer, OidcRule&) { change(issuer.keys); }, offline);
    };
    const auto file = [](OidcKeyOptions& keys) {
        keys.source = OidcKeySource::file;
        keys.path = "/etc/keys.json";
    };
    EXPECT_EQ(found(file, true), "");
    EXPECT_EQ(found([](OidcKeyOptions&) {}, true),
              "oidc.issuers[0].jwks: mode discovery asks the issuer over the network, and "
              "auth.offline is set: use mode file");
    EXPECT_EQ(found([](OidcKeyOptions& keys) { keys.source = OidcKeySource::file; }, false),
              "oidc.issuers[0].jwks: needs a `path` with mode file");
    EXPECT_EQ(found([](OidcKeyOptions& keys) { keys.path = "/x"; }, false),
              "oidc.issuers[0].jwks.path: is without effect with mode discovery");
    EXPECT_EQ(found([](OidcKeyOptions& keys) { keys.stale_max = std::chrono::minutes{1}; }, false),
              "oidc.issuers[0].jwks.max_stale: must not be smaller than `refresh`");
    EXPECT_EQ(findings_after([](OidcIssuer& issuer, OidcRule&) {
                  issuer.allow_networks = {"10.0.0.0/8", "gitlab.corp"};
                  issuer.jwks_hosts = {"keys.example", "https://x", "UPPER.example"};
                  issuer.algorithms = {};
                  issuer.token_life_max = std::chrono::hours{25};
                  issuer.token_age_max = std::chrono::seconds{1};
              }),
              "oidc.issuers[0].algorithms: must not be empty\n"
              "oidc.issuers[0].max_token_life: must be from 1m to 24h\n"
              "oidc.issuers[0].max_token_age: must be from 1m to 24h\n"
              "oidc.issuers[0].allow_networks: `gitlab.corp` is no network such as 192.0.2.0/24\n"
              "oidc.issuers[0].jwks_hosts: `https://x` is no host name\n"
              "oidc.issuers[0].jwks_hosts: `UPPER.example` is no host name");
}

// SEC-56: any workflow on earth must not be meant.
TEST(OidcCheck, RulesSayWhoTheyMean) {
    EXPECT_TRUE(refuses_claims({}));
    EXPECT_TRUE(refuses_claims({{"ref", Kind::equal, {"refs/heads/main"}}}));
    EXPECT_TRUE(refuses_claims({{"repository", Kind::present, {}}}));
    EXPECT_TRUE(refuses_claims({{"repository", Kind::not_in, {"evil/app"}}}));
    for (const auto* glob : {"*", "*/*", "*/app", "acme*", "acme*/app", "a*"})
        EXPECT_TRUE(refuses_claims({{"repository", Kind::glob, {glob}}})) << glob;
    for (const auto* glob : {"*", "repo:*", "repo:*/*", "repo:*/*:*", "repo:acme*/app:*",
                             "repo:*/app:ref:refs/heads/main", "project_path:*/app:*"})
        EXPECT_TRUE(refuses_claims({{"sub", Kind::glob, {glob}}})) << glob;
    for (const auto* glob : {"*", "12*"})
        EXPECT_TRUE(refuses_claims({{"project_id", Kind::glob, {glob}}})) << glob;
    for (const auto* regex :
         {".*", "[^/]+/[^/]+", "repo:.*", ".+", "(repo|x):.*", "repo:[^/]+/app:.*", "repo:acme.*",
          "repo:(acme|evil)/app:.*", "(?i)repo:acme/app:.*"})
        EXPECT_TRUE(refuses_claims({{"sub", Kind::regex, {regex}}})) << regex;
    for (const auto* regex :
         {".*", "[^/]+/[^/]+", "[a-z].*/.*", "\\S+", ".*/app", "/.*", "acme.?/app"})
        EXPECT_TRUE(refuses_claims({{"repository", Kind::regex, {regex}}})) << regex;
    for (const auto* regex : {"[0-9]+", "77|78", "77"})
        EXPECT_TRUE(refuses_claims({{"project_id", Kind::regex, {regex}}})) << regex;
    EXPECT_TRUE(refuses_claims({{"repository", Kind::glob, {"acme/*", "*/*"}}})) << "one is enough";

    EXPECT_EQ(warning_of({{"project_id", Kind::equal, {"77"}}}), "");
    EXPECT_EQ(warning_of({{"sub", Kind::equal, {"system:serviceaccount:ci:builder"}}}), "");
    constexpr std::string_view kNames =
        "warning oidc.rules[0].claims: compares names only, which can be taken over by others "
        "after "
        "a renaming; add repository_owner_id, repository_id, project_id or namespace_id";
    EXPECT_EQ(warning_of({{"repository", Kind::equal, {"acme/app"}}}), kNames);
    for (const auto* glob : {"acme/*", "acme/app*", "acme/app", "acme/*-app"})
        EXPECT_EQ(warning_of({{"repository", Kind::glob, {glob}}}), kNames) << glob;
    for (const auto* regex :
         {"acme/.*", "acme/app", "acme/(app|tool)", "acme/[a-z]+-app", "acme/.+"})
        EXPECT_EQ(warning_of({{"repository", Kind::regex, {regex}}}), kNames) << regex;
    EXPECT_EQ(warning_of({{"sub", Kind::regex, {"repo:acme/.*:ref:refs/heads/main"}}}), kNames);
    EXPECT_EQ(warning_of({{"sub", Kind::glob, {"system:serviceaccount:ci:*"}}}), kNames);
    EXPECT_EQ(warning_of({{"sub", Kind::equal, {"repo:acme/app:environment:production"}}}), kNames);
    EXPECT_EQ(warning_of({{"sub", Kind::glob, {"repo:acme/*:environment:production"}}}), kNames);
    EXPECT_EQ(warning_of({{"project_path", Kind::regex, {"platform/[a-z-]+"}}}), kNames);
    EXPECT_EQ(warning_of({{"repository", Kind::glob, {"acme/*"}},
                          {"repository_owner_id", Kind::equal, {"1"}}}),
              "");
}

TEST(OidcCheck, Patterns) {
    const auto found = [](OidcMatcher matcher) {
        return findings_after([&](OidcIssuer&, OidcRule& rule) { rule.claims.push_back(matcher); });
    };
    EXPECT_EQ(found({"ref", Kind::glob, {""}}),
              "oidc.rules[0].claims.ref: an empty value or pattern is refused");
    EXPECT_EQ(found({"ref", Kind::equal, {""}}),
              "oidc.rules[0].claims.ref: an empty value or pattern is refused");
    EXPECT_EQ(found({"ref", Kind::not_in, {}}), "oidc.rules[0].claims.ref: must not be empty");
    EXPECT_TRUE(found({"ref", Kind::regex, {"("}})
                    .starts_with("oidc.rules[0].claims.ref: is no regular expression: "));
    EXPECT_EQ(found({"ref", Kind::regex, {std::string(513, 'a')}}),
              "oidc.rules[0].claims.ref: a pattern is longer than 512 characters");
}

TEST(OidcCheck, Grants) {
    const auto found = [](OidcGrant grant) {
        return findings_after([&](OidcIssuer&, OidcRule& rule) { rule.grants = {grant}; });
    };
    EXPECT_EQ(found({{"acme"}, {}, "admin", {}}), "");
    EXPECT_EQ(found({{"{{claims.namespace_path}}"}, {}, "maintainer", {}}), "");
    EXPECT_EQ(
        found({{"{{claims.namespace_path}}"}, {}, "admin", {}}),
        "oidc.rules[0].grant[0].projects: a project that a token names cannot be granted with "
        "role admin");
    for (const auto* role : {"system admin", "system_admin", "administrator"}) {
        EXPECT_EQ(
            found({{"acme"}, {}, role, {}}),
            "oidc.rules[0].grant[0].role: nobody administers the system by a token from outside");
    }
    EXPECT_EQ(found({{"acme"}, {}, "root", {}}),
              "oidc.rules[0].grant[0].role: `root` is not one of: limited, guest, developer, "
              "maintainer, admin, security");
    EXPECT_EQ(found({{"acme"}, {}, "developer", {"administer"}}),
              "oidc.rules[0].grant[0].actions: the role developer does not allow `administer`");
    EXPECT_EQ(found({{"acme"}, {}, "developer", {"delete"}}),
              "oidc.rules[0].grant[0].actions: the role developer does not allow `delete`");
    EXPECT_EQ(found({{"acme"}, {}, "developer", {"fly"}}),
              "oidc.rules[0].grant[0].actions: `fly` is no action");
    EXPECT_EQ(found({{}, {}, "developer", {}}), "oidc.rules[0].grant[0]: needs `projects`");
    for (const auto* project : {"Acme", "acme/app", "", "*"}) {
        EXPECT_EQ(found({{project}, {}, "developer", {}}), "oidc.rules[0].grant[0].projects: `" +
                                                               std::string{project} +
                                                               "` is no name of a project");
    }
    for (const auto* project : {"{{claims.}}", "{{x}}", "{{claims.a", "a}}", "{claims.a}"}) {
        EXPECT_EQ(found({{project}, {}, "developer", {}}),
                  "oidc.rules[0].grant[0].projects: `" + std::string{project} +
                      "` is not of the form `{{claims.NAME}}`");
    }
    EXPECT_EQ(found({{"acme"}, {"acme/{{claims.x}}"}, "developer", {}}),
              "oidc.rules[0].grant[0].repositories: values of claims may stand in `projects` only");
    EXPECT_EQ(found({{"acme"}, {""}, "developer", {}}),
              "oidc.rules[0].grant[0].repositories: an empty pattern is refused");
    EXPECT_EQ(findings_after([](OidcIssuer&, OidcRule& rule) { rule.grants = {}; }),
              "oidc.rules[0]: needs a `grant`");
    for (const std::int64_t ttl : {59, 901}) {
        EXPECT_EQ(findings_after([ttl](OidcIssuer&, OidcRule& rule) { rule.ttl_s = ttl; }),
                  "oidc.rules[0].ttl: must be from 60 to 900 seconds");
    }
}

}  // namespace
}  // namespace orbitalreg::frontend
