// The language of policies: what loads, what is refused and how it is told; names, versions and schedules.

#include "retention/pull_times.h"
#include "retention_fixture.h"

namespace orbitalreg::engine {
namespace {

std::string trouble_of(const std::string& text) {
    const auto read = read_policy_text("p.yaml", text);
    return read.errors.empty() ? std::string{} : read.errors.front().text();
}

TEST(RetentionPolicyText, SeedFormLoads) {
    const auto policies = policies_of(
        "name: default\nrules:\n"
        "  - keep_by_age: { max_age_days: 30, match_pulled_in_last_days: 14 }\n");
    ASSERT_EQ(policies.size(), 1u);
    const auto& policy = *policies[0];
    EXPECT_EQ(policy.name, "default");
    EXPECT_EQ(policy.grace_s, 24u * 3600);
    EXPECT_EQ(policy.max_delete_percent, 50u);
    EXPECT_TRUE(policy.delete_untagged);
    EXPECT_TRUE(policy.matches("any/thing/at/all"));
    ASSERT_EQ(policy.rules.size(), 1u);
    EXPECT_EQ(policy.rules[0].max_age_s, 30u * kDay);
    EXPECT_EQ(policy.rules[0].pulled_in_last_s, 14u * kDay);
}

TEST(RetentionPolicyText, FullFormLoads) {
    const auto policies = policies_of(R"(
version: 1
policies:
  - name: default
    match:
      repositories: ["acme/**"]
      exclude: ["acme/legal/**"]
      kinds: [container_image, index, helm_chart, wasm, oci_artifact]
    schedule: "0 3 * * *"
    dry_run: false
    grace_hours: 24
    delete_untagged: true
    max_delete_percent: 50
    rules:
      - keep_by_age: { max_age: 30d, match_pulled_in_last: 2w }
      - keep_by_age: { max_age_days: 7, tags: ["pr-*"] }
      - keep_last_n: { n: 10, by: pushed, tags: ["v*"], per: repository }
      - keep_tags: { tags: ["stable", "release-*"] }
      - keep_tags: { semver: ">=2.0.0 <3.0.0", prerelease: false }
      - keep_untagged_for: { days: 7 }
      - keep_if: { quarantined: false, signed: true, label: "env=prod" }
      - protect: { tags: ["golden-*"], reason: "audited baseline" }
)");
    ASSERT_EQ(policies.size(), 1u);
    EXPECT_EQ(policies[0]->rules.size(), 8u);
    EXPECT_TRUE(policies[0]->matches("acme/app"));
    EXPECT_FALSE(policies[0]->matches("acme/legal/contract"));
    EXPECT_FALSE(policies[0]->matches("other/app"));
}

TEST(RetentionPolicyText, MistakesAreNamed) {
    const auto rule = [](const std::string& text) { return "name: a\nrules:\n  - " + text + '\n'; };
    struct Case {
        std::string text;
        std::string trouble;
    };
    const std::vector<Case> cases{
        {rule("keep_by_age: { max_age_days: 0 }"),
         "p.yaml:3: rules[0].keep_by_age.max_age_days: would keep nothing: must be at least 1"},
        {rule("keep_by_age: { max_age_days: 1.5 }"),
         "p.yaml:3: rules[0].keep_by_age.max_age_days: must be a whole number, not negative"},
        {rule("keep_by_age: { max_age_days: -1 }"),
         "p.yaml:3: rules[0].keep_by_age.max_age_days: must be a whole number, not negative"},
        {rule("keep_by_age: { max_age_days: 3, max_age: 3d }"),
         "p.yaml:3: rules[0].keep_by_age.max_age: says the same as another key"},
        {rule("keep_by_age: {}"),
         "p.yaml:3: rules[0].keep_by_age: needs `max_age_days` or `match_pulled_in_last_days`"},
        {rule("keep_by_age: { max_age_dais: 3 }"),
         "p.yaml:3: rules[0].keep_by_age.max_age_dais: unknown key"},
        {rule("keep_everything: {}"), "p.yaml:3: rules[0].keep_everything: unknown rule"},
        {rule("{ keep_by_age: { max_age_days: 1 }, protect: { tags: [a] } }"),
         "p.yaml:3: rules[0]: must be one rule: a section with one key"},
        {rule("keep_tags: { tags: ['[a'] }"),
         "p.yaml:3: rules[0].keep_tags.tags: `[a` has a `[` without its `]`"},
        {rule("keep_tags: { tags: ['a**'] }"),
         "p.yaml:3: rules[0].keep_tags.tags: `a**` has `**`, which is for repositories only"},
        {rule("keep_tags: { semver: 'new' }"),
         "p.yaml:3: rules[0].keep_tags.semver: `new` is no range of versions such as >=2.0.0 "
         "<3.0.0"},
        {rule("keep_last_n: { n: 1, per: group }"),
         "p.yaml:3: rules[0].keep_last_n: `per: group` and `group_regex` belong together"},
        {"name: a\nrules: []\n", "p.yaml:2: rules: must be a list of 1 to 100 rules"},
        {"name: a\n", "p.yaml:1: rules: is missing"},
        {"name: A\nrules:\n  - protect: { tags: [a] }\n",
         "p.yaml:1: name: must be 1 to 63 small letters, digits and ._-, and begin with one of "
         "the first two"},
        {"schedule: '61 * * * *'\n" + rule("protect: { tags: [a] }"),
         "p.yaml:1: schedule: is no schedule: minute hour day month weekday, in UTC"},
        {"schedule: '0 0 31 2 *'\n" + rule("protect: { tags: [a] }"),
         "p.yaml:1: schedule: is no schedule: minute hour day month weekday, in UTC"},
        {"grace_hours: 0\n" + rule("protect: { tags: [a] }"),
         "p.yaml:1: grace_hours: must be from 1 to 100000"},
        {"name: &x a\nrules:\n  - protect: { tags: [a] }\n",
         "p.yaml:1: anchors and aliases are not taken"},
        {"- name: a\n  rules: [{ protect: { tags: [a] } }]\n"
         "- name: a\n  rules: [{ protect: { tags: [a] } }]\n",
         "p.yaml:3: name: `a` is the name of two policies"},
    };
    for (const auto& c : cases) EXPECT_EQ(trouble_of(c.text), c.trouble) << c.text;
}

TEST(RetentionPolicyText, SectionOfAConfigurationKeepsItsLines) {
    const std::string config =
        "http: { addr: 127.0.0.1:0 }\nretention:\n  policies:\n    - name: a\n      rules: []\n";
    const auto read = read_retention_policies({{"c.yaml", config, "retention.policies"}});
    ASSERT_EQ(read.errors.size(), 1u);
    EXPECT_EQ(read.errors[0].text(),
              "c.yaml:5: retention.policies[0].rules: must be a list of 1 to 100 rules");
}

TEST(RetentionPattern, Globs) {
    const auto matches = [](const std::string& glob, const std::string& text,
                            Pattern::Kind kind = Pattern::Kind::tag_glob) {
        std::string trouble;
        const auto pattern = Pattern::compile(glob, kind, trouble);
        EXPECT_TRUE(pattern) << trouble;
        return pattern && pattern->matches(text);
    };
    EXPECT_TRUE(matches("pr-*", "pr-12"));
    EXPECT_FALSE(matches("pr-*", "xpr-12"));
    EXPECT_TRUE(matches("v?.[0-9]", "v1.2"));
    EXPECT_FALSE(matches("v?.[!0-9]", "v1.2"));
    EXPECT_TRUE(matches("{main,release-*}", "release-7"));
    EXPECT_FALSE(matches("a.c", "abc"));
    EXPECT_FALSE(matches("V*", "v1"));
    constexpr auto kRepository = Pattern::Kind::repository_glob;
    EXPECT_TRUE(matches("**", "a/b/c", kRepository));
    EXPECT_TRUE(matches("a/**", "a/b/c", kRepository));
    EXPECT_FALSE(matches("a/**", "a", kRepository));
    EXPECT_FALSE(matches("a/*", "a/b/c", kRepository));
    EXPECT_TRUE(matches("**/app", "app", kRepository));
    EXPECT_TRUE(matches("**/app", "x/y/app", kRepository));
}

TEST(RetentionSemver, OrderAndRanges) {
    const std::vector<std::string> ascending{"1.0.0-alpha",  "1.0.0-alpha.1", "1.0.0-alpha.beta",
                                             "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1",
                                             "v1.0.0",       "1.2.3_build.5"};
    for (std::size_t i = 0; i + 1 < ascending.size(); ++i) {
        ASSERT_TRUE(Semver::parse(ascending[i])) << ascending[i];
        EXPECT_LT(*Semver::parse(ascending[i]), *Semver::parse(ascending[i + 1])) << ascending[i];
    }
    for (const auto* text : {"1.2", "1.02.3", "latest", "1.2.3.4", "1.2.3-", "v", ""})
        EXPECT_FALSE(Semver::parse(text)) << text;
    struct Case {
        std::string range;
        std::string in;
        std::string out;
    };
    const std::vector<Case> cases{
        {">=2.0.0 <3.0.0", "2.9.9", "3.0.0"},
        {"~1.2.3", "1.2.9", "1.3.0"},
        {"~1.2", "1.2.0", "1.3.0"},
        {"~1", "1.9.0", "2.0.0"},
        {"^1.2.3", "1.9.0", "2.0.0"},
        {"^0.2.3", "0.2.9", "0.3.0"},
        {"^0.0.3", "0.0.3", "0.0.4"},
        {"=1.2.3", "1.2.3", "1.2.4"},
        {"1.2", "1.2.7", "1.3.0"},
        {">1.2", "1.3.0", "1.2.9"},
        {"<=1.2", "1.2.9", "1.3.0"},
        {"<1.0.0 || >=2.0.0", "2.0.0", "1.5.0"},
        {">1.2.3", "1.2.4", "1.2.3"},
    };
    for (const auto& c : cases) {
        const auto range = SemverRange::parse(c.range);
        ASSERT_TRUE(range) << c.range;
        EXPECT_TRUE(range->contains(*Semver::parse(c.in))) << c.range << ' ' << c.in;
        EXPECT_FALSE(range->contains(*Semver::parse(c.out))) << c.range << ' ' << c.out;
    }
    for (const auto* text : {"", "||", ">=", "=>1.0.0", "1.x"})
        EXPECT_FALSE(SemverRange::parse(text)) << text;
}

TEST(RetentionCron, NextTime) {
    constexpr std::int64_t kMidnight = 1'775'865'600;  // 2026-04-11T00:00:00Z, a Saturday
    EXPECT_EQ(Cron::parse("0 3 * * *")->next(kMidnight), kMidnight + 3 * 3600);
    EXPECT_EQ(Cron::parse("0 3 * * *")->next(kMidnight + 3 * 3600), kMidnight + 27 * 3600);
    EXPECT_EQ(Cron::parse("*/15 * * * *")->next(kMidnight + 1), kMidnight + 900);
    EXPECT_EQ(Cron::parse("0 0 * * 1")->next(kMidnight), kMidnight + 2 * 86'400);
    EXPECT_EQ(Cron::parse("0 0 1 5 *")->next(kMidnight), kMidnight + 20 * 86'400);
    EXPECT_EQ(Cron::parse("30 1-3,5 * * 7")->next(kMidnight), kMidnight + 86'400 + 5400);
    for (const auto* text :
         {"", "* * * *", "* * * * * *", "60 * * * *", "*/0 * * * *", "5-1 * * * *"})
        EXPECT_FALSE(Cron::parse(text)) << text;
}

TEST(RetentionPullTimes, OneEntryForManyPulls) {
    PullTimes pulls;
    const auto image = ImageName::parse("team/app").value();
    const auto tag = Tag::parse("v1").value();
    EXPECT_TRUE(pulls.note(image, tag, sha("a"), 10));
    EXPECT_TRUE(pulls.note(image, tag, sha("a"), 12));
    EXPECT_TRUE(pulls.note(image, std::nullopt, sha("b"), 11));
    EXPECT_EQ(pulls.size(), 2u);
    EXPECT_TRUE(pulls.is_waiting(image, sha("a")));
    EXPECT_FALSE(pulls.is_waiting(image, sha("c")));
    const auto batches = pulls.batches();
    ASSERT_EQ(batches.size(), 1u);
    // Pulled again while it was written: it waits for the next time.
    EXPECT_TRUE(pulls.note(image, tag, sha("a"), 13));
    pulls.written(batches[0]);
    EXPECT_TRUE(pulls.is_waiting(image, sha("a")));
    EXPECT_FALSE(pulls.is_waiting(image, sha("b")));
    pulls.written(pulls.batches()[0]);
    EXPECT_EQ(pulls.size(), 0u);
}

TEST(RetentionPullTimes, BatchesAreBounded) {
    PullTimes pulls;
    const auto image = ImageName::parse("team/app").value();
    const auto other = ImageName::parse("team/web").value();
    for (int i = 0; i < 300; ++i) {
        EXPECT_TRUE(pulls.note(image, std::nullopt, sha(std::to_string(i)), 10));
        EXPECT_TRUE(pulls.note(other, std::nullopt, sha(std::to_string(i)), 10));
    }
    std::size_t seen = 0;
    for (const auto& batch : pulls.batches()) {
        std::size_t in_batch = 0;
        for (const auto& each : batch) in_batch += each.pulls.size();
        EXPECT_LE(in_batch, RetentionStore::kPullsMax);
        seen += in_batch;
        pulls.written(batch);
    }
    EXPECT_EQ(seen, 600u);
    EXPECT_EQ(pulls.size(), 0u);
}

}  // namespace
}  // namespace orbitalreg::engine
