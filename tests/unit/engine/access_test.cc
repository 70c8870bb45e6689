#include "engine/access.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace orbitalreg::engine {
namespace {

constexpr std::array kAllRoles{Role::limited,    Role::guest,         Role::developer,
                               Role::maintainer, Role::project_admin, Role::security};

// The table of roles as people read it: who may do it.
TEST(Access, RolesAllowWhatTheTableSays) {
    const std::map<Action, std::set<Role>> table{
        {Action::pull, {kAllRoles.begin(), kAllRoles.end()}},
        {Action::list,
         {Role::guest, Role::developer, Role::maintainer, Role::project_admin, Role::security}},
        {Action::read_report,
         {Role::guest, Role::developer, Role::maintainer, Role::project_admin, Role::security}},
        {Action::push, {Role::developer, Role::maintainer, Role::project_admin}},
        {Action::move_tag, {Role::developer, Role::maintainer, Role::project_admin}},
        {Action::remove, {Role::maintainer, Role::project_admin}},
        {Action::run_retention, {Role::maintainer, Role::project_admin}},
        {Action::waive_finding, {Role::security}},
        {Action::release_quarantine, {Role::security}},
        {Action::pull_quarantined, {Role::security}},
        {Action::edit_retention, {Role::project_admin}},
        {Action::edit_threshold, {Role::project_admin, Role::security}},
        {Action::edit_trust, {Role::project_admin, Role::security}},
        {Action::manage_members, {Role::project_admin}},
        {Action::manage_robots, {Role::project_admin}},
        {Action::administer, {}}};
    ASSERT_EQ(table.size(), kActions);
    for (const auto& [action, roles] : table) {
        for (const Role role : kAllRoles) {
            EXPECT_EQ(role_allows(role, action), roles.contains(role))
                << to_string(role) << ' ' << to_string(action);
        }
        EXPECT_EQ(parse_action(to_string(action)), action);
    }
    for (const Role role : kAllRoles) EXPECT_EQ(parse_role(to_string(role)), role);
    EXPECT_FALSE(parse_role("owner"));
    EXPECT_FALSE(parse_action("Pull"));
}

TEST(Access, PatternsCrossSlashesWithTwoStarsOnly) {
    const std::map<std::pair<std::string, std::string>, bool> cases{
        {{"acme/app", "acme/app"}, true},
        {{"acme/app", "acme/app2"}, false},
        {{"acme/app", "Acme/app"}, false},
        {{"acme/*", "acme/app"}, true},
        {{"acme/*", "acme/app/deep"}, false},
        {{"acme/**", "acme/app/deep"}, true},
        {{"acme/**", "acme"}, false},
        {{"acme/**", "acme/"}, true},
        {{"*", "acme/app"}, false},
        {{"**", "acme/app"}, true},
        {{"", ""}, true},
        {{"", "a"}, false},
        {{"acme/*-api", "acme/web-api"}, true},
        {{"acme/*-api", "acme/web-api-x"}, false},
        {{"a*b*c", "a/b/c"}, false},
        {{"a**c", "a/b/c"}, true},
        {{"acme/app?", "acme/apps"}, false},
        {{"acme/[a]pp", "acme/app"}, false}};
    for (const auto& [pair, wanted] : cases) {
        EXPECT_EQ(matches_pattern(pair.first, pair.second), wanted)
            << pair.first << " on " << pair.second;
    }
}

TEST(Access, APatternOfManyStarsCostsLittle) {
    std::string pattern;
    for (int i = 0; i < 100; ++i) pattern += "*a";
    EXPECT_FALSE(matches_pattern(pattern + "b", std::string(255, 'a')));
}

TEST(Access, SaysByWhat) {
    const Rights rights{false, {{"acme", Role::developer, {}, {}, "member alice"}}, {}};
    EXPECT_EQ(decide(rights, {Action::push, "acme", "acme/app", false}).reason,
              "developer of acme, by member alice");
    EXPECT_EQ(decide(rights, {Action::remove, "acme", "acme/app", false}).reason,
              "nothing grants `delete` in acme");
    EXPECT_EQ(decide({}, {Action::pull, "open", "open/app", true}).reason, "it is public");
    EXPECT_EQ(decide({true, {}, {}}, {Action::administer, "", "", false}).reason,
              "system administrator");
    EXPECT_EQ(decide({true, {}, Restriction{{}, {Action::pull}}},
                     {Action::push, "acme", "acme/app", false})
                  .reason,
              "the credential is restricted to less");
}

// A plain model: all (project, image, action) that a grant gives, written out one by one.
struct Model {
    std::set<std::tuple<std::string, std::string, Action>> given;
    std::set<std::pair<std::string, Action>> within;  // what the credential may at most

    // The only patterns of this test: one image, or all below a folder.
    static bool covers(const std::vector<std::string>& patterns, const std::string& image) {
        return patterns.empty() || std::any_of(patterns.begin(), patterns.end(), [&](auto& p) {
                   return p.ends_with("**") ? image.starts_with(p.substr(0, p.size() - 2))
                                            : p == image;
               });
    }

    // Calls `take` with each of `images` and each action that patterns and a list of actions name.
    template <class Take>
    static void each(const std::vector<std::string>& patterns, const std::vector<Action>& only,
                     const std::vector<std::string>& images, Take take) {
        for (const auto& image : images) {
            for (std::size_t i = 0; i < kActions; ++i) {
                const auto action = static_cast<Action>(i);
                const bool named = only.empty() || std::count(only.begin(), only.end(), action) > 0;
                if (named && covers(patterns, image)) take(image, action);
            }
        }
    }

    void add(const Grant& grant, const std::vector<std::string>& images) {
        each(grant.patterns, grant.only, images, [&](const auto& image, Action action) {
            if (role_allows(grant.role, action)) given.insert({grant.project, image, action});
        });
    }
    void limit(const Restriction& at_most, const std::vector<std::string>& images) {
        each(at_most.patterns, at_most.only, images, [&](const auto& image, Action action) {
            within.insert({image, action});
        });
    }
};

TEST(Access, AgreesWithAPlainModel) {
    const std::vector<std::string> projects{"acme", "acme2", "open"};
    const std::vector<std::string> images{"acme/app",  "acme/app/deep", "acme/tool",
                                          "acme2/app", "open/app",      "open/x/y"};
    const std::vector<std::string> patterns{"acme/app", "acme/app/**", "acme/**",
                                            "open/**",  "acme2/app",   "**"};
    std::minstd_rand generator{7};
    const auto random = [&] { return static_cast<unsigned>(generator()); };
    const auto pick = [&](const auto& from) { return from[random() % from.size()]; };
    int allowed = 0;
    int narrowed = 0;
    for (int round = 0; round < 3000; ++round) {
        Rights rights;
        rights.administrator = random() % 50 == 0;
        Model model;
        for (unsigned i = random() % 4; i > 0; --i) {
            Grant grant{pick(projects), pick(kAllRoles), {}, {}, {}};
            for (unsigned k = random() % 3; k > 0; --k) grant.patterns.push_back(pick(patterns));
            for (unsigned k = random() % 3; k > 0; --k)
                grant.only.push_back(static_cast<Action>(random() % kActions));
            model.add(grant, images);
            rights.grants.push_back(std::move(grant));
        }
        if (random() % 2 == 0) {
            Restriction at_most;
            for (unsigned k = random() % 3; k > 0; --k) at_most.patterns.push_back(pick(patterns));
            for (unsigned k = random() % 3; k > 0; --k)
                at_most.only.push_back(static_cast<Action>(random() % kActions));
            model.limit(at_most, images);
            rights.at_most = std::move(at_most);
        }
        for (const auto& project : projects) {
            for (const auto& image : images) {
                for (std::size_t i = 0; i < kActions; ++i) {
                    const auto action = static_cast<Action>(i);
                    const bool open = project == "open";
                    const bool granted =
                        rights.administrator || model.given.contains({project, image, action}) ||
                        (open && (action == Action::pull || action == Action::list));
                    const bool wanted =
                        granted && (!rights.at_most || model.within.contains({image, action}));
                    narrowed += granted && !wanted;
                    const auto decision = decide(rights, {action, project, image, open});
                    ASSERT_EQ(decision.allowed, wanted)
                        << project << ' ' << image << ' ' << to_string(action);
                    ASSERT_FALSE(decision.reason.empty());
                    allowed += decision.allowed;
                }
            }
        }
    }
    EXPECT_GT(allowed, 10'000);
    EXPECT_GT(narrowed, 10'000);
}

// Nor does a credential that is good for some images reach the project, whoever owns it.
TEST(Access, ARestrictionNarrowsEvenAnAdministrator) {
    const Rights rights{true, {}, Restriction{{"acme/**"}, {Action::pull, Action::push}}};
    EXPECT_TRUE(decide(rights, {Action::push, "acme", "acme/app", false}).allowed);
    EXPECT_FALSE(decide(rights, {Action::remove, "acme", "acme/app", false}).allowed);
    EXPECT_FALSE(decide(rights, {Action::push, "other", "other/app", false}).allowed);
    EXPECT_FALSE(decide(rights, {Action::pull, "other", "other/app", true}).allowed);
    EXPECT_FALSE(decide(rights, {Action::push, "acme", "", false}).allowed);
    EXPECT_FALSE(decide(rights, {Action::administer, "", "", false}).allowed);
}

// A grant of some images says nothing about the project as a whole.
TEST(Access, PatternsDoNotReachTheProject) {
    const Rights rights{false, {{"acme", Role::project_admin, {"**"}, {}, {}}}, {}};
    EXPECT_FALSE(decide(rights, {Action::manage_members, "acme", "", false}).allowed);
    EXPECT_TRUE(decide(rights, {Action::remove, "acme", "acme/app", false}).allowed);
}

}  // namespace
}  // namespace orbitalreg::engine
