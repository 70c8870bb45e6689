// The `oidc` section as it is written: what is read, and on which line a mistake is found.

#include "config/oidc_section.h"

#include "config/reading.h"

#include <gtest/gtest.h>

namespace orbitalreg::frontend {
namespace {

LoadedConfig read(const std::string& text) {
    LoadedConfig loaded;
    read_config_text("a.yml", text, loaded);
    return loaded;
}

std::string error_of(const std::string& text) {
    const auto loaded = read(text);
    return loaded.errors.size() == 1 ? loaded.errors.front().text()
                                     : "errors: " + std::to_string(loaded.errors.size());
}

constexpr const char* kWhole = R"(oidc:
  issuers:
    - name: github
      issuer: https://token.actions.githubusercontent.com
      audiences: [reg.example]
      algorithms: [RS256]
      jwks: { mode: discovery, refresh: 2h, min_refetch: 2m, max_stale: 12h, ca_file: null }
      jwks_hosts: [keys.example]
      allow_networks: [10.0.0.0/8]
      max_token_life: 30m
      max_token_age: 5m
      password_login: true
      groups_claim: groups
    - name: gitlab-airgap
      issuer: https://gitlab.corp
      audiences: [reg.example]
      jwks: { mode: file, path: /etc/orbitalreg/jwks/gitlab.json }
  rules:
    - name: acme-release
      issuer: github
      claims:
        repository_owner_id: "123456"
        repository: [acme/app, acme/tool]
        ref: { glob: "refs/tags/v*" }
        event_name: { not_in: [pull_request, pull_request_target] }
        environment: { present: true, regex: "prod.*" }
        ref_protected: true
      grant: [ { projects: [acme], repositories: ["acme/app/**", "acme/app"], role: developer } ]
      ttl: 600
    - name: gitlab-main
      issuer: gitlab-airgap
      claims: { project_id: 77 }
      grant: [ { projects: ["{{claims.namespace_path}}"], role: maintainer, actions: [push, delete] } ]
      ttl: 5m
)";

TEST(OidcSection, ReadsAllOfIt) {
    const auto loaded = read(kWhole);
    ASSERT_TRUE(loaded.ok()) << loaded.errors.front().text();
    const auto& oidc = loaded.config.oidc;
    EXPECT_TRUE(check_oidc(oidc, false).empty());

    OidcIssuer github;
    github.name = "github";
    github.issuer = "https://token.actions.githubusercontent.com";
    github.audiences = {"reg.example"};
    github.algorithms = {SignatureAlgorithm::rs256};
    github.keys.refresh = std::chrono::hours{2};
    github.keys.refetch_min = std::chrono::minutes{2};
    github.keys.stale_max = std::chrono::hours{12};
    github.jwks_hosts = {"keys.example"};
    github.allow_networks = {"10.0.0.0/8"};
    github.token_life_max = std::chrono::minutes{30};
    github.token_age_max = std::chrono::minutes{5};
    github.password_login = true;
    github.groups_claim = "groups";
    OidcIssuer gitlab;
    gitlab.name = "gitlab-airgap";
    gitlab.issuer = "https://gitlab.corp";
    gitlab.audiences = {"reg.example"};
    gitlab.keys.source = OidcKeySource::file;
    gitlab.keys.path = "/etc/orbitalreg/jwks/gitlab.json";
    EXPECT_EQ(oidc.issuers, (std::vector<OidcIssuer>{github, gitlab}));

    using Kind = OidcMatcher::Kind;
    OidcRule release;
    release.name = "acme-release";
    release.issuer = "github";
    release.claims = {{"repository_owner_id", Kind::equal, {"123456"}},
                      {"repository", Kind::equal, {"acme/app", "acme/tool"}},
                      {"ref", Kind::glob, {"refs/tags/v*"}},
                      {"event_name", Kind::not_in, {"pull_request", "pull_request_target"}},
                      {"environment", Kind::present, {}},
                      {"environment", Kind::regex, {"prod.*"}},
                      {"ref_protected", Kind::equal, {"true"}}};
    release.grants = {{{"acme"}, {"acme/app/**", "acme/app"}, "developer", {}}};
    release.ttl_s = 600;
    OidcRule main;
    main.name = "gitlab-main";
    main.issuer = "gitlab-airgap";
    main.claims = {{"project_id", Kind::equal, {"77"}}};
    main.grants = {{{"{{claims.namespace_path}}"}, {}, "maintainer", {"push", "delete"}}};
    main.ttl_s = 300;
    EXPECT_EQ(oidc.rules, (std::vector<OidcRule>{release, main}));
    EXPECT_EQ(oidc.rules[1].place.line, 30);
    EXPECT_EQ(oidc.rules[1].place.file, "a.yml");
}

TEST(OidcSection, MistakesHaveLineAndPath) {
    EXPECT_EQ(error_of("oidc: []"), "a.yml:1: oidc: must be a section with keys");
    EXPECT_EQ(error_of("oidc: { issuer: [] }"), "a.yml:1: oidc.issuer: unknown key");
    EXPECT_EQ(error_of("oidc: { rules: {} }"), "a.yml:1: oidc.rules: must be a list");
    EXPECT_EQ(error_of("oidc:\n  issuers:\n    - name: [a]"),
              "a.yml:3: oidc.issuers[0].name: takes a single value");
    EXPECT_EQ(error_of("oidc:\n  issuers:\n    - name: a\n      name: b"),
              "a.yml:4: oidc.issuers[0].name: given twice");
    EXPECT_EQ(error_of("oidc:\n  issuers:\n    - algorithms: [RS256, HS256]"),
              "a.yml:3: oidc.issuers[0].algorithms[1]: `HS256` is not one of: RS256, PS256, ES256, "
              "ES384, EdDSA");
    EXPECT_EQ(error_of("oidc:\n  issuers:\n    - jwks: { mode: static }"),
              "a.yml:3: oidc.issuers[0].jwks.mode: `static` is not one of: discovery, file");
    EXPECT_EQ(error_of("oidc:\n  issuers:\n    - jwks:\n        refresh: 10"),
              "a.yml:4: oidc.issuers[0].jwks.refresh: is not a duration such as 24h or 30s");
    EXPECT_EQ(error_of("oidc:\n  issuers:\n    - insecure: true"),
              "a.yml:3: oidc.issuers[0].insecure: unknown key");
    EXPECT_EQ(error_of("oidc:\n  rules:\n    - claims:\n        ref: { prefix: x }"),
              "a.yml:4: oidc.rules[0].claims.ref.prefix: unknown key");
    EXPECT_EQ(error_of("oidc:\n  rules:\n    - claims:\n        ref: {}"),
              "a.yml:4: oidc.rules[0].claims.ref: must not be empty");
    EXPECT_EQ(error_of("oidc:\n  rules:\n    - claims:\n        ref: ~"),
              "a.yml:4: oidc.rules[0].claims.ref: takes a single value");
    EXPECT_EQ(error_of("oidc:\n  rules:\n    - claims: { ref: { present: false } }"),
              "a.yml:3: oidc.rules[0].claims.ref.present: can be true only: a missing claim never "
              "matches");
    EXPECT_EQ(
        error_of("oidc:\n  rules:\n    - grant: [{ repositories: [] }]"),
        "a.yml:3: oidc.rules[0].grant[0].repositories: must not be empty; leave it out to mean "
        "the whole project");
    EXPECT_EQ(
        error_of("oidc:\n  rules:\n    - grant: [{ actions: [] }]"),
        "a.yml:3: oidc.rules[0].grant[0].actions: must not be empty; leave it out to mean all "
        "of the role");
    EXPECT_EQ(error_of("oidc:\n  rules:\n    - ttl: soon"),
              "a.yml:3: oidc.rules[0].ttl: is not a number of seconds or a duration such as 10m");
}

TEST(OidcSection, LaterFilesReplaceListsAsAWhole) {
    LoadedConfig loaded;
    read_config_text("a.yml", kWhole, loaded);
    read_config_text("b.yml", "oidc: { rules: [] }", loaded);
    EXPECT_EQ(loaded.config.oidc.issuers.size(), 2U);
    EXPECT_TRUE(loaded.config.oidc.rules.empty());
}

}  // namespace
}  // namespace orbitalreg::frontend
