// Who somebody is, by what they present, and what that credential may.

#include "engine/access_control.h"

#include "access/hashing_pool.h"
#include "access/password.h"
#include "access/secret.h"
#include "support/access_world.h"

#include <crypt.h>

namespace orbitalreg::engine {
namespace {

constexpr std::string_view kNotGenuine = "the credentials are not valid";
// Of "correct horse", with costs that a test can pay often.
const std::string kCheap =
    "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

std::vector<ProjectDeclaration> declarations() {
    ProjectDeclaration open;
    open.name = "open";
    open.open_to_all = true;
    open.repositories = {{"closed", RepositoryType::local, false, false}};
    ProjectDeclaration acme;
    acme.name = "acme";
    acme.repositories = {{"site", RepositoryType::local, false, true}};
    acme.members = {{false, "alice", Role::developer, {}}, {true, "staff", Role::guest, {}}};
    ProjectDeclaration library;
    library.name = "library";
    library.open_to_all = true;
    library.repositories = {{"closed", RepositoryType::local, false, false}};
    return {open, acme, library};
}

class AccessControlTest : public testing::Test {
protected:
    template <class T>
    T run(Awaitable<T> work) {
        return run_alone(std::move(work));
    }
    Answer<Identity> log_in(std::string user, std::string secret, bool* slow = nullptr) {
        return run(access.log_in(std::move(user), std::move(secret), slow));
    }
    Answer<Identity> recall(Identity identity) { return run(access.recall(std::move(identity))); }
    // Each refusal looks like every other.
    void expect_not_genuine(const Answer<Identity>& answer, const std::string& what = {}) {
        ASSERT_FALSE(answer) << what;
        EXPECT_EQ(answer.error(), (Refusal{Errc::denied, std::string{kNotGenuine}})) << what;
    }
    User make_user(const std::string& name, const std::string& password) {
        User user;
        user.name = name;
        user.password = hash_password(password, world.random);
        return run(world.accounts.create_user(user)).value();
    }
    void switch_off(const std::string& name, bool off = true) {
        UserChange change;
        change.disabled = off;
        ASSERT_TRUE(run(world.accounts.change_user(name, change)));
    }
    bool may(const Identity& identity, Action action, std::string_view image) {
        const auto name = ImageName::parse(image).value();
        return run(access.decide_image(identity, action, name)).value().allowed;
    }
    bool may_in(const Identity& identity, Action action, std::string project) {
        return run(access.decide_project(identity, action, std::move(project))).value().allowed;
    }

    AccessWorld world{declarations()};
    AccessControl& access = world.access;
};

// --- by the shape of what is presented ---

TEST_F(AccessControlTest, APersonComesInByPassword) {
    const auto alice = make_user("alice", "correct horse");
    bool slow = false;
    const auto in = log_in("alice", "correct horse", &slow);
    ASSERT_TRUE(in);
    EXPECT_TRUE(slow);
    EXPECT_EQ(in.value().kind, Identity::Kind::user);
    EXPECT_EQ(in.value().principal.name, "user:alice");
    EXPECT_EQ(in.value().account, "alice");
    EXPECT_EQ(in.value().account_id, alice.id);
    EXPECT_EQ(in.value().generation, 1u);
    EXPECT_EQ(in.value().credential, "password");
    EXPECT_FALSE(in.value().administrator);
    EXPECT_FALSE(in.value().at_most.has_value());
    expect_not_genuine(log_in("alice", "correct horsf"));
    expect_not_genuine(log_in("Alice", "correct horse"));
    switch_off("alice");
    expect_not_genuine(log_in("alice", "correct horse"));
    switch_off("alice", false);
    EXPECT_EQ(log_in("alice", "correct horse").value().generation, 3u);
}

TEST_F(AccessControlTest, APersonComesInByToken) {
    const auto alice = make_user("alice", "correct horse");
    make_user("bob", "correct horse");
    const auto token = world.make_token("alice", {{"acme/**"}, {Action::pull}}, 100);
    bool slow = true;
    const auto in = log_in("alice", token.text, &slow);
    ASSERT_TRUE(in);
    EXPECT_FALSE(slow);
    EXPECT_EQ(in.value().principal.name, "user:alice");
    EXPECT_EQ(in.value().account_id, alice.id);
    EXPECT_EQ(in.value().credential, "token:" + token.id);
    EXPECT_EQ(in.value().at_most, (Restriction{{"acme/**"}, {Action::pull}}));
    EXPECT_EQ(in.value().expires_s, world.clock.now_s() + 100);
    expect_not_genuine(log_in("bob", token.text));
    expect_not_genuine(log_in("", token.text));
    expect_not_genuine(log_in("robot$alice", token.text));
    expect_not_genuine(log_in("bootstrap", token.text));
    world.move_s(99);
    EXPECT_TRUE(log_in("alice", token.text));
    world.move_s(1);
    expect_not_genuine(log_in("alice", token.text));

    const auto wide = world.make_token("alice");
    EXPECT_FALSE(log_in("alice", wide.text).value().at_most.has_value());
    switch_off("alice");
    expect_not_genuine(log_in("alice", wide.text));
    switch_off("alice", false);
    EXPECT_TRUE(log_in("alice", wide.text));
    ASSERT_TRUE(run(world.accounts.remove_token("alice", wide.id)));
    expect_not_genuine(log_in("alice", wide.text));
}

// A token that was left behind by an account of the same name.
TEST_F(AccessControlTest, ATokenOfAnotherAccountOfTheNameIsNone) {
    make_user("alice", "correct horse");
    const auto token = world.make_token("alice");
    const auto document = "account/token/alice/" + token.id;
    const auto kept = world.text_of(document);
    ASSERT_TRUE(run(world.accounts.remove_user("alice")));
    make_user("alice", "another one");
    world.write(document, kept);
    expect_not_genuine(log_in("alice", token.text));
}

TEST_F(AccessControlTest, ARobotComesInByItsSecrets) {
    const auto first = world.make_robot("acme", "ci", {{"acme", Role::developer, {}, {}, "x"}});
    const auto second = run(world.accounts.add_robot_secret("acme+ci", false)).value();
    bool slow = true;
    const auto in = log_in("robot$acme+ci", first.text, &slow);
    ASSERT_TRUE(in);
    EXPECT_FALSE(slow);
    EXPECT_EQ(in.value().kind, Identity::Kind::robot);
    EXPECT_EQ(in.value().principal.name, "robot:acme+ci");
    EXPECT_EQ(in.value().account, "acme+ci");
    EXPECT_EQ(in.value().credential, "secret:" + first.id);
    ASSERT_EQ(in.value().grants.size(), 1u);
    EXPECT_EQ(in.value().grants[0].origin, "robot acme+ci");
    EXPECT_TRUE(log_in("robot$acme+ci", second.text));
    expect_not_genuine(log_in("robot$ci", first.text));
    expect_not_genuine(log_in("acme+ci", first.text));
    expect_not_genuine(log_in("robot$acme+other", first.text));
    expect_not_genuine(log_in("robot$", first.text));
    expect_not_genuine(log_in("robot$acme+ci", "correct horse"));
    expect_not_genuine(log_in("robot$acme+ci", ""));

    // A third one pushes the first out, and replacing all of them leaves one.
    const auto third = run(world.accounts.add_robot_secret("acme+ci", false)).value();
    expect_not_genuine(log_in("robot$acme+ci", first.text));
    const auto only = run(world.accounts.add_robot_secret("acme+ci", true)).value();
    expect_not_genuine(log_in("robot$acme+ci", third.text));
    RobotChange ending;
    ending.expires_s = world.clock.now_s() + 10;
    ASSERT_TRUE(run(world.accounts.change_robot("acme+ci", ending)));
    EXPECT_EQ(log_in("robot$acme+ci", only.text).value().expires_s, world.clock.now_s() + 10);
    world.move_s(10);
    expect_not_genuine(log_in("robot$acme+ci", only.text));
    ending.expires_s = 0;
    ending.disabled = true;
    ASSERT_TRUE(run(world.accounts.change_robot("acme+ci", ending)));
    expect_not_genuine(log_in("robot$acme+ci", only.text));
}

TEST_F(AccessControlTest, TheBootstrapSecretIsForBootstrapAlone) {
    expect_not_genuine(log_in("bootstrap", ""));
    const auto secret = run(world.accounts.create_bootstrap()).value();
    bool slow = true;
    const auto in = log_in("bootstrap", secret.text, &slow);
    ASSERT_TRUE(in);
    EXPECT_FALSE(slow);
    EXPECT_EQ(in.value().kind, Identity::Kind::bootstrap);
    EXPECT_FALSE(AccessControl::administers(in.value()));
    for (std::size_t i = 0; i < kActions; ++i) {
        EXPECT_FALSE(may(in.value(), static_cast<Action>(i), "open/app"));
        EXPECT_FALSE(may_in(in.value(), static_cast<Action>(i), ""));
    }
    expect_not_genuine(log_in("alice", secret.text));
    expect_not_genuine(recall(in.value()));
    ASSERT_TRUE(run(world.accounts.use_bootstrap()));
    expect_not_genuine(log_in("bootstrap", secret.text));
}

TEST_F(AccessControlTest, EveryWrongShapeIsRefusedInTheSameWords) {
    make_user("alice", "correct horse");
    world.make_user("carol");  // without a password
    const auto token = world.make_token("alice");
    world.make_robot("acme", "ci");
    auto forged = token.text;
    forged[20] = forged[20] == 'a' ? 'b' : 'a';
    const std::string zero{"correct horse\0", 14};
    const std::vector<std::pair<std::string, std::string>> wrong{
        {"", ""},
        {"alice", ""},
        {"alice", forged},
        {"alice", "orp_"},
        {"alice", make_secret(SecretKind::personal, world.random).text},
        {"alice", std::string(1025, 'p')},
        {"alice", zero},
        {"carol", ""},
        {"carol", "password"},
        {"nobody", "correct horse"},
        {"anonymous", ""},
        {"token", "a.b.c"},
        {"bootstrap", make_secret(SecretKind::bootstrap, world.random).text},
        {"robot$acme+ci", make_secret(SecretKind::robot, world.random).text},
        {"robot$acme+none", make_secret(SecretKind::robot, world.random).text},
        {"robot$../x", make_secret(SecretKind::robot, world.random).text},
        {std::string(5000, 'a'), "correct horse"},
        {"a\nb", "correct horse"},
        {"../user/alice", "correct horse"}};
    for (const auto& [user, secret] : wrong) expect_not_genuine(log_in(user, secret), user);
}

// What cannot be read is no reason to say no for good, and none to say yes.
TEST_F(AccessControlTest, ADamagedAccountIsNoWrongPassword) {
    const auto alice = make_user("alice", "correct horse");
    const auto in = log_in("alice", "correct horse").value();
    const auto token = world.make_token("alice");
    const auto secret = world.make_robot("acme", "ci");
    const auto robot = log_in("robot$acme+ci", secret.text).value();
    const auto kept = world.text_of("account/user/alice");
    world.write("account/user/alice", "{");
    world.write("account/robot/acme/ci", "{");
    EXPECT_EQ(code_of(log_in("alice", "correct horse")), Errc::damaged);
    EXPECT_EQ(code_of(log_in("alice", token.text)), Errc::damaged);
    EXPECT_EQ(code_of(log_in("robot$acme+ci", secret.text)), Errc::damaged);
    EXPECT_EQ(code_of(recall(in)), Errc::damaged);
    EXPECT_EQ(code_of(recall(robot)), Errc::damaged);
    EXPECT_EQ(code_of(run(access.describe("alice"))), Errc::damaged);
    world.write("account/user/alice", kept);
    world.write("account/token/alice/" + token.id, "{");
    EXPECT_EQ(code_of(log_in("alice", token.text)), Errc::damaged);
}

// --- a password that came with an htpasswd file ---

TEST_F(AccessControlTest, AnImportedHashIsRenewedAtTheLogin) {
    const auto data = std::make_unique<crypt_data>();
    const std::string imported =
        crypt_r("correct horse", "$2y$10$abcdefghijklmnopqrstuu", data.get());
    ASSERT_TRUE(imported.starts_with("$2y$10$"));
    User alice;
    alice.name = "alice";
    alice.password = imported;
    ASSERT_TRUE(run(world.accounts.create_user(alice)));
    expect_not_genuine(log_in("alice", "correct horsf"));
    EXPECT_EQ(run(world.accounts.find_user("alice")).value().password, imported);
    const auto in = log_in("alice", "correct horse");
    ASSERT_TRUE(in);
    const auto renewed = run(world.accounts.find_user("alice")).value();
    EXPECT_TRUE(renewed.password.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    EXPECT_EQ(renewed.generation, 1u);  // nothing that was issued ends
    EXPECT_TRUE(recall(in.value()));
    EXPECT_TRUE(log_in("alice", "correct horse"));
    EXPECT_EQ(run(world.accounts.find_user("alice")).value().password, renewed.password);
}

TEST_F(AccessControlTest, ANewPasswordIsHashedOrRefusedWithTheReason) {
    const auto hash = run(access.hash_new_password("alice", "correct horse"));
    ASSERT_TRUE(hash);
    EXPECT_TRUE(verify_password(hash.value(), "correct horse"));
    EXPECT_EQ(run(access.hash_new_password("alice", "short")).error(),
              (Refusal{Errc::denied, "a password has at least 8 characters"}));
}

// --- recalled ---

TEST_F(AccessControlTest, RecallSeesWhatChanged) {
    make_user("alice", "correct horse");
    const auto in = log_in("alice", "correct horse").value();
    EXPECT_FALSE(recall(in).value().administrator);
    UserChange promoted;
    promoted.administrator = true;
    ASSERT_TRUE(run(world.accounts.change_user("alice", promoted)));
    EXPECT_TRUE(recall(in).value().administrator);
    promoted.administrator = false;
    ASSERT_TRUE(run(world.accounts.change_user("alice", promoted)));
    EXPECT_FALSE(recall(recall(in).value()).value().administrator);

    auto other = in;
    other.account_id = "somebodyelse";
    expect_not_genuine(recall(other));
    other = in;
    other.generation = 2;
    expect_not_genuine(recall(other));
    other = in;
    other.credential = "token:abcdefghijkl";
    expect_not_genuine(recall(other));
    other = in;
    other.expires_s = world.clock.now_s();
    expect_not_genuine(recall(other));

    UserChange password;
    password.password = kCheap;
    ASSERT_TRUE(run(world.accounts.change_user("alice", password)));
    expect_not_genuine(recall(in));
    ASSERT_TRUE(run(world.accounts.remove_user("alice")));
    expect_not_genuine(recall(in));
}

TEST_F(AccessControlTest, RecallOfARobotTakesItsRightsOfToday) {
    const auto secret = world.make_robot("acme", "ci", {{"acme", Role::maintainer, {}, {}, {}}});
    const auto in = log_in("robot$acme+ci", secret.text).value();
    EXPECT_TRUE(may(in, Action::remove, "acme/app"));
    RobotChange narrower;
    narrower.grants = {{{"acme", Role::guest, {}, {}, {}}}};
    ASSERT_TRUE(run(world.accounts.change_robot("acme+ci", narrower)));
    EXPECT_FALSE(may(recall(in).value(), Action::remove, "acme/app"));
    EXPECT_TRUE(may(recall(in).value(), Action::pull, "acme/app"));
    ASSERT_TRUE(run(world.accounts.add_robot_secret("acme+ci", false)));
    EXPECT_TRUE(recall(in));
    ASSERT_TRUE(run(world.accounts.add_robot_secret("acme+ci", false)));
    expect_not_genuine(recall(in));  // its secret is the one that went
}

TEST_F(AccessControlTest, WhomNoSecretStandsForIsNotRecalled) {
    world.make_robot("acme", "ci");
    expect_not_genuine(recall(run(access.describe("robot$acme+ci")).value()));
    auto odd = run(access.describe("robot$acme+ci")).value();
    odd.credential = "s";
    expect_not_genuine(recall(odd));
    EXPECT_EQ(recall(Identity{}).value().kind, Identity::Kind::anonymous);
}

TEST_F(AccessControlTest, AFederatedIdentityIsGoodUntilItEnds) {
    Identity job;
    job.kind = Identity::Kind::federated;
    job.principal.name = "oidc:idp:repo";
    job.expires_s = world.clock.now_s() + 5;
    EXPECT_EQ(recall(job).value().principal.name, "oidc:idp:repo");
    world.move_s(5);
    expect_not_genuine(recall(job));
}

// --- what a credential may ---

TEST_F(AccessControlTest, ARestrictedTokenIsNarrowerThanItsOwner) {
    world.make_user("root", true);
    const auto narrow = world.make_token("root", {{"acme/**"}, {Action::pull, Action::push}});
    const auto by_token = log_in("root", narrow.text).value();
    EXPECT_TRUE(by_token.administrator);
    EXPECT_FALSE(AccessControl::administers(by_token));
    EXPECT_TRUE(may(by_token, Action::push, "acme/app"));
    EXPECT_FALSE(may(by_token, Action::remove, "acme/app"));
    EXPECT_FALSE(may(by_token, Action::push, "open/app"));
    EXPECT_FALSE(may(by_token, Action::pull, "open/app"));
    EXPECT_FALSE(may_in(by_token, Action::manage_members, "acme"));
    EXPECT_FALSE(may_in(by_token, Action::administer, ""));
    const auto wide = log_in("root", world.make_token("root").text).value();
    EXPECT_TRUE(AccessControl::administers(wide));
    EXPECT_TRUE(may(wide, Action::remove, "acme/app"));
    EXPECT_TRUE(may_in(wide, Action::administer, ""));
}

TEST_F(AccessControlTest, ARepositoryMayBeOpenOrClosedOtherThanItsProject) {
    const Identity nobody;
    EXPECT_TRUE(may(nobody, Action::pull, "open/app"));
    EXPECT_TRUE(may(nobody, Action::list, "open/app/deep"));
    EXPECT_FALSE(may(nobody, Action::push, "open/app"));
    EXPECT_FALSE(may(nobody, Action::pull, "open/closed"));
    EXPECT_FALSE(may(nobody, Action::pull, "open/closed/deep"));
    EXPECT_TRUE(may(nobody, Action::pull, "open/closed2"));
    EXPECT_FALSE(may(nobody, Action::pull, "acme/app"));
    EXPECT_TRUE(may(nobody, Action::pull, "acme/site"));
    EXPECT_TRUE(may(nobody, Action::pull, "acme/site/deep"));
    EXPECT_FALSE(may(nobody, Action::push, "acme/site"));
    EXPECT_FALSE(may(nobody, Action::pull, "nowhere/app"));
    EXPECT_TRUE(may_in(nobody, Action::list, "open"));
    EXPECT_FALSE(may_in(nobody, Action::list, "acme"));
}

// A name of one component belongs to the default project, and so to the repository of that name in it.
TEST_F(AccessControlTest, AShortNameIsAsClosedAsItsRepository) {
    const Identity nobody;
    EXPECT_EQ(access.project_of(ImageName::parse("app").value()), "library");
    EXPECT_TRUE(may(nobody, Action::pull, "app"));
    EXPECT_TRUE(may(nobody, Action::pull, "library/app"));
    EXPECT_FALSE(may(nobody, Action::pull, "library/closed"));
    EXPECT_FALSE(may(nobody, Action::pull, "closed"));
}

TEST_F(AccessControlTest, MembersMayWhatTheirRoleMay) {
    make_user("alice", "correct horse");
    const auto alice = run(access.describe("alice")).value();
    EXPECT_TRUE(may(alice, Action::push, "acme/app"));
    EXPECT_FALSE(may(alice, Action::remove, "acme/app"));
    EXPECT_FALSE(may(alice, Action::push, "open/app"));
    Identity job;
    job.kind = Identity::Kind::federated;
    job.groups = {"staff"};
    EXPECT_TRUE(may(job, Action::read_report, "acme/app"));
    EXPECT_FALSE(may(job, Action::push, "acme/app"));
    job.grants = {{"acme", Role::developer, {"acme/app"}, {}, "rule r"}};
    EXPECT_TRUE(may(job, Action::push, "acme/app"));
    EXPECT_FALSE(may(job, Action::push, "acme/app2"));
    // A robot has its own rights, and not those of a person or group of its name.
    const auto secret = world.make_robot("", "alice");
    EXPECT_FALSE(may(log_in("robot$alice", secret.text).value(), Action::pull, "acme/app"));
}

TEST_F(AccessControlTest, DescribesSomebodyAsAWhole) {
    world.make_user("root", true);
    world.make_robot("acme", "ci", {{"acme", Role::developer, {}, {}, {}}});
    EXPECT_TRUE(run(access.describe("root")).value().administrator);
    EXPECT_EQ(run(access.describe("robot$acme+ci")).value().grants.size(), 1u);
    EXPECT_EQ(run(access.describe("anonymous")).value().kind, Identity::Kind::anonymous);
    for (const auto* name : {"nobody", "robot$nobody", "robot$", "acme+ci", "", "a b"})
        EXPECT_EQ(code_of(run(access.describe(name))), Errc::document_unknown) << name;
}

// --- the pool ---

TEST(HashingPool, SixtyFourWaitAndMoreAreTooMany) {
    HashingPool pool{1};
    std::vector<Awaitable<Answer<bool>>> work;
    for (unsigned i = 0; i < HashingPool::kWaitingMax + 3; ++i)
        work.push_back(pool.verify(kCheap, "correct horse"));
    const auto answers = run_together(std::move(work));
    for (std::size_t i = 0; i < answers.size(); ++i) {
        if (i < HashingPool::kWaitingMax + 1) {
            EXPECT_EQ(answers[i].value(), false) << i;
        } else {
            EXPECT_EQ(code_of(answers[i]), Errc::overloaded) << i;
        }
    }
    // All places were given back.
    work.clear();
    for (unsigned i = 0; i < HashingPool::kWaitingMax + 1; ++i)
        work.push_back(pool.verify(kCheap, "correct horse"));
    for (const auto& answer : run_together(std::move(work))) EXPECT_TRUE(answer);
}

TEST(HashingPool, HashesBesideTheOneWhoAsks) {
    HashingPool pool{2};
    sim::SimRandom random{1};
    const auto hash = run_alone(pool.hash("correct horse", random));
    ASSERT_TRUE(hash);
    EXPECT_EQ(run_alone(pool.verify(hash.value(), "correct horse")).value(), true);
    EXPECT_EQ(run_alone(pool.verify(hash.value(), "correct horsf")).value(), false);
}

}  // namespace
}  // namespace orbitalreg::engine
