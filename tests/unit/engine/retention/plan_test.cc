// What policies decide: the worked timelines and examples of the language's description, and properties that hold for any of them.

#include "retention_fixture.h"
#include "support/sim_random.h"

#include <set>

namespace orbitalreg::engine {
namespace {

using sim::SimRandom;

const std::string kByAge =
    "name: a\nrules:\n  - keep_by_age: { max_age_days: 30, match_pulled_in_last_days: 14 }\n";
const std::string kStrict =
    "name: a\nrules:\n"
    "  - keep_by_age: { max_age_days: 30, match_pulled_in_last_days: 14, mode: strict }\n";

bool keeps(const std::string& policy, double push, std::optional<double> pull,
           std::uint32_t now_s) {
    ImageOfDays image;
    image.tag("t", "m", push, pull);
    return gone(image, image.plan(policy, now_s)).empty();
}

// --- keep_by_age ---

TEST(RetentionPlan, KeepByAgeFixture) {
    struct Case {
        double push;
        std::optional<double> pull;
        std::uint32_t now_s;
        bool kept;
    };
    const std::vector<Case> cases{
        {0, {}, day(30), true},  {0, {}, day(30) + 1, false}, {0, 10, day(40), true},
        {0, 10, day(41), false}, {0, 29, day(59), true},      {0, 29, day(60), false},
        {0, {}, day(14), true},
    };
    for (const auto& c : cases) {
        EXPECT_EQ(keeps(kByAge, c.push, c.pull, c.now_s), c.kept)
            << "pull " << c.pull.value_or(-1) << " now " << (c.now_s - kDayZero) / kDay;
    }
}

// A daily run: the first day on which it goes; 0: not within 200 days. A pull counts only while the item is there.
int first_deletion(const std::string& policy, std::vector<double> pushes,
                   const std::vector<double>& pulls) {
    for (int today = 0; today <= 200; ++today) {
        double push = -1;
        for (const auto each : pushes) {
            if (each <= today) push = each;
        }
        std::optional<double> pull;
        for (const auto each : pulls) {
            if (each <= today) pull = each;
        }
        if (!keeps(policy, push, pull, day(today))) return today;
    }
    return 0;
}

TEST(RetentionPlan, WorkedTimelines) {
    const std::string without_pulls = "name: a\nrules:\n  - keep_by_age: { max_age_days: 30 }\n";
    const std::string seven =
        "name: a\nrules:\n  - keep_by_age: { max_age_days: 7, match_pulled_in_last_days: 14 }\n";
    const std::string seven_strict =
        "name: a\nrules:\n"
        "  - keep_by_age: { max_age_days: 7, match_pulled_in_last_days: 14, mode: strict }\n";
    std::vector<double> weekly;
    for (int each = 7; each <= 200; each += 7) weekly.push_back(each);
    struct Line {
        int number;
        std::string policy;
        std::string strict;
        std::vector<double> pushes;
        std::vector<double> pulls;
        int gone;
        int gone_strict;
    };
    const std::vector<Line> lines{
        {1, kByAge, kStrict, {0}, {}, 31, 31},
        {2, kByAge, kStrict, {0}, {10}, 41, 31},
        {3, kByAge, kStrict, {0}, {20}, 51, 35},
        {4, kByAge, kStrict, {0}, {29}, 60, 44},
        {5, kByAge, kStrict, {0}, {29, 45}, 76, 44},
        {6, kByAge, kStrict, {0}, {29, 43}, 74, 58},
        {7, kByAge, kStrict, {0, 25}, {}, 56, 56},
        {8, kByAge, kStrict, {0}, weekly, 0, 0},
        {9, seven, seven_strict, {0}, {5}, 20, 20},
        {11, without_pulls, without_pulls, {0}, {10}, 31, 31},
    };
    for (const auto& line : lines) {
        EXPECT_EQ(first_deletion(line.policy, line.pushes, line.pulls), line.gone) << line.number;
        EXPECT_EQ(first_deletion(line.strict, line.pushes, line.pulls), line.gone_strict)
            << line.number << " strict";
    }
}

TEST(RetentionPlan, PullsAloneKeepWhatNobodyHasPulledYet) {
    const std::string policy =
        "name: a\nrules:\n  - keep_by_age: { match_pulled_in_last_days: 14 }\n";
    EXPECT_TRUE(keeps(policy, 0, {}, day(14)));
    EXPECT_FALSE(keeps(policy, 0, {}, day(14) + 1));
    EXPECT_TRUE(keeps(policy, 0, 3, day(17)));
    EXPECT_FALSE(keeps(policy, 0, 3, day(17) + 1));
}

TEST(RetentionPlan, MissingHistoryCountsAsAPullAtItsStart) {
    ImageOfDays image;
    image.tag("t", "m", 0);
    image.snapshot.history_since_s = day(50);
    EXPECT_TRUE(gone(image, image.plan(kByAge, day(80))).empty());
    EXPECT_EQ(gone(image, image.plan(kByAge, day(80) + 1)), std::vector<std::string>{"t"});
    // Times that are not known at all: as young as the history.
    image.snapshot.tags[0].pushed_s = 0;
    EXPECT_TRUE(gone(image, image.plan(kByAge, day(80))).empty());
    image.snapshot.history_since_s = 0;
    EXPECT_TRUE(gone(image, image.plan(kByAge, day(900))).empty());
}

// --- the second example ---

TEST(RetentionPlan, SecondExample) {
    const std::string policy = R"(
name: default
max_delete_percent: 100
rules:
  - keep_last_n: { n: 2, by: pushed, tags: ["v*"] }
  - keep_by_age: { max_age_days: 30, match_pulled_in_last_days: 14 }
  - keep_untagged_for: { days: 7 }
)";
    ImageOfDays image;
    image.tag("v1.0", "A", 10, 20);
    image.tag("v1.1", "B", 40);
    image.tag("v1.2", "C", 60, 61);
    image.tag("latest", "C", 60, 61);
    image.tag("dev", "D", 50, 90);
    image.manifest("E", 1, {}, 95);
    image.manifest("F", 1, 99, 80);
    image.attach("sig", "A", 10);
    const auto plan = image.plan(policy, day(100));
    EXPECT_EQ(gone(image, plan), (std::vector<std::string>{"latest", "v1.0"}));
    const auto why = [&](const std::string& name) {
        const auto* unit = unit_of(image, plan, name);
        return unit == nullptr ? std::string{"absent"} : plan.explain(*unit).why;
    };
    const auto expires = [&](const std::string& name) {
        return plan.explain(*unit_of(image, plan, name)).expires_s;
    };
    EXPECT_EQ(why("v1.0"), "no rule keeps it");
    EXPECT_EQ(why("v1.1"), "rank 2 of 3, n=2");
    EXPECT_EQ(why("v1.2"), "rank 1 of 3, n=2");
    EXPECT_EQ(why("dev"), "pulled_within_window");
    EXPECT_EQ(expires("dev"), day(120));
    EXPECT_EQ(why("@F"), "pulled_within_window");
    EXPECT_EQ(why("@A"), "untagged by this run");
    EXPECT_EQ(expires("@A"), day(107));
    EXPECT_EQ(why("@sig"), "follows its subject");
    EXPECT_EQ(expires("@sig"), day(107));
    EXPECT_EQ(expires("v1.1"), std::nullopt);
    // Every rule is named, not only the first that speaks.
    const auto explained = plan.explain(*unit_of(image, plan, "v1.0"));
    ASSERT_EQ(explained.rules.size(), 3u);
    EXPECT_EQ(explained.rules[0].rule, "rules[0].keep_last_n");
    EXPECT_EQ(explained.rules[0].verdict.why, "rank 3 of 3, n=2");
    EXPECT_EQ(explained.rules[1].verdict.why, "last access 80d ago > 30d");
    EXPECT_EQ(explained.rules[2].verdict.why, "item is tagged");

    // A week later its content goes, and what is attached with it.
    ImageOfDays later;
    later.manifest("A", 10, 20, 100);
    later.attach("sig", "A", 10);
    EXPECT_TRUE(gone(later, later.plan(policy, day(107))).empty());
    EXPECT_EQ(gone(later, later.plan(policy, day(107) + 1)),
              (std::vector<std::string>{"@A", "@sig"}));
}

// --- structure ---

const std::string kNothing = "name: a\nrules:\n  - keep_tags: { tags: [keep] }\n";

TEST(RetentionPlan, PartsOfAnIndexThatStaysStay) {
    ImageOfDays image;
    image.manifest("amd64", 0);
    image.manifest("arm64", 0);
    image.manifest("alone", 0);
    image.index("list", 0, {"amd64", "arm64"});
    image.tag("keep", "list", 0);
    EXPECT_EQ(gone(image, image.plan(kNothing, day(100))), std::vector<std::string>{"@alone"});
    ImageOfDays untagged;
    untagged.manifest("amd64", 0);
    untagged.index("list", 0, {"amd64"});
    EXPECT_EQ(gone(untagged, untagged.plan(kNothing, day(100))),
              (std::vector<std::string>{"@amd64", "@list"}));
}

TEST(RetentionPlan, AttachedFollowTheirSubjectByTagToo) {
    ImageOfDays image;
    image.manifest("old", 0);
    image.tag("keep", "kept", 0);
    for (const std::string name : {"old", "kept"}) {
        auto tag = sha(name).to_string();
        std::replace(tag.begin(), tag.end(), ':', '-');
        image.tag(tag + ".sig", "sig of " + name, 0);
    }
    auto expected = sha("old").to_string();
    std::replace(expected.begin(), expected.end(), ':', '-');
    const auto names = gone(image, image.plan(kNothing, day(100)));
    EXPECT_EQ(std::set<std::string>(names.begin(), names.end()),
              (std::set<std::string>{expected + ".sig", "@old", "@sig of old"}));
}

// REL-19
TEST(RetentionPlan, SubjectOfWhatIsKeptStays) {
    ImageOfDays image;
    image.manifest("subject", 0);
    image.attach("sbom", "subject", 99.9);  // in its grace
    EXPECT_TRUE(gone(image, image.plan(kNothing, day(100))).empty());
    EXPECT_EQ(gone(image, image.plan(kNothing, day(102))),
              (std::vector<std::string>{"@subject", "@sbom"}));
}

// Also where it has a tag that goes now: the push of it by digest was of late.
TEST(RetentionPlan, WhatIsAttachedAndWasPushedAgainIsInItsGrace) {
    ImageOfDays image;
    image.manifest("subject", 0);
    image.attach("sbom", "subject", 0);
    image.tag("old", "sbom", 0);
    image.snapshot.manifests[image.places.at("sbom")].put_s = day(99.9);
    EXPECT_TRUE(gone(image, image.plan(kNothing, day(100))).empty());
}

TEST(RetentionPlan, OrphansWait) {
    ImageOfDays image;
    image.attach("sbom", "never here", 0);
    EXPECT_TRUE(gone(image, image.plan(kNothing, day(7))).empty());
    EXPECT_EQ(gone(image, image.plan(kNothing, day(7) + 1)), std::vector<std::string>{"@sbom"});
}

TEST(RetentionPlan, GraceIsInclusive) {
    ImageOfDays image;
    image.tag("t", "m", 0);
    EXPECT_TRUE(gone(image, image.plan(kNothing, day(1))).empty());
    EXPECT_EQ(gone(image, image.plan(kNothing, day(1) + 1)), std::vector<std::string>{"t"});
}

TEST(RetentionPlan, ContentOfADeletedTagGoesInALaterRun) {
    ImageOfDays image;
    image.tag("t", "m", 0);
    const auto plan = image.plan(kNothing, day(50));
    EXPECT_EQ(gone(image, plan), std::vector<std::string>{"t"});
    ASSERT_NE(unit_of(image, plan, "@m"), nullptr);
    EXPECT_EQ(unit_of(image, plan, "@m")->reason, UnitReason::untagged_now);
    // One kept tag keeps the manifest, not the other tags.
    image.tag("keep", "m", 0);
    const auto two = image.plan(kNothing, day(50));
    EXPECT_EQ(gone(image, two), std::vector<std::string>{"t"});
    EXPECT_EQ(unit_of(image, two, "@m"), nullptr);
}

TEST(RetentionPlan, UntaggedStayWhereThePolicySaysSo) {
    ImageOfDays image;
    image.manifest("m", 0, {}, 1);
    EXPECT_EQ(gone(image, image.plan(kNothing, day(50))), std::vector<std::string>{"@m"});
    EXPECT_TRUE(gone(image, image.plan("delete_untagged: false\n" + kNothing, day(50))).empty());
}

// --- the other rules ---

TEST(RetentionPlan, LastNCountsDigests) {
    const std::string policy = "name: a\nrules:\n  - keep_last_n: { n: 2 }\n";
    ImageOfDays image;
    image.tag("a", "one", 1);
    image.tag("b", "two", 2);
    image.tag("c", "three", 3);
    image.tag("latest", "three", 3);
    EXPECT_EQ(gone(image, image.plan(policy, day(50))), std::vector<std::string>{"a"});
    const std::string tags = "name: a\nrules:\n  - keep_last_n: { n: 2, distinct: tag }\n";
    EXPECT_EQ(gone(image, image.plan(tags, day(50))), (std::vector<std::string>{"a", "b"}));
}

TEST(RetentionPlan, LastNTiesGoByName) {
    const std::string policy = "name: a\nrules:\n  - keep_last_n: { n: 1 }\n";
    ImageOfDays image;
    image.tag("b", "two", 1);
    image.tag("a", "one", 1);
    EXPECT_EQ(gone(image, image.plan(policy, day(50))), std::vector<std::string>{"b"});
}

TEST(RetentionPlan, LastNByVersionAndPerGroup) {
    const std::string semver =
        "name: a\nrules:\n  - keep_last_n: { n: 1, by: semver }\n  - keep_tags: { tags: [x] }\n";
    ImageOfDays image;
    image.tag("v1.10.0", "one", 1);
    image.tag("v1.9.0", "two", 2);
    image.tag("nightly", "three", 3);
    EXPECT_EQ(gone(image, image.plan(semver, day(50))),
              (std::vector<std::string>{"nightly", "v1.9.0"}));
    const std::string groups =
        "name: a\nrules:\n"
        "  - keep_last_n: { n: 1, per: group, group_regex: '^(.*)-[0-9]+$' }\n";
    ImageOfDays builds;
    builds.tag("app-1", "a1", 1);
    builds.tag("app-2", "a2", 2);
    builds.tag("web-1", "w1", 1);
    EXPECT_EQ(gone(builds, builds.plan(groups, day(50))), std::vector<std::string>{"app-1"});
}

TEST(RetentionPlan, RulesSeeOnlyTheirTags) {
    const std::string policy =
        "name: a\nrules:\n"
        "  - keep_by_age: { max_age_days: 90, exclude_tags: ['pr-*'] }\n"
        "  - keep_tags: { semver: '>=2.0.0 <3.0.0' }\n"
        "  - protect: { tags: ['golden-*'], reason: audited }\n";
    ImageOfDays image;
    image.tag("pr-1", "a", 0);
    image.tag("main", "b", 0);
    image.tag("2.1.0", "c", -500);
    image.tag("3.0.0", "d", -500);
    image.tag("2.5.0-rc.1", "e", -500);
    image.tag("golden-7", "f", -500);
    const auto plan = image.plan(policy, day(80));
    EXPECT_EQ(gone(image, plan), (std::vector<std::string>{"2.5.0-rc.1", "3.0.0", "pr-1"}));
    EXPECT_EQ(plan.explain(*unit_of(image, plan, "golden-7")).why, "audited");
}

TEST(RetentionPlan, SignedKeeps) {
    const std::string policy = "name: a\nrules:\n  - keep_if: { signed: true }\n";
    ImageOfDays image;
    image.tag("plain", "a", 0);
    image.tag("good", "b", 0);
    image.attach("sig", "b", 0);
    EXPECT_EQ(gone(image, image.plan(policy, day(50))), std::vector<std::string>{"plain"});
}

TEST(RetentionPlan, PoliciesTogetherKeepMore) {
    const std::string both =
        "- name: a\n  rules:\n    - keep_tags: { tags: [a] }\n"
        "- name: b\n  rules:\n    - keep_tags: { tags: [b] }\n";
    ImageOfDays image;
    image.tag("a", "1", 0);
    image.tag("b", "2", 0);
    image.tag("c", "3", 0);
    EXPECT_EQ(gone(image, image.plan(both, day(50))), std::vector<std::string>{"c"});
}

TEST(RetentionPlan, PercentIsRoundedUp) {
    ImageOfDays image;
    image.tag("keep", "1", 0);
    image.tag("b", "2", 0);
    image.tag("c", "3", 0);
    // Units: three tags and two manifests that lose theirs.
    EXPECT_EQ(image.plan(kNothing, day(50)).percent_gone(), 40u);
}

// --- properties ---

ImageOfDays random_image(SimRandom& random) {
    ImageOfDays image;
    const auto number = [&](std::uint64_t below) { return random.below(below); };
    const auto count = 1 + number(12);
    for (std::uint64_t i = 0; i < count; ++i) {
        const auto name = "m" + std::to_string(i);
        const auto pushed = static_cast<double>(number(100));
        std::optional<double> pulled;
        if (number(2) == 0) pulled = pushed + static_cast<double>(number(50));
        std::optional<double> untagged;
        if (number(3) == 0) untagged = pushed + static_cast<double>(number(50));
        image.manifest(name, pushed, pulled, untagged);
        if (number(4) == 0) image.attach(name, "m" + std::to_string(number(count)), pushed);
        if (i > 1 && number(5) == 0) image.index(name, pushed, {"m" + std::to_string(number(i))});
    }
    const std::vector<std::string> stems{"v1.", "v2.0.", "pr-", "dev"};
    const auto tags = number(12);
    for (std::uint64_t i = 0; i < tags; ++i) {
        const auto name = stems[number(stems.size())] + std::to_string(i);
        const auto pushed = static_cast<double>(number(100));
        std::optional<double> pulled;
        if (number(2) == 0) pulled = pushed + static_cast<double>(number(50));
        const auto points_at = "m" + std::to_string(number(count));
        image.snapshot.manifests[image.places.at(points_at)].untagged_s = 0;
        image.tag(name, points_at, pushed, pulled);
    }
    return image;
}

const std::vector<std::string> kRulePool{
    "keep_by_age: { max_age_days: 20, match_pulled_in_last_days: 10 }",
    "keep_by_age: { max_age_days: 40, tags: ['pr-*'] }",
    "keep_last_n: { n: 2 }",
    "keep_last_n: { n: 1, by: semver }",
    "keep_last_n: { n: 3, by: active, distinct: tag }",
    "keep_tags: { tags: ['v1*'] }",
    "keep_untagged_for: { days: 15 }",
    "keep_if: { signed: true }",
    "protect: { tags: ['dev*'] }",
};

std::string random_rules(SimRandom& random, std::size_t count) {
    std::string text = "name: a\nrules:\n";
    for (std::size_t i = 0; i < count; ++i)
        text += "  - " + kRulePool[random.below(kRulePool.size())] + '\n';
    return text;
}

std::set<std::string> gone_set(const ImageOfDays& image, const std::string& policy,
                               std::uint64_t now_s) {
    const auto names = gone(image, image.plan(policy, now_s));
    return {names.begin(), names.end()};
}

TEST(RetentionPlanProperties, OneMoreRuleNeverDeletesMore) {
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        SimRandom random{seed};
        const auto image = random_image(random);
        auto policy = random_rules(random, 1 + random.below(3));
        const auto now_s = day(60 + static_cast<double>(random.below(120)));
        const auto before = gone_set(image, policy, now_s);
        policy += "  - " + kRulePool[random.below(kRulePool.size())] + '\n';
        for (const auto& name : gone_set(image, policy, now_s))
            EXPECT_TRUE(before.contains(name)) << "seed " << seed << ": " << name;
    }
}

// Of age alone: what one item gains in a ranking another one loses.
TEST(RetentionPlanProperties, ALaterPullNeverShortensLife) {
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        SimRandom random{seed};
        auto image = random_image(random);
        const auto now_s = day(60 + static_cast<double>(random.below(120)));
        const auto before = gone_set(image, kByAge, now_s);
        if (image.snapshot.tags.empty()) continue;
        auto& tag = image.snapshot.tags[random.below(image.snapshot.tags.size())];
        tag.pulled_s = std::max(tag.pulled_s, static_cast<std::uint32_t>(now_s) - kDay);
        for (const auto& name : gone_set(image, kByAge, now_s))
            EXPECT_TRUE(before.contains(name)) << "seed " << seed << ": " << name;
    }
}

TEST(RetentionPlanProperties, OrderOfManifestsDoesNotMatter) {
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        SimRandom random{seed};
        auto image = random_image(random);
        const auto policy = random_rules(random, 1 + random.below(3));
        const auto now_s = day(60 + static_cast<double>(random.below(120)));
        const auto before = gone_set(image, policy, now_s);
        // The first manifest and the last one change places.
        const auto last = static_cast<std::uint32_t>(image.snapshot.manifests.size() - 1);
        std::swap(image.snapshot.manifests.front(), image.snapshot.manifests.back());
        const auto moved = [last](std::uint32_t place) {
            if (place == 0) return last;
            return place == last ? 0 : place;
        };
        for (auto& tag : image.snapshot.tags) tag.manifest = moved(tag.manifest);
        for (auto& manifest : image.snapshot.manifests) {
            for (auto& child : manifest.children) child = moved(child);
        }
        for (auto& [name, place] : image.places) place = moved(place);
        EXPECT_EQ(gone_set(image, policy, now_s), before) << "seed " << seed;
    }
}

// Nothing that stays misses a part, its subject stays, and what is attached to it stays.
TEST(RetentionPlanProperties, WhatStaysIsWhole) {
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        SimRandom random{seed};
        const auto image = random_image(random);
        const auto policy = random_rules(random, 1);
        const auto names =
            gone_set(image, policy, day(60 + static_cast<double>(random.below(120))));
        const auto is_gone = [&](std::uint32_t place) {
            return std::any_of(image.places.begin(), image.places.end(), [&](const auto& each) {
                return each.second == place && names.contains('@' + each.first);
            });
        };
        for (std::uint32_t i = 0; i < image.snapshot.manifests.size(); ++i) {
            const auto& manifest = image.snapshot.manifests[i];
            if (is_gone(i)) {
                for (const auto& tag : image.snapshot.tags)
                    EXPECT_TRUE(tag.manifest != i || names.contains(tag.tag)) << "seed " << seed;
                continue;
            }
            for (const auto child : manifest.children) EXPECT_FALSE(is_gone(child)) << seed;
            for (std::uint32_t j = 0; manifest.subject && j < image.snapshot.manifests.size();
                 ++j) {
                const bool subject = image.snapshot.manifests[j].digest == *manifest.subject;
                EXPECT_FALSE(subject && is_gone(j)) << "seed " << seed;
            }
        }
    }
}

}  // namespace
}  // namespace orbitalreg::engine
