// People, tokens, robots and what is good once: what is kept, what ends, and what comes between two who change the same.

#include "engine/accounts.h"

#include "access/account_documents.h"
#include "access/secret.h"
#include "support/access_world.h"

namespace orbitalreg::engine {
namespace {

constexpr std::int64_t kDay_s = 24 * 3600;
const std::string kHash = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaA";
const std::string kOtherHash = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$b3RoZXI";

class AccountsTest : public testing::Test {
protected:
    template <class T>
    T run(Awaitable<T> work) {
        return run_alone(std::move(work));
    }
    Answer<User> change(std::string name, UserChange change) {
        return run(accounts.change_user(std::move(name), std::move(change)));
    }

    AccessWorld world;
    Accounts& accounts = world.accounts;
};

// --- people ---

TEST_F(AccountsTest, KeepsAUserAsItWasMade) {
    User alice;
    alice.name = "alice";
    alice.id = "mine";
    alice.password = kHash;
    alice.generation = 77;
    alice.created_s = 1;
    alice.description = "Alice of Acme";
    const auto made = run(accounts.create_user(alice));
    ASSERT_TRUE(made);
    EXPECT_EQ(made.value().id.size(), 12u);  // id, generation and time are not the caller's
    EXPECT_EQ(made.value().generation, 1u);
    EXPECT_EQ(made.value().created_s, world.clock.now_s());
    const auto found = run(accounts.find_user("alice"));
    ASSERT_TRUE(found);
    EXPECT_EQ(encode_user(found.value()), encode_user(made.value()));
    EXPECT_EQ(found.value().password, kHash);
    EXPECT_FALSE(found.value().administrator);

    EXPECT_EQ(code_of(run(accounts.create_user(alice))), Errc::exists);
    EXPECT_EQ(code_of(run(accounts.find_user("bob"))), Errc::document_unknown);
    EXPECT_EQ(code_of(run(accounts.find_user("Alice"))), Errc::document_unknown);
}

TEST_F(AccountsTest, RefusesNamesThatAreNoUsers) {
    for (const std::string name :
         {"", "Alice", "-a", ".a", "_a", "@a", "a b", "a/b", "a+b", "robot$a", "a:b", "a\n",
          "\xc3\xa4", "token", "oidc", "bootstrap", "anonymous"}) {
        User user;
        user.name = name;
        EXPECT_EQ(code_of(run(accounts.create_user(user))), Errc::name_invalid) << name;
        EXPECT_FALSE(is_user_name(name)) << name;
    }
    for (const auto* name : {"a", "0", "a.b@example.org", "a_b-c", "tokens"})
        EXPECT_TRUE(is_user_name(name)) << name;
    EXPECT_TRUE(is_user_name(std::string(64, 'a')));
    EXPECT_FALSE(is_user_name(std::string(65, 'a')));
    EXPECT_TRUE(is_robot_name(std::string(63, 'a')));
    EXPECT_FALSE(is_robot_name(std::string(64, 'a')));
    EXPECT_FALSE(is_robot_name("a@b"));
    EXPECT_TRUE(world.names("account/").empty());
}

TEST_F(AccountsTest, RefusesWhatIsNoDescriptionAndNoHash) {
    User user;
    user.name = "alice";
    user.description = std::string(257, 'd');
    EXPECT_EQ(code_of(run(accounts.create_user(user))), Errc::too_large);
    user.description = "two\nlines";
    EXPECT_EQ(code_of(run(accounts.create_user(user))), Errc::too_large);
    user.description = std::string(256, 'd');
    for (const auto* plain :
         {"a plain password", "$1$md5", "$5$sha", "$2a$10$x", "$argon2i$v=19$"}) {
        user.password = plain;
        EXPECT_EQ(code_of(run(accounts.create_user(user))), Errc::denied) << plain;
    }
    user.password = {};
    ASSERT_TRUE(run(accounts.create_user(user)));
    UserChange longer;
    longer.description = std::string(257, 'd');
    EXPECT_EQ(code_of(change("alice", longer)), Errc::too_large);
    UserChange plain;
    plain.password = "a plain password";
    EXPECT_EQ(code_of(change("alice", plain)), Errc::denied);
}

// A generation ends what was issued before: with a new password, and with each switch.
TEST_F(AccountsTest, TheGenerationGrowsWithPasswordAndSwitchAlone) {
    world.make_user("alice");
    UserChange description;
    description.description = "still Alice";
    EXPECT_EQ(change("alice", description).value().generation, 1u);
    UserChange promoted;
    promoted.administrator = true;
    EXPECT_EQ(change("alice", promoted).value().generation, 1u);
    UserChange password;
    password.password = kHash;
    EXPECT_EQ(change("alice", password).value().generation, 2u);
    UserChange off;
    off.disabled = true;
    EXPECT_EQ(change("alice", off).value().generation, 3u);
    EXPECT_EQ(change("alice", off).value().generation, 3u);
    UserChange on;
    on.disabled = false;
    EXPECT_EQ(change("alice", on).value().generation, 4u);
    UserChange renewed;
    renewed.password = kOtherHash;
    renewed.if_password = kHash;
    const auto after = change("alice", renewed);
    EXPECT_EQ(after.value().generation, 4u);
    EXPECT_EQ(after.value().password, kOtherHash);
    EXPECT_TRUE(after.value().administrator);
    EXPECT_EQ(after.value().description, "still Alice");
    EXPECT_EQ(code_of(change("bob", on)), Errc::document_unknown);
}

// A hash that is renewed at a login loses against a password that was changed meanwhile.
TEST_F(AccountsTest, ARenewedHashNeverUndoesAChange) {
    world.make_user("alice");
    UserChange first;
    first.password = kHash;
    ASSERT_TRUE(change("alice", first));
    world.store.before_put = [&](const std::string&) {
        UserChange other;
        other.password = kOtherHash;
        ASSERT_TRUE(change("alice", other));
    };
    UserChange renewed;
    renewed.if_password = kHash;
    renewed.password = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$bmV3";
    const int before = world.store.puts;
    EXPECT_EQ(code_of(change("alice", renewed)), Errc::precondition_failed);
    EXPECT_EQ(world.store.puts, before + 2);  // its own, which failed, and the other one
    EXPECT_EQ(run(accounts.find_user("alice")).value().password, kOtherHash);
}

TEST_F(AccountsTest, ChangesAtTheSameTimeAllCount) {
    world.make_user("alice");
    int others = 0;
    world.store.before_put = [&](const std::string&) {
        if (others == 7) return;
        ++others;
        UserChange other;
        other.disabled = others % 2 == 1;
        ASSERT_TRUE(change("alice", other));
    };
    UserChange mine;
    mine.description = "mine";
    const auto changed = change("alice", mine);
    ASSERT_TRUE(changed);
    EXPECT_EQ(others, 7);
    EXPECT_EQ(changed.value().description, "mine");
    EXPECT_EQ(changed.value().generation, 8u);
    EXPECT_TRUE(changed.value().disabled);
}

TEST_F(AccountsTest, GivesUpWhenOthersChangeItWithoutEnd) {
    world.make_user("alice");
    int tries = 0;
    world.store.before_put = [&](const std::string& name) {
        ++tries;
        world.write(name, world.text_of(name));
    };
    UserChange mine;
    mine.description = "mine";
    EXPECT_EQ(code_of(change("alice", mine)), Errc::precondition_failed);
    EXPECT_EQ(tries, 8);
    EXPECT_EQ(run(accounts.find_user("alice")).value().description, "");
}

TEST_F(AccountsTest, ARemovedUserLeavesNoTokens) {
    const auto before = world.make_user("alice");
    world.make_user("alice2");
    world.make_token("alice");
    world.make_token("alice");
    const auto other = world.make_token("alice2");
    ASSERT_TRUE(run(accounts.remove_user("alice")));
    EXPECT_EQ(code_of(run(accounts.find_user("alice"))), Errc::document_unknown);
    EXPECT_EQ(code_of(run(accounts.remove_user("alice"))), Errc::document_unknown);
    EXPECT_EQ(world.names("account/token/"),
              std::vector<std::string>{"account/token/alice2/" + other.id});
    EXPECT_NE(world.make_user("alice").id, before.id);
}

TEST_F(AccountsTest, ListsUsersPageByPage) {
    const std::vector<std::string> names{"a", "a.b", "a@b", "ab", "b", "b_1"};
    for (const auto& name : names) world.make_user(name);
    std::vector<std::string> seen;
    for (bool more = true; more;) {
        const auto page = run(accounts.list_users(seen.empty() ? "" : seen.back(), 2));
        ASSERT_TRUE(page);
        for (const auto& user : page.value().items) seen.push_back(user.name);
        more = page.value().more;
    }
    EXPECT_EQ(seen, names);
}

TEST_F(AccountsTest, KnowsWhetherAnybodyAdministers) {
    world.make_user("alice");
    EXPECT_EQ(run(accounts.has_administrator()).value(), false);
    world.make_user("bob", true);
    EXPECT_EQ(run(accounts.has_administrator()).value(), true);
    UserChange off;
    off.disabled = true;
    ASSERT_TRUE(change("bob", off));
    EXPECT_EQ(run(accounts.has_administrator()).value(), false);
    for (int i = 0; i < 600; ++i) world.make_user("user" + std::to_string(i));
    world.make_user("zoe", true);
    EXPECT_EQ(run(accounts.has_administrator()).value(), true);
}

// --- personal tokens ---

TEST_F(AccountsTest, ATokenIsShownOnceAndKeptAsItsHash) {
    const auto alice = world.make_user("alice");
    const auto secret = world.make_token("alice", {{"acme/**"}, {Action::pull}});
    EXPECT_EQ(secret_id_of(SecretKind::personal, secret.text), secret.id);
    const auto kept = world.text_of("account/token/alice/" + secret.id);
    EXPECT_EQ(kept.find(secret.text.substr(17, 43)), kept.npos);
    const auto found = run(accounts.find_token("alice", secret.id));
    ASSERT_TRUE(found);
    EXPECT_EQ(found.value().user_id, alice.id);
    EXPECT_EQ(found.value().secret_hash, secret_hash(secret.text));
    EXPECT_EQ(found.value().at_most, (Restriction{{"acme/**"}, {Action::pull}}));
    EXPECT_EQ(found.value().created_s, world.clock.now_s());

    EXPECT_EQ(code_of(run(accounts.find_token("bob", secret.id))), Errc::document_unknown);
    EXPECT_EQ(run(accounts.list_tokens("alice")).value().size(), 1u);
    ASSERT_TRUE(run(accounts.remove_token("alice", secret.id)));
    EXPECT_EQ(code_of(run(accounts.remove_token("alice", secret.id))), Errc::document_unknown);
}

TEST_F(AccountsTest, ATokenEndsWithinAYear) {
    world.make_user("alice");
    PersonalToken token;
    token.user = "alice";
    const auto now = world.clock.now_s();
    for (const auto end : {std::int64_t{0}, now - 1, now, now + 365 * kDay_s + 1}) {
        token.expires_s = end;
        EXPECT_EQ(code_of(run(accounts.create_token(token))), Errc::limit_reached) << end;
    }
    for (const auto end : {now + 1, now + 365 * kDay_s}) {
        token.expires_s = end;
        EXPECT_TRUE(run(accounts.create_token(token))) << end;
    }
    token.user = "bob";
    EXPECT_EQ(code_of(run(accounts.create_token(token))), Errc::document_unknown);
    token.user = "alice";
    token.description = "a\tb";
    EXPECT_EQ(code_of(run(accounts.create_token(token))), Errc::too_large);
}

TEST(Accounts, AUserHasSoManyTokens) {
    AccountLimits limits;
    limits.tokens_per_user = 2;
    AccessWorld world{{}, limits};
    world.make_user("alice");
    world.make_user("bob");
    const auto first = world.make_token("alice");
    world.make_token("alice");
    world.make_token("bob");
    PersonalToken third;
    third.user = "alice";
    third.expires_s = world.clock.now_s() + 60;
    EXPECT_EQ(code_of(run_alone(world.accounts.create_token(third))), Errc::limit_reached);
    ASSERT_TRUE(run_alone(world.accounts.remove_token("alice", first.id)));
    EXPECT_TRUE(run_alone(world.accounts.create_token(third)));
}

// --- robots ---

TEST_F(AccountsTest, TwoSecretsOverlap) {
    const auto first = world.make_robot("acme", "ci");
    world.move_s(1);
    const auto second = run(accounts.add_robot_secret("acme+ci", false)).value();
    auto robot = run(accounts.find_robot("acme+ci")).value();
    ASSERT_EQ(robot.secrets.size(), 2u);
    EXPECT_EQ(robot.secrets[0].id, first.id);
    EXPECT_EQ(robot.secrets[1].id, second.id);
    EXPECT_EQ(robot.secrets[1].hash, secret_hash(second.text));
    EXPECT_EQ(robot.generation, 1u);
    const auto third = run(accounts.add_robot_secret("acme+ci", false)).value();
    robot = run(accounts.find_robot("acme+ci")).value();
    ASSERT_EQ(robot.secrets.size(), 2u);
    EXPECT_EQ(robot.secrets[0].id, second.id);
    EXPECT_EQ(robot.secrets[1].id, third.id);
    EXPECT_EQ(robot.generation, 1u);
    const auto only = run(accounts.add_robot_secret("acme+ci", true)).value();
    robot = run(accounts.find_robot("acme+ci")).value();
    ASSERT_EQ(robot.secrets.size(), 1u);
    EXPECT_EQ(robot.secrets[0].id, only.id);
    EXPECT_EQ(robot.generation, 2u);
    EXPECT_EQ(secret_id_of(SecretKind::robot, only.text), only.id);
    EXPECT_FALSE(secret_id_of(SecretKind::personal, only.text));
}

TEST_F(AccountsTest, ARobotStaysInItsProject) {
    Robot robot;
    robot.project = "acme";
    robot.name = "ci";
    robot.grants = {{"other", Role::guest, {}, {}, {}}};
    EXPECT_EQ(code_of(run(accounts.create_robot(robot))), Errc::denied);
    robot.grants = {{"acme", Role::guest, {}, {}, {}}, {"", Role::guest, {}, {}, {}}};
    EXPECT_EQ(code_of(run(accounts.create_robot(robot))), Errc::denied);
    robot.grants = {{"acme", Role::guest, {}, {}, {}}};
    ASSERT_TRUE(run(accounts.create_robot(robot)));
    EXPECT_EQ(code_of(run(accounts.create_robot(robot))), Errc::exists);
    RobotChange wider;
    wider.grants = {{{"other", Role::guest, {}, {}, {}}}};
    EXPECT_EQ(code_of(run(accounts.change_robot("acme+ci", wider))), Errc::denied);
    EXPECT_EQ(run(accounts.find_robot("acme+ci")).value().grants, robot.grants);
    wider.grants = std::vector<Grant>(101, robot.grants[0]);
    EXPECT_EQ(code_of(run(accounts.change_robot("acme+ci", wider))), Errc::limit_reached);
    // One of the system reaches into any project, but names it.
    world.make_robot("", "backup", {{"acme", Role::guest, {}, {}, {}}});
    wider.grants = {{{"", Role::guest, {}, {}, {}}}};
    EXPECT_EQ(code_of(run(accounts.change_robot("backup", wider))), Errc::denied);
}

TEST_F(AccountsTest, RefusesNamesThatAreNoRobots) {
    Robot robot;
    for (const auto& [project, name] :
         std::vector<std::pair<std::string, std::string>>{{"acme", ""},
                                                          {"acme", "CI"},
                                                          {"acme", "a+b"},
                                                          {"acme", "a/b"},
                                                          {"Acme", "ci"},
                                                          {"a/b", "ci"},
                                                          {"a+b", "ci"},
                                                          {"-", "ci"}}) {
        robot.project = project;
        robot.name = name;
        EXPECT_EQ(code_of(run(accounts.create_robot(robot))), Errc::name_invalid)
            << project << ' ' << name;
    }
    for (const auto* name : {"", "+", "+ci", "acme+", "acme+ci+x", "-+ci", "../x", "acme/ci"}) {
        EXPECT_EQ(code_of(run(accounts.find_robot(name))), Errc::document_unknown) << name;
        EXPECT_EQ(code_of(run(accounts.remove_robot(name))), Errc::document_unknown) << name;
        EXPECT_EQ(code_of(run(accounts.add_robot_secret(name, false))), Errc::document_unknown);
    }
    robot.project = {};
    robot.name = "ci";
    robot.description = std::string(257, 'd');
    EXPECT_EQ(code_of(run(accounts.create_robot(robot))), Errc::too_large);
}

TEST_F(AccountsTest, RobotsOfTheSystemAndOfProjectsDoNotMeet) {
    world.make_robot("acme", "ci");
    world.make_robot("", "ci");
    world.make_robot("acme2", "ci");
    world.make_robot("acme", "deploy");
    EXPECT_EQ(run(accounts.list_robots("acme", "", 10)).value().items.size(), 2u);
    EXPECT_EQ(run(accounts.list_robots("", "", 10)).value().items.size(), 1u);
    const auto first = run(accounts.list_robots("acme", "", 1)).value();
    EXPECT_TRUE(first.more);
    const auto second = run(accounts.list_robots("acme", first.items.at(0).name, 1)).value();
    EXPECT_FALSE(second.more);
    EXPECT_EQ(second.items.at(0).full_name(), "acme+deploy");
    ASSERT_TRUE(run(accounts.remove_robot("ci")));
    EXPECT_TRUE(run(accounts.find_robot("acme+ci")));
    RobotChange off;
    off.disabled = true;
    off.expires_s = 5;
    EXPECT_EQ(run(accounts.change_robot("acme+ci", off)).value().generation, 2u);
    EXPECT_EQ(run(accounts.change_robot("acme+ci", off)).value().generation, 2u);
    EXPECT_EQ(run(accounts.find_robot("acme+ci")).value().expires_s, 5);
}

// --- refresh tokens ---

class RefreshTest : public AccountsTest {
protected:
    static constexpr std::int64_t kKeep_s = 30 * kDay_s;

    NewSecret make(std::string family = {}) {
        RefreshToken token;
        token.family = std::move(family);
        token.principal = "user:alice";
        token.account_id = "abcdefghijkl";
        token.generation = 3;
        token.credential = "token:xyz";
        token.service = "reg.example";
        token.client_id = "docker";
        auto made = run(accounts.create_refresh(std::move(token), kKeep_s));
        EXPECT_TRUE(made);
        return made.value();
    }
    RefreshToken find(const NewSecret& secret) {
        auto found = run(accounts.find_refresh(secret.text));
        EXPECT_TRUE(found);
        return found.value();
    }
    ErrorCode find_code(const std::string& text) {
        return code_of(run(accounts.find_refresh(text)));
    }
};

TEST_F(RefreshTest, FindsWhatItGave) {
    const auto secret = make();
    const auto found = find(secret);
    EXPECT_EQ(found.family, secret.id);
    EXPECT_EQ(found.principal, "user:alice");
    EXPECT_EQ(found.account_id, "abcdefghijkl");
    EXPECT_EQ(found.generation, 3u);
    EXPECT_EQ(found.credential, "token:xyz");
    EXPECT_EQ(found.service, "reg.example");
    EXPECT_EQ(found.client_id, "docker");
    EXPECT_EQ(found.renewed_s, world.clock.now_s());
    EXPECT_FALSE(found.used_up);
    auto forged = secret.text;
    forged[30] = forged[30] == 'a' ? 'b' : 'a';
    EXPECT_EQ(find_code(forged), Errc::document_unknown);
    EXPECT_EQ(find_code(""), Errc::document_unknown);
    // Well formed, of the same family, and not given.
    EXPECT_EQ(find_code(make_secret(SecretKind::refresh, world.random, secret.id).text),
              Errc::document_unknown);
    EXPECT_EQ(find_code(make_secret(SecretKind::personal, world.random).text),
              Errc::document_unknown);
}

// Used each minute it costs one write a day, and lives on; unused it ends.
TEST_F(RefreshTest, IsRenewedOnceADay) {
    const auto secret = make();
    const int before = world.store.puts;
    for (int hour = 0; hour < 24 * 60; ++hour) {
        world.move_s(3600);
        ASSERT_TRUE(run(accounts.touch_refresh(find(secret), kKeep_s, false)));
    }
    EXPECT_EQ(world.store.puts - before, 60);
    world.move_s(kKeep_s - 1);
    EXPECT_FALSE(find(secret).used_up);
    world.move_s(1);
    EXPECT_EQ(find_code(secret.text), Errc::document_unknown);
}

// A client asks for several things at once with the same token.
TEST_F(RefreshTest, RenewedByTwoAtOnceItIsGoodForBoth) {
    const auto secret = make();
    const auto token = find(secret);
    world.move_s(kDay_s);
    EXPECT_TRUE(run(accounts.touch_refresh(token, kKeep_s, false)));
    EXPECT_TRUE(run(accounts.touch_refresh(token, kKeep_s, false)));
    ASSERT_TRUE(run(accounts.touch_refresh(find(secret), kKeep_s, true)));
    EXPECT_EQ(code_of(run(accounts.touch_refresh(token, kKeep_s, false))),
              Errc::precondition_failed);
}

TEST_F(RefreshTest, IsUsedUpOnce) {
    const auto secret = make();
    const auto token = find(secret);
    ASSERT_TRUE(run(accounts.touch_refresh(token, kKeep_s, true)));
    EXPECT_TRUE(find(secret).used_up);
    // Who read it at the same time comes second.
    EXPECT_EQ(code_of(run(accounts.touch_refresh(token, kKeep_s, true))),
              Errc::precondition_failed);
}

TEST_F(RefreshTest, ARevokedFamilyIsGoneAndStaysSo) {
    const auto first = make();
    const auto second = make(first.id);
    const auto other = make();
    EXPECT_EQ(second.id, first.id);
    const auto held = find(second);
    world.move_s(2 * kDay_s);
    ASSERT_TRUE(run(accounts.revoke_family(first.id)));
    EXPECT_EQ(find_code(first.text), Errc::document_unknown);
    EXPECT_EQ(find_code(second.text), Errc::document_unknown);
    EXPECT_FALSE(find(other).used_up);
    // Who read it before cannot bring it back.
    EXPECT_EQ(code_of(run(accounts.touch_refresh(held, kKeep_s, false))), Errc::document_unknown);
    EXPECT_EQ(code_of(run(accounts.touch_refresh(held, kKeep_s, true))), Errc::precondition_failed);
    EXPECT_EQ(find_code(second.text), Errc::document_unknown);
    ASSERT_TRUE(run(accounts.revoke_family(first.id)));
}

// With rotation a family grows by one each few minutes.
TEST_F(RefreshTest, AFamilyIsRevokedHoweverLargeItIs) {
    const auto first = make();
    for (int i = 0; i < 2500; ++i) make(first.id);
    ASSERT_TRUE(run(accounts.revoke_family(first.id)));
    EXPECT_TRUE(world.names("refresh/").empty());
}

TEST_F(RefreshTest, ReplacingGivesOneOfTheSameFamily) {
    const auto first = make();
    const auto second = run(accounts.replace_refresh(find(first), kKeep_s));
    ASSERT_TRUE(second);
    EXPECT_EQ(second.value().id, first.id);
    EXPECT_TRUE(find(first).used_up);
    EXPECT_FALSE(find(second.value()).used_up);
    EXPECT_EQ(find(second.value()).credential, "token:xyz");
    EXPECT_EQ(find(second.value()).generation, 3u);
}

// Two present one token at the same time: one gets a new one, the other nothing.
TEST_F(RefreshTest, ReplacedByTwoAtOnceItGivesOne) {
    const auto first = make();
    const auto token = find(first);
    ASSERT_TRUE(run(accounts.replace_refresh(token, kKeep_s)));
    EXPECT_EQ(code_of(run(accounts.replace_refresh(token, kKeep_s))), Errc::precondition_failed);
    EXPECT_EQ(world.names("refresh/").size(), 2u);
}

// Whenever the family is revoked while one of it is replaced, nothing of it is left.
TEST_F(RefreshTest, RevokedWhileItIsReplacedNothingIsLeft) {
    for (int at = 1; at <= 2; ++at) {
        const auto first = make();
        const auto token = find(first);
        int writes = 0;
        world.store.before_put = [&](const std::string&) {
            if (++writes != at) return;
            EXPECT_TRUE(run(accounts.revoke_family(first.id)));
        };
        EXPECT_EQ(code_of(run(accounts.replace_refresh(token, kKeep_s))),
                  Errc::precondition_failed);
        world.store.before_put = nullptr;
        EXPECT_EQ(writes, 2);
        EXPECT_TRUE(world.names("refresh/").empty()) << at;
    }
}

// --- things that are good once ---

TEST_F(AccountsTest, AThingIsUsedOnceWhileItIsRemembered) {
    ASSERT_TRUE(run(accounts.use_once("idp", "a1", 60)));
    EXPECT_EQ(code_of(run(accounts.use_once("idp", "a1", 60))), Errc::exists);
    EXPECT_TRUE(run(accounts.use_once("idp", "a2", 60)));
    EXPECT_TRUE(run(accounts.use_once("id/p", "a1", 60)));
    EXPECT_TRUE(run(accounts.use_once("other", "a1", -5)));
    EXPECT_EQ(code_of(run(accounts.use_once("other", "a1", 60))), Errc::exists);
    world.move_s(59);
    EXPECT_EQ(code_of(run(accounts.use_once("idp", "a1", 60))), Errc::exists);
    world.move_s(1);
    EXPECT_TRUE(run(accounts.use_once("idp", "a1", 60)));
}

TEST_F(AccountsTest, TheBootstrapSecretIsGoodOnce) {
    EXPECT_EQ(run(accounts.is_bootstrap("")).value(), false);
    EXPECT_EQ(code_of(run(accounts.use_bootstrap())), Errc::document_unknown);
    const auto old = run(accounts.create_bootstrap()).value();
    const auto secret = run(accounts.create_bootstrap()).value();
    EXPECT_EQ(run(accounts.is_bootstrap(old.text)).value(), false);
    EXPECT_EQ(run(accounts.is_bootstrap(secret.text)).value(), true);
    EXPECT_EQ(run(accounts.is_bootstrap("")).value(), false);
    EXPECT_EQ(run(accounts.is_bootstrap(world.text_of("account/bootstrap"))).value(), false);
    EXPECT_EQ(world.text_of("account/bootstrap").find(secret.text), std::string::npos);
    ASSERT_TRUE(run(accounts.use_bootstrap()));
    EXPECT_EQ(run(accounts.is_bootstrap(secret.text)).value(), false);
    EXPECT_EQ(code_of(run(accounts.use_bootstrap())), Errc::document_unknown);
}

// --- the epoch, and what cannot be read ---

TEST_F(AccountsTest, TheEpochGrowsWithWhatDecidesAboutRights) {
    auto known = accounts.epoch();
    const auto grew = [&] { return std::exchange(known, accounts.epoch()) < known; };
    world.make_user("alice");
    EXPECT_TRUE(grew());
    UserChange off;
    off.disabled = true;
    ASSERT_TRUE(change("alice", off));
    EXPECT_TRUE(grew());
    const auto token = world.make_token("alice");
    EXPECT_TRUE(grew());
    ASSERT_TRUE(run(accounts.remove_token("alice", token.id)));
    EXPECT_TRUE(grew());
    world.make_robot("acme", "ci");
    EXPECT_TRUE(grew());
    ASSERT_TRUE(run(accounts.add_robot_secret("acme+ci", false)));
    EXPECT_TRUE(grew());
    ASSERT_TRUE(run(accounts.remove_robot("acme+ci")));
    EXPECT_TRUE(grew());
    world.make_project("acme");
    EXPECT_TRUE(grew());
    Member member{"acme", Member::Kind::user, "alice", "id", {{"acme", Role::guest, {}, {}, {}}},
                  {}};
    ASSERT_TRUE(run(world.projects.put_member(member)));
    EXPECT_TRUE(grew());
    ASSERT_TRUE(run(world.projects.remove_member("acme", Member::Kind::user, "alice")));
    EXPECT_TRUE(grew());
    RepositorySettings settings;
    settings.project = "acme";
    settings.name = "app";
    settings.open_to_all = true;
    ASSERT_TRUE(run(world.projects.create_repository(settings)));
    EXPECT_TRUE(grew());
    ASSERT_TRUE(run(accounts.create_bootstrap()));
    EXPECT_TRUE(grew());
    ASSERT_TRUE(run(accounts.remove_user("alice")));
    EXPECT_TRUE(grew());

    RefreshToken refresh;
    refresh.principal = "user:alice";
    refresh.account_id = "id";
    refresh.credential = "password";
    const auto secret = run(accounts.create_refresh(refresh, 60)).value();
    ASSERT_TRUE(run(accounts.revoke_family(secret.id)));
    ASSERT_TRUE(run(accounts.use_once("idp", "a1", 60)));
    world.write("policy/other", "{}");
    EXPECT_FALSE(grew());
}

// An account that cannot be read is no account that is not there: nobody may take its place, nor be told that it never was.
TEST_F(AccountsTest, WhatCannotBeReadIsDamaged) {
    for (const std::string text : {"", "{", "[]", "null", "{}", "{\"name\":\"alice\"}", "\xff"}) {
        world.write("account/user/alice", text);
        EXPECT_EQ(code_of(run(accounts.find_user("alice"))), Errc::damaged) << text;
        EXPECT_EQ(code_of(change("alice", {})), Errc::damaged) << text;
        User user;
        user.name = "alice";
        EXPECT_EQ(code_of(run(accounts.create_user(user))), Errc::exists) << text;
        world.write("account/token/bob/abcdefghijkl", text);
        EXPECT_EQ(code_of(run(accounts.find_token("bob", "abcdefghijkl"))), Errc::damaged) << text;
        world.write("account/robot/acme/ci", text);
        EXPECT_EQ(code_of(run(accounts.find_robot("acme+ci"))), Errc::damaged) << text;
        EXPECT_EQ(code_of(run(accounts.change_robot("acme+ci", {}))), Errc::damaged) << text;
        EXPECT_EQ(code_of(run(accounts.add_robot_secret("acme+ci", true))), Errc::damaged) << text;
        const auto refresh = make_secret(SecretKind::refresh, world.random);
        world.write("refresh/" + refresh.id + '/' + refresh.hash(), text);
        EXPECT_EQ(code_of(run(accounts.find_refresh(refresh.text))), Errc::damaged) << text;
    }
}

}  // namespace
}  // namespace orbitalreg::engine
