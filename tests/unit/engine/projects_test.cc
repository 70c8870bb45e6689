// Projects, their repositories and members: what the configuration declares beside what is stored, and what is seen of both.

#include "engine/projects.h"

#include "support/access_world.h"

#include <set>

namespace orbitalreg::engine {
namespace {

// What the configuration declares here: acme is private with one public repository, open is public with a closed one.
std::vector<ProjectDeclaration> declarations() {
    ProjectDeclaration acme;
    acme.name = "acme";
    acme.repositories = {{"app", RepositoryType::local, true, {}},
                         {"site", RepositoryType::local, false, true}};
    acme.members = {{false, "alice", Role::developer, {}},
                    {false, "alice", Role::maintainer, {"acme/tool/**"}},
                    {true, "staff", Role::guest, {}}};
    ProjectDeclaration open;
    open.name = "open";
    open.open_to_all = true;
    open.repositories = {{"closed", RepositoryType::local, false, false}};
    return {acme, open};
}

class ProjectsTest : public testing::Test {
protected:
    template <class T>
    T run(Awaitable<T> work) {
        return run_alone(std::move(work));
    }
    RepositorySettings repository(std::string project, std::string name,
                                  std::optional<bool> open_to_all = {}) {
        RepositorySettings settings;
        settings.project = std::move(project);
        settings.name = std::move(name);
        settings.open_to_all = open_to_all;
        return settings;
    }
    static Member member(Member::Kind kind, std::string name, std::string account_id = {},
                         Role role = Role::developer, std::string project = "acme") {
        return {std::move(project),       kind, std::move(name), std::move(account_id),
                {{{}, role, {}, {}, {}}}, {}};
    }
    ProjectView view(std::string project, std::string user = {}, std::string id = {},
                     std::vector<std::string> groups = {}) {
        auto made = run(
            projects.view(std::move(project), std::move(user), std::move(id), std::move(groups)));
        EXPECT_TRUE(made);
        return made.value();
    }

    AccessWorld world{declarations()};
    Projects& projects = world.projects;
};

// --- projects ---

TEST_F(ProjectsTest, AProjectIsMadeChangedAndRemoved) {
    Project tools;
    tools.name = "tools";
    tools.auto_create = true;
    tools.description = "Tools";
    const auto made = run(projects.create(tools));
    ASSERT_TRUE(made);
    EXPECT_EQ(made.value().created_s, world.clock.now_s());
    EXPECT_EQ(code_of(run(projects.create(tools))), Errc::exists);
    ProjectChange change;
    change.open_to_all = true;
    ASSERT_TRUE(run(projects.change("tools", change)));
    const auto found = run(projects.find("tools")).value();
    EXPECT_TRUE(found.open_to_all);
    EXPECT_TRUE(found.auto_create);
    EXPECT_FALSE(found.declared);
    EXPECT_EQ(found.description, "Tools");
    change.description = std::string(257, 'd');
    EXPECT_EQ(code_of(run(projects.change("tools", change))), Errc::too_large);
    ASSERT_TRUE(run(projects.remove("tools")));
    EXPECT_EQ(code_of(run(projects.find("tools"))), Errc::document_unknown);
    EXPECT_EQ(code_of(run(projects.remove("tools"))), Errc::document_unknown);
    change.description = {};
    EXPECT_EQ(code_of(run(projects.change("tools", change))), Errc::document_unknown);
    for (const auto* name : {"", "Tools", "a/b", "-", "a b", ".a", "a+b"}) {
        tools.name = name;
        EXPECT_EQ(code_of(run(projects.create(tools))), Errc::name_invalid) << name;
    }
}

TEST_F(ProjectsTest, DeclaredHidesStoredAndIsReadOnly) {
    // As they were stored before the configuration declared them.
    world.write("project/acme", R"({"name":"acme","public":true})");
    world.write("repository/acme/app", R"({"project":"acme","name":"app","public":true})");
    world.write(
        "member/acme/user:alice",
        R"({"member":"user:alice","account_id":"id","grants":[{"project":"acme","role":"admin"}]})");
    EXPECT_FALSE(run(projects.find("acme")).value().open_to_all);
    EXPECT_TRUE(run(projects.find("acme")).value().declared);
    EXPECT_FALSE(run(projects.find_repository("acme", "app")).value().open_to_all.has_value());
    EXPECT_TRUE(run(projects.find_repository("acme", "app")).value().sparse_index_allowed);
    const auto alice = run(projects.find_member("acme", Member::Kind::user, "alice")).value();
    EXPECT_TRUE(alice.declared);
    ASSERT_EQ(alice.grants.size(), 2u);
    EXPECT_EQ(alice.grants[0],
              (Grant{"acme", Role::developer, {}, {}, "member user:alice (configuration)"}));
    EXPECT_EQ(
        alice.grants[1],
        (Grant{
            "acme", Role::maintainer, {"acme/tool/**"}, {}, "member user:alice (configuration)"}));

    Project acme;
    acme.name = "acme";
    EXPECT_EQ(code_of(run(projects.create(acme))), Errc::exists);
    EXPECT_EQ(code_of(run(projects.change("acme", {}))), Errc::unsupported);
    EXPECT_EQ(code_of(run(projects.remove("acme"))), Errc::unsupported);
    EXPECT_EQ(code_of(run(projects.create_repository(repository("acme", "app")))), Errc::exists);
    EXPECT_EQ(code_of(run(projects.change_repository("acme", "app", {}))), Errc::unsupported);
    EXPECT_EQ(code_of(run(projects.remove_repository("acme", "app"))), Errc::unsupported);
    EXPECT_EQ(code_of(run(projects.put_member(member(Member::Kind::user, "alice", "id")))),
              Errc::unsupported);
    EXPECT_EQ(code_of(run(projects.remove_member("acme", Member::Kind::user, "alice"))),
              Errc::unsupported);
    // What it does not name may be stored beside it.
    EXPECT_TRUE(run(projects.create_repository(repository("acme", "more"))));
    EXPECT_TRUE(run(projects.put_member(member(Member::Kind::user, "bob", "id"))));
}

// A repository that is declared without visibility follows its project, whatever was stored under its name before.
TEST_F(ProjectsTest, AStoredVisibilityDoesNotOutliveADeclaration) {
    world.write("visibility/acme/app", R"({"name":"app","public":true})");
    world.write("visibility/acme/site", R"({"name":"site","public":false})");
    world.write("visibility/acme/other", R"({"name":"other","public":true})");
    const auto seen = view("acme");
    EXPECT_FALSE(seen.is_open("app"));
    EXPECT_TRUE(seen.is_open("site"));
    EXPECT_TRUE(seen.is_open("other"));
}

TEST_F(ProjectsTest, ListsDeclaredAndStoredProjectsPageByPage) {
    for (const auto* name : {"aaa", "bbb", "nnn", "zzz"}) world.make_project(name);
    world.write("project/acme", R"({"name":"acme"})");
    const std::vector<std::string> all{"aaa", "acme", "bbb", "nnn", "open", "zzz"};
    for (std::uint32_t size = 1; size <= 7; ++size) {
        std::vector<std::string> seen;
        for (bool more = true; more;) {
            const auto page = run(projects.list(seen.empty() ? "" : seen.back(), size)).value();
            ASSERT_LE(page.items.size(), size);
            ASSERT_FALSE(page.items.empty());
            for (const auto& project : page.items) seen.push_back(project.name);
            more = page.more;
        }
        EXPECT_EQ(seen, all) << size;
    }
}

// --- repositories ---

TEST_F(ProjectsTest, ARepositoryOfAProjectThatIsThere) {
    EXPECT_EQ(code_of(run(projects.create_repository(repository("nowhere", "app")))),
              Errc::document_unknown);
    for (const auto* name : {"", "App", "a/b", "a b"}) {
        EXPECT_EQ(code_of(run(projects.create_repository(repository("acme", name)))),
                  Errc::name_invalid);
    }
    auto long_one = repository("acme", "tool");
    long_one.description = std::string(257, 'd');
    EXPECT_EQ(code_of(run(projects.create_repository(long_one))), Errc::too_large);
    ASSERT_TRUE(run(projects.create_repository(repository("acme", "tool", true))));
    EXPECT_EQ(code_of(run(projects.create_repository(repository("acme", "tool")))), Errc::exists);
    EXPECT_TRUE(view("acme").is_open("tool"));
    EXPECT_FALSE(view("acme").is_open("tool2"));
    RepositoryChange closed;
    closed.open_to_all = std::optional<bool>{false};
    ASSERT_TRUE(run(projects.change_repository("acme", "tool", closed)));
    EXPECT_FALSE(view("acme").is_open("tool"));
    RepositoryChange as_project;
    as_project.open_to_all.emplace();
    as_project.sparse_index_allowed = true;
    ASSERT_TRUE(run(projects.change_repository("acme", "tool", as_project)));
    const auto found = run(projects.find_repository("acme", "tool")).value();
    EXPECT_FALSE(found.open_to_all.has_value());
    EXPECT_TRUE(found.sparse_index_allowed);
    EXPECT_TRUE(world.names("visibility/").empty());
    EXPECT_EQ(code_of(run(projects.change_repository("acme", "none", closed))),
              Errc::document_unknown);
    ASSERT_TRUE(run(projects.change_repository("acme", "tool", closed)));
    ASSERT_TRUE(run(projects.remove_repository("acme", "tool")));
    EXPECT_TRUE(world.names("visibility/").empty());
    EXPECT_EQ(code_of(run(projects.find_repository("acme", "tool"))), Errc::document_unknown);
    EXPECT_EQ(code_of(run(projects.remove_repository("acme", "tool"))), Errc::document_unknown);
}

// What a push asks for is remembered, and forgotten when anything of it changes.
TEST_F(ProjectsTest, RulesOfAPushFollowWhatChanges) {
    const RepositoryName name{"tools", "lint"};
    const auto ask = [&] {
        const auto found = run(projects.find_push_rules(name));
        EXPECT_TRUE(found);
        const auto known = projects.known_push_rules(name);
        EXPECT_TRUE(known);
        EXPECT_EQ(known->auto_create, found.value().auto_create);
        EXPECT_EQ(known->sparse_index_allowed, found.value().sparse_index_allowed);
        return found.value();
    };
    EXPECT_FALSE(projects.known_push_rules(name));
    EXPECT_EQ(ask().auto_create, std::nullopt);

    Project project;
    project.name = "tools";
    project.auto_create = true;
    ASSERT_TRUE(run(projects.create(project)));
    EXPECT_FALSE(projects.known_push_rules(name));
    EXPECT_EQ(ask().auto_create, true);
    EXPECT_EQ(ask().sparse_index_allowed, std::nullopt);

    ASSERT_TRUE(run(projects.create_repository(repository("tools", "lint"))));
    EXPECT_FALSE(projects.known_push_rules(name));
    EXPECT_EQ(ask().sparse_index_allowed, false);

    RepositoryChange change;
    change.sparse_index_allowed = true;
    ASSERT_TRUE(run(projects.change_repository("tools", "lint", change)));
    EXPECT_FALSE(projects.known_push_rules(name));
    EXPECT_EQ(ask().sparse_index_allowed, true);

    ASSERT_TRUE(run(projects.remove_repository("tools", "lint")));
    EXPECT_EQ(ask().sparse_index_allowed, std::nullopt);
    ASSERT_TRUE(run(projects.remove("tools")));
    EXPECT_EQ(ask().auto_create, std::nullopt);
    EXPECT_EQ(run(projects.find_push_rules({"acme", "app"})).value().sparse_index_allowed, true);
}

TEST_F(ProjectsTest, ListsDeclaredAndStoredRepositoriesPageByPage) {
    for (const auto* name : {"aaa", "mmm", "zzz"})
        ASSERT_TRUE(run(projects.create_repository(repository("acme", name))));
    for (std::uint32_t size = 1; size <= 6; ++size) {
        std::vector<std::string> seen;
        for (bool more = true; more;) {
            const auto page =
                run(projects.list_repositories("acme", seen.empty() ? "" : seen.back(), size))
                    .value();
            ASSERT_LE(page.items.size(), size);
            for (const auto& settings : page.items) seen.push_back(settings.name);
            more = page.more;
        }
        EXPECT_EQ(seen, (std::vector<std::string>{"aaa", "app", "mmm", "site", "zzz"})) << size;
    }
    EXPECT_TRUE(run(projects.list_repositories("nowhere", "", 5)).value().items.empty());
}

TEST_F(ProjectsTest, ManyRepositoriesMayDifferFromTheirProject) {
    constexpr int kMany = 2003;
    world.make_project("many");
    for (int i = 0; i < kMany; ++i) {
        const auto name = "r" + std::to_string(i);
        world.write("visibility/many/" + name,
                    R"({"name":")" + name + R"(","public":)" + (i % 2 == 0 ? "true}" : "false}"));
    }
    const auto seen = view("many");
    EXPECT_EQ(seen.repositories.size(), static_cast<std::size_t>(kMany));
    for (int i = 0; i < kMany; ++i)
        EXPECT_EQ(seen.is_open("r" + std::to_string(i)), i % 2 == 0) << i;
    EXPECT_FALSE(seen.is_open("r2003"));
    // Of one that cannot be read nobody knows whether it is open.
    world.write("visibility/many/r7", "{");
    EXPECT_EQ(code_of(run(projects.view("many", "", "", {}))), Errc::damaged);
}

// --- members ---

TEST_F(ProjectsTest, AMemberIsGrantedThisProjectAlone) {
    auto bob = member(Member::Kind::user, "bob", "bob-id");
    bob.grants = {{"other", Role::guest, {"acme/app"}, {Action::pull}, "somebody"},
                  {"", Role::security, {}, {}, {}}};
    ASSERT_TRUE(run(projects.put_member(bob)));
    const auto found = run(projects.find_member("acme", Member::Kind::user, "bob")).value();
    EXPECT_EQ(found.account_id, "bob-id");
    EXPECT_EQ(
        found.grants,
        (std::vector<Grant>{{"acme", Role::guest, {"acme/app"}, {Action::pull}, "member user:bob"},
                            {"acme", Role::security, {}, {}, "member user:bob"}}));
    // Put again it replaces what was.
    ASSERT_TRUE(run(projects.put_member(member(Member::Kind::user, "bob", "bob-id"))));
    EXPECT_EQ(run(projects.find_member("acme", Member::Kind::user, "bob")).value().grants.size(),
              1u);
    ASSERT_TRUE(run(projects.remove_member("acme", Member::Kind::user, "bob")));
    EXPECT_EQ(code_of(run(projects.remove_member("acme", Member::Kind::user, "bob"))),
              Errc::document_unknown);
}

TEST_F(ProjectsTest, RefusesWhatIsNoMember) {
    for (const auto* name : {"", "Bob", "a b", "token"})
        EXPECT_EQ(code_of(run(projects.put_member(member(Member::Kind::user, name)))),
                  Errc::name_invalid);
    EXPECT_EQ(code_of(run(projects.put_member(member(Member::Kind::group, "")))),
              Errc::name_invalid);
    EXPECT_EQ(code_of(run(projects.put_member(member(Member::Kind::group, std::string(65, 'g'))))),
              Errc::name_invalid);
    auto bob = member(Member::Kind::user, "bob");
    bob.grants = {};
    EXPECT_EQ(code_of(run(projects.put_member(bob))), Errc::limit_reached);
    bob.grants = std::vector<Grant>(51);
    EXPECT_EQ(code_of(run(projects.put_member(bob))), Errc::limit_reached);
    bob.grants = std::vector<Grant>(50);
    EXPECT_TRUE(run(projects.put_member(bob)));
    EXPECT_FALSE(parse_member("robot:ci"));
    EXPECT_FALSE(parse_member("user:"));
    EXPECT_FALSE(parse_member("bob"));
    EXPECT_EQ(parse_member("group:a:b")->second, "a:b");
}

// Group names of identity providers are not of our alphabet: their order as documents is another than as text.
TEST_F(ProjectsTest, ListsDeclaredAndStoredMembersPageByPage) {
    std::set<std::string> all{"user:alice", "group:staff"};
    for (const auto* name : {"a", "a b", "a+b", "a/b", "a$b", "a:b", "s", "z", "\xc3\xa4"}) {
        ASSERT_TRUE(run(projects.put_member(member(Member::Kind::group, name))));
        all.insert(std::string{"group:"} + name);
    }
    for (const auto* name : {"aaron", "zoe"}) {
        ASSERT_TRUE(run(projects.put_member(member(Member::Kind::user, name))));
        all.insert(std::string{"user:"} + name);
    }
    for (std::uint32_t size = 1; size <= 14; ++size) {
        std::vector<std::string> seen;
        for (bool more = true; more && seen.size() <= all.size();) {
            const auto page =
                run(projects.list_members("acme", seen.empty() ? "" : seen.back(), size)).value();
            for (const auto& each : page.items) seen.push_back(each.text());
            more = page.more;
        }
        EXPECT_EQ(seen.size(), all.size()) << size;
        EXPECT_EQ((std::set<std::string>{seen.begin(), seen.end()}), all) << size;
    }
}

// A name that is given again inherits nothing; who is declared is meant by name.
TEST_F(ProjectsTest, RightsBelongToTheAccountNotToItsName) {
    ASSERT_TRUE(run(projects.put_member(member(Member::Kind::user, "bob", "first"))));
    EXPECT_EQ(view("acme", "bob", "first").rights.grants.size(), 1u);
    EXPECT_TRUE(view("acme", "bob", "second").rights.grants.empty());
    EXPECT_TRUE(view("acme", "bob", "").rights.grants.empty());
    EXPECT_TRUE(view("acme", "bobby", "first").rights.grants.empty());
    EXPECT_EQ(view("acme", "alice", "anything").rights.grants.size(), 2u);
    EXPECT_TRUE(view("open", "bob", "first").rights.grants.empty());
    EXPECT_TRUE(view("acme").rights.grants.empty());
}

TEST_F(ProjectsTest, GroupsGrantBesideThePerson) {
    ASSERT_TRUE(run(projects.put_member(member(Member::Kind::group, "a/b", {}, Role::security))));
    ASSERT_TRUE(run(projects.put_member(member(Member::Kind::group, "bob"))));
    const auto seen = view("acme", "alice", "id", {"staff", "a/b", "unknown"});
    std::vector<std::string> origins;
    for (const auto& grant : seen.rights.grants) origins.push_back(grant.origin);
    EXPECT_EQ(origins, (std::vector<std::string>{
                           "member user:alice (configuration)", "member user:alice (configuration)",
                           "member group:staff (configuration)", "member group:a/b"}));
    // A person of a group's name is not of the group.
    EXPECT_TRUE(view("acme", "bob", "id").rights.grants.empty());
    EXPECT_TRUE(view("acme", "", "", {"alice"}).rights.grants.empty());
}

TEST_F(ProjectsTest, ARemovedProjectTakesMembersAndRobotsWithIt) {
    world.make_project("tools");
    world.make_project("tools2");
    for (const auto* project : {"tools", "tools2"}) {
        ASSERT_TRUE(run(projects.put_member(
            member(Member::Kind::user, "bob", "id", Role::developer, project))));
        ASSERT_TRUE(run(projects.create_repository(repository(project, "app", true))));
        world.make_robot(project, "ci", {{project, Role::developer, {}, {}, {}}});
    }
    for (int i = 0; i < 1100; ++i)
        world.write("member/tools/group:g" + std::to_string(i), R"({"member":"group:g"})");
    ASSERT_TRUE(run(projects.remove("tools")));
    for (const auto* kind : {"project/", "member/", "repository/", "visibility/"}) {
        const auto left = world.names(kind);
        ASSERT_EQ(left.size(), 1u) << kind;
        EXPECT_NE(left[0].find("tools2"), std::string::npos);
    }
    EXPECT_EQ(world.names("account/robot/"), std::vector<std::string>{"account/robot/tools2/ci"});
    world.make_project("tools");
    EXPECT_TRUE(view("tools", "bob", "id").rights.grants.empty());
    EXPECT_FALSE(view("tools").is_open("app"));
    EXPECT_TRUE(view("tools2").is_open("app"));
}

// What is left of a project that is gone grants nothing.
TEST_F(ProjectsTest, ThereIsNothingToSeeOfAProjectThatIsNotThere) {
    world.write(
        "member/gone/user:bob",
        R"({"member":"user:bob","account_id":"id","grants":[{"project":"gone","role":"admin"}]})");
    world.write("visibility/gone/app", R"({"name":"app","public":true})");
    const auto seen = view("gone", "bob", "id");
    EXPECT_TRUE(seen.rights.grants.empty());
    EXPECT_FALSE(seen.open_to_all);
    EXPECT_FALSE(seen.is_open("app"));
}

TEST_F(ProjectsTest, WhatCannotBeReadIsDamaged) {
    world.make_project("tools");
    for (const std::string text : {"", "{", "[]", "{}"}) {
        world.write("member/tools/user:bob", text);
        EXPECT_EQ(code_of(run(projects.find_member("tools", Member::Kind::user, "bob"))),
                  Errc::damaged);
        EXPECT_EQ(code_of(run(projects.view("tools", "bob", "id", {}))), Errc::damaged);
        EXPECT_TRUE(run(projects.view("tools", "carol", "id", {})));
        world.write("repository/tools/app", text);
        EXPECT_EQ(code_of(run(projects.find_repository("tools", "app"))), Errc::damaged);
        EXPECT_EQ(code_of(run(projects.change_repository("tools", "app", {}))), Errc::damaged);
        world.write("project/broken", text);
        EXPECT_EQ(code_of(run(projects.find("broken"))), Errc::damaged);
        EXPECT_EQ(code_of(run(projects.change("broken", {}))), Errc::damaged);
        EXPECT_EQ(code_of(run(projects.view("broken", "bob", "id", {}))), Errc::damaged);
    }
}

}  // namespace
}  // namespace orbitalreg::engine
