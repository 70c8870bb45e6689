// A credential that is kept for its next requests: it is looked at again when something changed, and never before.

#include "auth/presented.h"

#include "support/access_world.h"

namespace orbitalreg::frontend {
namespace {

using engine::Action;
using engine::Errc;
using engine::Grant;
using engine::Identity;
using engine::Role;
using engine::run_alone;

class PresentedTest : public testing::Test {
protected:
    PresentedTest() {
        world.make_project("acme");
        secret = world.make_robot("acme", "ci", {{"acme", Role::maintainer, {}, {}, {}}}).text;
    }
    std::unique_ptr<Presented> present() {
        const auto epoch = world.access.epoch();
        const auto in = run_alone(world.access.log_in("robot$acme+ci", secret));
        EXPECT_TRUE(in);
        return std::make_unique<Presented>(in.value(), std::nullopt, epoch, 0);
    }
    bool recall(Presented& presented) {
        const auto genuine = run_alone(presented.recall(world.access));
        EXPECT_TRUE(genuine);
        return genuine.value();
    }
    std::shared_ptr<const engine::ProjectView> view(Presented& presented,
                                                    const std::string& project = "acme") {
        const auto made = run_alone(presented.view(world.access, project));
        EXPECT_TRUE(made);
        return made.value();
    }
    bool may(Presented& presented, Action action) {
        const auto seen = view(presented);
        return engine::AccessControl::decide_in(*seen, *presented.identity(), action, "acme",
                                                "acme/app")
            .allowed;
    }
    void grant(Role role) {
        engine::RobotChange change;
        change.grants = std::vector<Grant>{{"acme", role, {}, {}, {}}};
        ASSERT_TRUE(run_alone(world.accounts.change_robot("acme+ci", change)));
    }

    engine::AccessWorld world;
    std::string secret;
};

TEST_F(PresentedTest, IsRecalledWhenTheEpochGrewAndOnlyThen) {
    const auto robot = present();
    const auto first = robot->identity();
    EXPECT_TRUE(recall(*robot));
    EXPECT_EQ(robot->identity(), first);
    world.make_user("somebody");
    EXPECT_TRUE(recall(*robot));
    EXPECT_NE(robot->identity(), first);
    grant(Role::guest);
    EXPECT_TRUE(recall(*robot));
    EXPECT_EQ(robot->identity()->grants.at(0).role, Role::guest);
    // An error of the store is none of the credential.
    const auto kept = world.text_of("account/robot/acme/ci");
    world.write("account/robot/acme/ci", "{");
    EXPECT_EQ(code_of(run_alone(robot->recall(world.access))), Errc::damaged);
    world.write("account/robot/acme/ci", kept);
    EXPECT_TRUE(recall(*robot));
    ASSERT_TRUE(run_alone(world.accounts.remove_robot("acme+ci")));
    EXPECT_FALSE(recall(*robot));
    EXPECT_FALSE(recall(*robot));
}

TEST_F(PresentedTest, ViewsAreKeptUntilSomethingChanges) {
    const auto robot = present();
    const auto first = view(*robot);
    EXPECT_EQ(view(*robot), first);
    EXPECT_TRUE(may(*robot, Action::remove));
    world.make_user("somebody");
    EXPECT_TRUE(recall(*robot));
    EXPECT_NE(view(*robot), first);
    EXPECT_EQ(first->rights.grants.size(), 1u);  // who has it in hand keeps it
}

TEST_F(PresentedTest, RightsThatWereTakenAreGoneAtTheNextRequest) {
    const auto robot = present();
    EXPECT_TRUE(may(*robot, Action::remove));
    grant(Role::guest);
    EXPECT_TRUE(recall(*robot));
    EXPECT_FALSE(may(*robot, Action::remove));
    EXPECT_TRUE(may(*robot, Action::pull));
}

// The change falls between the recall and the view of one request: the view is that of before, and must not be kept.
TEST_F(PresentedTest, AViewOfWhoItWasIsNotKeptForWhoItIs) {
    const auto robot = present();
    EXPECT_TRUE(recall(*robot));
    grant(Role::guest);
    EXPECT_TRUE(may(*robot, Action::remove));
    EXPECT_TRUE(recall(*robot));
    EXPECT_FALSE(may(*robot, Action::remove));
}

TEST_F(PresentedTest, ViewsHaveALimit) {
    const auto robot = present();
    const auto first = view(*robot);
    for (std::size_t i = 0; i < Presented::kViewsMax; ++i) view(*robot, "p" + std::to_string(i));
    EXPECT_NE(view(*robot), first);
}

CredentialCache::Key key_of(std::uint64_t number) {
    CredentialCache::Key key{};
    for (std::size_t i = 0; i < 8; ++i) {
        key[i] = static_cast<std::byte>(number >> (8 * i));
        key[8 + i] = key[i];
    }
    return key;
}

std::shared_ptr<Presented> somebody() {
    return std::make_shared<Presented>(Identity{}, std::nullopt, 0, 0);
}

TEST(CredentialCache, FindsWhatItKeepsUntilItIsForgotten) {
    CredentialCache cache;
    const auto one = somebody();
    const auto two = somebody();
    EXPECT_EQ(cache.find(key_of(1)), nullptr);
    cache.keep(key_of(1), one);
    cache.keep(key_of(2), two);
    EXPECT_EQ(cache.find(key_of(1)), one);
    EXPECT_EQ(cache.find(key_of(2)), two);
    cache.keep(key_of(1), two);
    EXPECT_EQ(cache.find(key_of(1)), two);
    cache.forget(key_of(1));
    cache.forget(key_of(1));
    EXPECT_EQ(cache.find(key_of(1)), nullptr);
    EXPECT_EQ(cache.find(key_of(2)), two);
}

TEST(CredentialCache, TheOldestGo) {
    CredentialCache cache;
    const auto one = somebody();
    for (std::uint64_t i = 0; i < 2 * CredentialCache::kEntriesMax; ++i) cache.keep(key_of(i), one);
    for (std::uint64_t i = 0; i < 2 * CredentialCache::kEntriesMax; ++i) {
        ASSERT_EQ(cache.find(key_of(i)) != nullptr, i >= CredentialCache::kEntriesMax) << i;
    }
}

}  // namespace
}  // namespace orbitalreg::frontend
