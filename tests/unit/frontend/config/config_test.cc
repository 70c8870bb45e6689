// The configuration: what is read, and how each mistake is named. docs/operations/configuration.md.

#include "frontend/config.h"

#include "config/quantities.h"
#include "config/schema.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

namespace orbitalreg::frontend {
namespace {

// A file in a directory of the test's own.
class ConfigFile {
public:
    explicit ConfigFile(const std::string& text) {
        static int number = 0;
        path_ = testing::TempDir() + "config_" + std::to_string(::getpid()) + '_' +
                std::to_string(++number) + ".yaml";
        std::ofstream{path_} << text;
    }
    ~ConfigFile() { std::filesystem::remove(path_); }
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

LoadedConfig load(const std::string& text,
                  const std::map<std::string, std::string>& environment = {}) {
    const ConfigFile file{text};
    return load_config({file.path()}, environment);
}

// The only error, without the file's name.
std::string error_of(const std::string& text) {
    const auto loaded = load(text);
    if (loaded.errors.size() != 1) return "errors: " + std::to_string(loaded.errors.size());
    const auto& error = loaded.errors.front();
    return std::to_string(error.line) + ' ' + error.path + ": " + error.message;
}

TEST(Config, DefaultsServeOnLoopback) {
    const auto loaded = load_config({}, {});
    ASSERT_TRUE(loaded.ok());
    EXPECT_EQ(loaded.config.server.address, "127.0.0.1:5000");
    EXPECT_EQ(loaded.config.server.admin_address, "127.0.0.1:5001");
    EXPECT_FALSE(loaded.config.insecure);
    EXPECT_EQ(loaded.config.default_project, "library");
}

TEST(Config, ReadsWhatExists) {
    const auto loaded = load(R"(
version: 1
log: { level: debug, format: text, gather: 1s }
storage: { path: /data, io: threads, durability: none, lane_size: 64MiB, memory_limit: 512MiB, commit_target: 5ms,
           checkpoint_interval: 2GiB, checkpoint_after: 10m, checkpoint_at_stop: 0 }
http:
  addr: "[::1]:6000"
  external_url: https://reg.example/
  limits: { manifest_bytes: 8MiB, blob_bytes: 1GiB, connections: 7 }
admin: { addr: "" }
uploads: { idle_expiry: 90m }
auth: { mode: none }
defaults: { auto_create_projects: false, project: "" }
projects:
  - name: acme
    auto_create: true
    repositories:
      - { name: internal, type: local, sparse_index: allow }
)");
    for (const auto& error : loaded.errors) ADD_FAILURE() << error.text();
    const auto& config = loaded.config;
    EXPECT_EQ(config.log_level, LogLevel::debug);
    EXPECT_EQ(config.log_gather, std::chrono::seconds{1});
    EXPECT_EQ(config.storage.io, IoBackend::threads);
    EXPECT_FALSE(config.storage.durable);
    EXPECT_EQ(config.storage.lane_bytes, 64_MiB);
    EXPECT_EQ(config.storage.checkpoint_interval_bytes, 2_GiB);
    EXPECT_EQ(config.storage.checkpoint_after, std::chrono::minutes{10});
    EXPECT_EQ(config.storage.checkpoint_at_stop_bytes, 0U);
    EXPECT_EQ(config.storage.commit_target, std::chrono::milliseconds{5});
    EXPECT_EQ(config.server.address, "[::1]:6000");
    EXPECT_EQ(config.server.external_url, "https://reg.example");
    EXPECT_EQ(config.server.admin_address, "");
    EXPECT_EQ(config.server.limits.connections, 7U);
    EXPECT_EQ(config.uploads.idle_expiry, std::chrono::minutes{90});
    ASSERT_EQ(config.projects.size(), 1U);
    EXPECT_TRUE(config.projects[0].auto_create);
    ASSERT_EQ(config.projects[0].repositories.size(), 1U);
    EXPECT_TRUE(config.projects[0].repositories[0].sparse_index_allowed);
}

TEST(Config, AcceptsKeysToComeAtTheirDefaults) {
    const auto loaded = load(R"(
gc: { interval: 1h, grace: 24h, paused: false, damaged_keep: 7d, scrub_on_delete: false }
compaction: { interval: 1m, rate: 1GiB }
scrub: { rate: 50MiB, full_every: 30d, digest_every: 4, marks_per_minute: 16 }
http: { tls: { certificate: "", key: "", client_ca: "" }, trusted_proxies: [] }
uploads: { durable_patch: true, open_per_principal: 1000 }
)");
    for (const auto& error : loaded.errors) ADD_FAILURE() << error.text();
}

TEST(Config, NamesLineAndPathOfAMistake) {
    EXPECT_EQ(error_of("http:\n  adr: 1\n"), "2 http.adr: unknown key");
    EXPECT_EQ(error_of("nonsense: 1\n"), "1 nonsense: unknown key");
    EXPECT_EQ(error_of("\nhttp:\n  limits:\n    header_bytes: many\n"),
              "4 http.limits.header_bytes: `many` is not a size such as 64MiB");
    EXPECT_EQ(error_of("http: { addr: here }\n"),
              "1 http.addr: `here` is not an IP address with a port, such as 127.0.0.1:5000");
    EXPECT_EQ(error_of("log: { level: loud }"),
              "1 log.level: `loud` is not one of: debug, info, warn, error");
    EXPECT_EQ(error_of("storage: { checkpoint_interval: 1MiB }"),
              "1 storage.checkpoint_interval: must be 0, or at least 16MiB");
    EXPECT_EQ(error_of("http: 5\n"), "1 http: must be a section with keys");
    EXPECT_EQ(error_of("log: { level: [info] }"), "1 log.level: takes a single value");
    EXPECT_EQ(error_of("log: { level: info, level: warn }"), "1 log.level: given twice");
    EXPECT_EQ(error_of("version: 2\n"), "1 version: this program reads version 1");
    EXPECT_EQ(error_of("http: { addr: 127.0.0.1:1 }\nadmin: { addr: 127.0.0.1:1 }"),
              "0 admin.addr: is the same as http.addr");
}

TEST(Config, ReadsRemoteAndVirtualRepositories) {
    const auto loaded = load(
        "projects:\n"
        "  - name: acme\n"
        "    repositories:\n"
        "      - { name: internal }\n"
        "      - { name: hub, type: remote, url: 'https://registry-1.docker.io', revalidate_after: "
        "1h,\n"
        "          allow_networks: [10.0.0.0/8], stale_if_error: false, min_rate: 2KiB }\n"
        "      - { name: all, type: virtual, deploy_to: internal,\n"
        "          members: [internal, { name: hub, include: ['library/**'], owns_names: false,\n"
        "                                rewrite: [{ from: 'hub/', to: '' }] }] }\n");
    ASSERT_TRUE(loaded.ok()) << loaded.errors.front().text();
    const auto& repositories = loaded.config.projects.at(0).repositories;
    EXPECT_EQ(repositories.at(1).remote.revalidate_after_ms, 3'600'000);
    EXPECT_EQ(repositories.at(1).remote.allow_networks, std::vector<std::string>{"10.0.0.0/8"});
    EXPECT_FALSE(repositories.at(1).remote.stale_if_error);
    EXPECT_EQ(repositories.at(1).remote.min_rate_bytes, 2048U);
    const auto& members = repositories.at(2).members;
    EXPECT_EQ(members.deploy_to, "internal");
    EXPECT_EQ(members.members.at(1).repository, "hub");
    EXPECT_EQ(members.members.at(1).rewrite.at(0).from, "hub/");
    EXPECT_FALSE(members.members.at(1).owns_names);
}

TEST(Config, SaysWhatIsWrongWithARepository) {
    const auto of = [](const std::string& repository) {
        return error_of("projects: [{ name: a, repositories: [{ name: l }, " + repository + "] }]");
    };
    const std::string at = "1 projects[0].repositories[1]";
    EXPECT_EQ(of("{ name: b, type: mirror }"),
              at + ".type: `mirror` is not one of: local, remote, virtual");
    EXPECT_EQ(of("{ name: b, url: 'https://a.test' }"),
              at + ".url: unknown key of a local repository");
    EXPECT_EQ(of("{ name: b, type: remote, url: 'https://a.test', max_stale: long }"),
              at + ".max_stale: `long` is no duration such as 5m or 30d");
    EXPECT_EQ(of("{ name: b, type: remote, url: 'https://a.test', connections_max: 0 }"),
              at + ".connections_max: must be 1 to 1000");
    EXPECT_EQ(of("{ name: b, type: remote, url: 'https://a.test', cache_bytes: 1GiB }"),
              at + ": cache_bytes: not there yet in this version: leave it out, or at 0");
    EXPECT_EQ(of("{ name: b, type: virtual }"), at + ": needs `members`");
    EXPECT_EQ(of("{ name: b, type: virtual, members: [c] }"),
              "0 projects: a/b: member `c` is no repository of the project");
    EXPECT_EQ(of("{ name: b, type: virtual, members: [l, l] }"),
              "0 projects: a/b: member `l` is named twice");
    EXPECT_EQ(of("{ name: b, type: virtual, members: [l], deploy_to: c }"),
              "0 projects: a/b: deploy_to: `c` is no local member");
}

TEST(Config, RefusesWhatIsNotThereYet) {
    EXPECT_EQ(error_of("gc: { scrub_on_delete: true }"),
              "1 gc.scrub_on_delete: not there yet in this version: leave it out, or at `false`");
    EXPECT_EQ(error_of("detection: []"),
              "1 detection: not there yet in this version: leave it out");
}

// What the options of a section mean together is found with the line they stand on.
TEST(Config, ChecksTheIdentityProviders) {
    EXPECT_EQ(
        error_of("oidc:\n  rules:\n    - name: a\n      issuer: nobody\n      claims: { sub: x }\n"
                 "      grant: [{ projects: [acme], role: guest }]"),
        "3 oidc.rules[0].issuer: `nobody` is the name of no issuer");
}

TEST(Config, ReadsLists) {
    EXPECT_EQ(error_of("http: { trusted_proxies: [10.0.0.0/8, '::1'] }"), "errors: 0");
    EXPECT_EQ(error_of("http: { trusted_proxies: [] }"), "errors: 0");
    EXPECT_EQ(error_of("http: { trusted_proxies: [10.0.0.0/33] }"),
              "1 http.trusted_proxies: `10.0.0.0/33` is not an address or a network such as "
              "192.0.2.0/24");
    EXPECT_EQ(error_of("http: { trusted_proxies: [[10.0.0.1]] }"),
              "1 http.trusted_proxies: takes a list of values");
    EXPECT_EQ(error_of("http: { cors: { origins: ['*'] } }"),
              "1 http.cors.origins: `*` is not an origin: https://, a host in small letters, "
              "perhaps a port; "
              "neither `*` nor `null`");
}

TEST(Config, RefusesNamesThatAreNone) {
    EXPECT_EQ(error_of("projects: [{ name: A }]"),
              "1 projects[0].name: `A` is not one component of a name");
    EXPECT_EQ(error_of("projects: [{ name: a/b }]"),
              "1 projects[0].name: `a/b` is not one component of a name");
    EXPECT_EQ(error_of("projects: [{ auto_create: true }]"), "1 projects[0]: needs a `name`");
    EXPECT_EQ(error_of("projects: [{ name: a }, { name: a }]"),
              "1 projects[1]: the project is declared twice");
}

TEST(Config, SaysWhereYamlBreaks) {
    const auto loaded = load("http:\n  addr: [\n");
    ASSERT_EQ(loaded.errors.size(), 1U);
    EXPECT_GT(loaded.errors[0].line, 0);
    EXPECT_EQ(loaded.errors[0].message.substr(0, 12), "is not YAML:");
}

// Goal: text after which the parser finds ever more documents ends with an error. It took all memory before.
TEST(Config, DocumentsHaveAnEnd) {
    EXPECT_EQ(error_of("---\nversion: 1\n---\nversion: 1\n"), "0 : holds more than one document");
    const std::string endless{
        ", ofr(at: json }\nstkrage: { path.:,d /ta, io:M- auto, lane_size: 2GiB }\nhe\x03\0", 74};
    EXPECT_EQ(error_of(endless), "0 : holds more than one document");
    EXPECT_TRUE(load("").ok());
    EXPECT_TRUE(load("# nothing\n").ok());
}

TEST(Config, SaysThatAFileCannotBeRead) {
    const auto loaded = load_config({"/nonexistent/x.yaml"}, {});
    ASSERT_EQ(loaded.errors.size(), 1U);
    EXPECT_EQ(loaded.errors[0].file, "/nonexistent/x.yaml");
}

TEST(Config, CollectsAllMistakes) {
    EXPECT_EQ(load("a: 1\nb: 2\nhttp: { addr: x, threads: y }\n").errors.size(), 4U);
}

TEST(Config, LaterFilesWinKeyByKey) {
    const ConfigFile first{
        "http: { addr: 127.0.0.1:1, threads: 3 }\nprojects: [{ name: a }, { name: b }]\n"};
    const ConfigFile second{"http: { addr: 127.0.0.1:2 }\nprojects: [{ name: c }]\n"};
    const auto loaded = load_config({first.path(), second.path()}, {});
    ASSERT_TRUE(loaded.ok());
    EXPECT_EQ(loaded.config.server.address, "127.0.0.1:2");
    EXPECT_EQ(loaded.config.threads, 3U);
    ASSERT_EQ(loaded.config.projects.size(), 1U) << "lists are replaced as a whole";
    EXPECT_EQ(loaded.config.projects[0].name, "c");
}

TEST(Config, TheEnvironmentWins) {
    const auto loaded = load(
        "http: { addr: 127.0.0.1:1 }",
        {{"ORBITALREG_HTTP_ADDR", "127.0.0.1:9"}, {"ORBITALREG_HTTP_LIMITS_CONNECTIONS", "5"}});
    ASSERT_TRUE(loaded.ok());
    EXPECT_EQ(loaded.config.server.address, "127.0.0.1:9");
    EXPECT_EQ(loaded.config.server.limits.connections, 5U);
}

TEST(Config, NamesTheVariableOfAMistake) {
    const auto loaded =
        load_config({}, {{"ORBITALREG_HTTP_ADDR", "x"}, {"ORBITALREG_NO_SUCH", "1"}});
    ASSERT_EQ(loaded.errors.size(), 1U);
    EXPECT_EQ(loaded.errors[0].file, "ORBITALREG_HTTP_ADDR");
    ASSERT_EQ(loaded.warnings.size(), 1U);
    EXPECT_EQ(loaded.warnings[0].file, "ORBITALREG_NO_SUCH");
}

TEST(Config, EveryKeyHasAnEnvironmentNameOfItsOwn) {
    std::set<std::string> names;
    for (const Key& key : keys())
        EXPECT_TRUE(names.insert(environment_name(key.path)).second) << key.path;
}

TEST(Config, VariablesOfSubcommandsThatAskAServerAreNoSettings) {
    std::string server = "ORBITALREG_SERVER=https://registry.example.org";
    std::string authority = "ORBITALREG_CA=/etc/ca.pem";
    std::string setting = "ORBITALREG_SERVERS=1";
    std::string foreign = "HOME=/root";
    char* environment[]{server.data(), authority.data(), setting.data(), foreign.data(), nullptr};
    EXPECT_EQ(config_environment(environment),
              (std::map<std::string, std::string>{{"ORBITALREG_SERVERS", "1"}}));
}

TEST(Config, SaysWhatNeedsARestart) {
    const auto running = load_config({}, {}).config;
    EXPECT_TRUE(restart_needed(running, running).empty());
    auto other = running;
    other.log_level = LogLevel::debug;
    EXPECT_TRUE(restart_needed(running, other).empty());
    other.storage.path = "/elsewhere";
    other.projects.push_back({"a", false, {}, false, {}});
    EXPECT_EQ(restart_needed(running, other), (std::vector<std::string>{"storage", "projects"}));
}

TEST(Config, ReadsWhoMayComeIn) {
    const auto loaded = load(
        "auth: { mode: token, service: reg.example, token_life: 10m, basic_on_v2: false, "
        "rotate_refresh: true, refresh_life: 7d, login_failures: 3, key_life: 0s }\n"
        "projects:\n"
        "  - name: acme\n"
        "    public: true\n"
        "    members:\n"
        "      - { user: alice, role: developer, repositories: [acme/web/**] }\n"
        "      - { group: operators, role: admin }\n"
        "    repositories: [ { name: inner, public: false } ]\n");
    ASSERT_TRUE(loaded.ok()) << loaded.errors.front().text();
    const auto& auth = loaded.config.server.auth;
    EXPECT_TRUE(auth.on);
    EXPECT_EQ(auth.service, "reg.example");
    EXPECT_EQ(auth.token_life, std::chrono::minutes{10});
    EXPECT_FALSE(auth.basic_on_v2);
    EXPECT_TRUE(auth.rotate_refresh);
    EXPECT_EQ(auth.refresh_life, std::chrono::hours{7 * 24});
    EXPECT_EQ(auth.login_failures, 3U);
    EXPECT_EQ(auth.key_life, std::chrono::seconds{0});
    // Nothing comes into being by itself where tokens are asked for.
    EXPECT_FALSE(loaded.config.auto_create_projects);
    EXPECT_EQ(loaded.config.default_project, "");
    ASSERT_EQ(loaded.config.projects.size(), 1U);
    const auto& project = loaded.config.projects.front();
    EXPECT_TRUE(project.open_to_all);
    EXPECT_EQ(project.members,
              (std::vector<MemberConfig>{{false, "alice", "developer", {"acme/web/**"}},
                                         {true, "operators", "admin", {}}}));
    EXPECT_EQ(project.repositories.front().open_to_all, std::optional{false});
    const auto chosen =
        load("auth: { mode: token }\ndefaults: { auto_create_projects: true, project: lib }\n");
    EXPECT_TRUE(chosen.config.auto_create_projects);
    EXPECT_EQ(chosen.config.default_project, "lib");
}

TEST(Config, SaysWhatIsWrongWithAMember) {
    const auto error = [](const std::string& member) {
        return error_of("projects:\n- name: acme\n  members:\n  - " + member + "\n");
    };
    EXPECT_EQ(error("{ user: Alice, role: guest }"),
              "4 projects[0].members[0].user: `Alice` is not the name of a user");
    EXPECT_EQ(error("{ user: alice, role: owner }"),
              "4 projects[0].members[0].role: `owner` is not one of: limited, guest, developer, "
              "maintainer, admin, security");
    EXPECT_EQ(error("{ user: alice }"),
              "4 projects[0].members[0]: needs `user` or `group`, and `role`");
    // An empty list would mean all of them.
    EXPECT_EQ(
        error("{ user: alice, role: guest, repositories: [] }"),
        "4 projects[0].members[0].repositories: must name at least one pattern, and no empty one");
    EXPECT_EQ(error_of("auth: { token_life: 2h }\n"), "1 auth.token_life: must be at most 3600s");
    EXPECT_EQ(error_of("auth: { service: \"a b\" }\n"),
              "1 auth.service: `a b` is not a name of letters, digits and ._:-/");
}

TEST(Config, ReadsTheAuditLogsSettings) {
    const auto loaded = load(
        "audit: { enabled: true, path: /audit, sync: always, rotate_size: 2MiB, files_max: 9, "
        "required: false, pulls: true }\n");
    ASSERT_TRUE(loaded.ok());
    const auto& audit = loaded.config.audit;
    EXPECT_EQ(audit.enabled, AuditEnabled::on);
    EXPECT_EQ(audit.path, "/audit");
    EXPECT_EQ(audit.sync, AuditSync::always);
    EXPECT_EQ(audit.rotate_bytes, 2_MiB);
    EXPECT_EQ(audit.files_max, 9U);
    EXPECT_FALSE(audit.required);
    EXPECT_TRUE(audit.pulls);
    EXPECT_EQ(restart_needed(Config{}, loaded.config), (std::vector<std::string>{"audit"}));
    EXPECT_EQ(load("").config.audit, AuditOptions{});
    EXPECT_EQ(error_of("audit: { sync: never }\n"),
              "1 audit.sync: `never` is not one of: interval, always");
    EXPECT_EQ(error_of("audit: { rotate_size: 1KiB }\n"),
              "1 audit.rotate_size: must be from 1048576 to 1099511627776 bytes");
}

TEST(Quantities, AreReadAsPeopleWriteThem) {
    EXPECT_EQ(parse_size("0"), 0U);
    EXPECT_EQ(parse_size("64MiB"), 64_MiB);
    EXPECT_EQ(parse_size("2TiB"), 2048_GiB);
    for (const char* text :
         {"", "MiB", "1MB", "1 MiB", "-1", "1.5GiB", "9000000TiB", "99999999999999999999"}) {
        EXPECT_EQ(parse_size(text), std::nullopt) << text;
    }
    EXPECT_EQ(parse_duration("24h"), std::chrono::hours{24});
    EXPECT_EQ(parse_duration("1h30m5s250ms"), std::chrono::milliseconds{5'405'250});
    for (const char* text : {"", "24", "h", "1x", "1h30", "-1h", "1000000d"}) {
        EXPECT_EQ(parse_duration(text), std::nullopt) << text;
    }
}

}  // namespace
}  // namespace orbitalreg::frontend
