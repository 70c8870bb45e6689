// Tokens that the registry signs: what is written is read again, and a token is good for one thing alone (SEC-38 to SEC-43).

#include "auth/access_token.h"

#include "auth/jws.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

namespace orbitalreg::frontend {
namespace {

namespace json = boost::json;
using engine::Identity;
using Type = AccessToken::Type;

constexpr std::int64_t kNow = 1'768'478'400;

class AccessTokenTest : public testing::Test {
protected:
    AccessTokenTest() {
        keys.verifying.emplace(keys.active.public_key().thumbprint(), keys.active.public_key());
    }
    static Scope scope(std::string_view text) { return parse_scope(text).value(); }
    static AccessToken token() {
        AccessToken token;
        token.identity.kind = Identity::Kind::user;
        token.identity.principal.name = "user:alice";
        token.identity.account = "alice";
        token.identity.account_id = "abcdefghijkl";
        token.identity.generation = 7;
        token.identity.credential = "token:xyz";
        token.access = {scope("repository:acme/app:pull,push"), scope("registry:catalog:*")};
        token.asked = {scope("repository:acme/app:delete")};
        token.issued_s = kNow;
        token.expires_s = kNow + 300;
        token.id = "01J";
        return token;
    }
    std::string write(const AccessToken& token) {
        return write_access_token(keys.active, names, token);
    }
    AccessTokenReading read(const std::string& text, Type type = Type::access,
                            std::int64_t now = kNow) {
        return read_access_token(text, keys, names, type, now);
    }
    // Why there is none; empty: there is one.
    std::string fault(const std::string& text, Type type = Type::access, std::int64_t now = kNow) {
        const auto reading = read(text, type, now);
        EXPECT_EQ(reading.token.has_value(), reading.fault.empty());
        return std::string{reading.fault};
    }
    // The claims of token() with one of another value, signed; without it where the value is empty.
    std::string with(std::string_view name, std::string_view value, std::string_view type = "JWT") {
        auto claims = read_jws(write(token())).jws.value().claims;
        claims.erase(name);
        if (!value.empty()) claims[name] = json::parse(value);
        return write_jws(keys.active, type, claims);
    }
    static std::string texts(const std::vector<Scope>& scopes) {
        std::string text;
        for (const auto& each : scopes) text += to_string(each) + ' ';
        return text;
    }

    KeySet keys{SigningKey::generate(SignatureAlgorithm::eddsa).value(), {}, {}};
    TokenNames names{"https://reg.example", "reg.example"};
};

TEST_F(AccessTokenTest, ReadsWhatItWroteOfEveryKind) {
    auto robot = token();
    robot.identity.kind = Identity::Kind::robot;
    robot.identity.principal.name = "robot:acme+ci";
    robot.identity.account = "acme+ci";
    robot.identity.credential = "secret:xyz";
    auto job = token();
    job.identity = {};
    job.identity.kind = Identity::Kind::federated;
    job.identity.principal.name = "oidc:idp:repo:acme/app";
    job.identity.credential = "oidc:idp";
    job.identity.grants = {
        {"acme", engine::Role::developer, {"acme/app"}, {engine::Action::pull}, "rule r"}};
    job.identity.rules = {"r", "s"};
    job.identity.groups = {"staff"};
    auto nobody = token();
    nobody.identity = {};
    for (const auto& written : {token(), robot, job, nobody}) {
        const auto reading = read(write(written));
        ASSERT_TRUE(reading.token) << reading.fault;
        const auto& identity = reading.token->identity;
        EXPECT_EQ(identity.kind, written.identity.kind);
        EXPECT_EQ(identity.principal, written.identity.principal);
        EXPECT_EQ(identity.account, written.identity.account);
        EXPECT_EQ(identity.account_id, written.identity.account_id);
        EXPECT_EQ(identity.generation, written.identity.generation);
        EXPECT_EQ(identity.credential, written.identity.credential);
        EXPECT_EQ(identity.grants, written.identity.grants);
        EXPECT_EQ(identity.rules, written.identity.rules);
        EXPECT_EQ(identity.groups, written.identity.groups);
        EXPECT_FALSE(identity.administrator);
        EXPECT_EQ(texts(reading.token->access), texts(written.access));
        EXPECT_EQ(texts(reading.token->asked), texts(written.asked));
        EXPECT_EQ(reading.token->issued_s, kNow);
        EXPECT_EQ(reading.token->expires_s, kNow + 300);
        EXPECT_EQ(reading.token->id, "01J");
    }
    const auto read_back = *read(write(token())).token;
    const auto app = engine::ImageName::parse("acme/app").value();
    EXPECT_EQ(read_back.actions_on(app), scope_pull | scope_push);
    EXPECT_EQ(read_back.asked_on(app), scope_delete);
    EXPECT_EQ(read_back.actions_on(engine::ImageName::parse("acme/app/x").value()), 0);
    EXPECT_TRUE(read_back.lists_catalog());
    EXPECT_FALSE(read_back.asked_catalog());
}

// An administrator, the bootstrap secret and restrictions are looked up at each request: no token says them.
TEST_F(AccessTokenTest, SaysNothingThatIsLookedUp) {
    auto admin = token();
    admin.identity.administrator = true;
    admin.identity.at_most = engine::Restriction{{"acme/**"}, {}};
    const auto reading = read(write(admin));
    ASSERT_TRUE(reading.token);
    EXPECT_FALSE(reading.token->identity.administrator);
    EXPECT_FALSE(reading.token->identity.at_most.has_value());
    auto bootstrap = token();
    bootstrap.identity = {};
    bootstrap.identity.kind = Identity::Kind::bootstrap;
    bootstrap.identity.principal.name = "bootstrap";
    EXPECT_EQ(fault(write(bootstrap)), "its claims are not ours");
}

TEST_F(AccessTokenTest, ALoginTokenIsNoAccessTokenNorTheOtherWayRound) {
    auto login = token();
    login.type = Type::login;
    const auto text = write(login);
    EXPECT_EQ(fault(text, Type::login), "");
    EXPECT_EQ(fault(text, Type::access), "it is of another type");
    EXPECT_EQ(fault(write(token()), Type::login), "it is of another type");
    EXPECT_TRUE(read(text, Type::login).token->access.empty());
    // Of the one type and for the audience of the other.
    const auto claims = read_jws(text).jws.value().claims;
    EXPECT_EQ(fault(write_jws(keys.active, "JWT", claims)), "it is for another service");
    EXPECT_EQ(fault(with("later", "1", "orbital-login+jwt"), Type::login),
              "it is for another service");
    EXPECT_EQ(fault(with("later", "1", "jwt")), "it is of another type");
    EXPECT_EQ(fault(with("later", "1", "")), "a header field that is no text");
}

TEST_F(AccessTokenTest, RefusesWhatIsNotOurs) {
    EXPECT_EQ(fault(with("later", "1")), "");
    EXPECT_NE(fault("a.b.c"), "");
    EXPECT_NE(fault(""), "");
    const auto other = SigningKey::generate(SignatureAlgorithm::eddsa).value();
    const auto foreign = write_access_token(other, names, token());
    EXPECT_EQ(fault(foreign), "its key is not known");
    EXPECT_EQ(read(foreign).key_id, other.public_key().thumbprint());
    // Another key under the name of one of ours.
    keys.verifying.insert_or_assign(other.public_key().thumbprint(), keys.active.public_key());
    EXPECT_EQ(fault(foreign), "its signature does not fit");
    EXPECT_EQ(fault(with("iss", "\"https://other.example\"")), "it is of another issuer");
    EXPECT_EQ(fault(with("iss", "")), "it is of another issuer");
    EXPECT_EQ(fault(with("aud", "[\"reg.example\"]")), "");
    for (const auto* audience : {"", "7", "\"other.example\"", "\"reg.example/token\"", "[]",
                                 "[\"reg.example\",\"other.example\"]", "[7]"}) {
        EXPECT_EQ(fault(with("aud", audience)), "it is for another service") << audience;
    }
}

TEST_F(AccessTokenTest, RefusesTimesThatAreNone) {
    const auto text = write(token());
    const auto at = [&](std::int64_t now) { return fault(text, Type::access, now); };
    EXPECT_EQ(at(kNow - kClockLeeway_s - 1), "it is not good yet");
    EXPECT_EQ(at(kNow - kClockLeeway_s), "");
    EXPECT_EQ(at(kNow + 300 + kClockLeeway_s - 1), "");
    EXPECT_EQ(at(kNow + 300 + kClockLeeway_s), "it has ended");
    for (const auto* name : {"iat", "exp", "nbf"}) {
        for (const auto* value : {"", "\"1768478400\"", "1768478400.5", "null", "1e9"}) {
            EXPECT_EQ(fault(with(name, value)), "a time is missing or is no whole number")
                << name << value;
        }
    }
    const auto life = std::to_string(kNow + kTokenLifeMax_s + 1);
    EXPECT_EQ(fault(with("exp", life)), "it lives for too long");
    EXPECT_EQ(fault(with("exp", "9223372036854775807")), "it lives for too long");
    EXPECT_EQ(fault(with("exp", std::to_string(kNow))), "it lives for too long");
    EXPECT_EQ(fault(with("exp", "-9223372036854775808")), "it lives for too long");
    EXPECT_EQ(fault(with("nbf", "-1")), "its times contradict each other");
    EXPECT_EQ(fault(with("nbf", std::to_string(kNow + 1))), "its times contradict each other");
    EXPECT_EQ(fault(with("iat", "-9223372036854775808")), "its times contradict each other");
}

TEST_F(AccessTokenTest, RefusesClaimsThatAreNotOurs) {
    const std::vector<std::pair<const char*, const char*>> wrong{
        {"sub", ""},
        {"sub", "7"},
        {"sub", "\"alice\""},
        {"sub", "\"admin:alice\""},
        {"gen", ""},
        {"gen", "-1"},
        {"gen", "\"7\""},
        {"amr", ""},
        {"amr", "7"},
        {"sub", "\"oidc:idp:x\""},  // without what was granted
        {"access", "7"},
        {"access", "{}"},
        {"access", "[7]"},
        {"access", R"([{"type":"repository","name":"acme/app"}])"},
        {"access", R"([{"type":"repository","name":"*","actions":["pull"]}])"},
        {"access", R"([{"type":"repository","name":"acme/app","actions":"pull"}])"},
        {"access", R"([{"type":"repository","name":"acme/app","actions":[7]}])"},
        {"access", R"([{"type":"other","name":"acme/app","actions":["pull"]}])"},
        {"access", R"([{"type":"registry","name":"catalog","actions":["pull"]}])"},
        {"asked", "7"},
        {"asked", "[7]"}};
    for (const auto& [name, value] : wrong) {
        // Entries of `access` without actions grant nothing, and are not wrong.
        if (std::string_view{value}.ends_with("acme/app\"}]")) continue;
        EXPECT_EQ(fault(with(name, value)), "its claims are not ours") << name << value;
    }
    EXPECT_EQ(fault(with("access", "null")), "");
    EXPECT_EQ(fault(with("access", "")), "");
    // Several entries for one name are one; actions that nobody knows grant nothing.
    const auto united = read(with("access", R"([
        {"type":"repository","name":"acme/app","actions":["pull","fly"]},
        {"type":"repository","name":"acme/app","actions":["push"]}])"));
    ASSERT_TRUE(united.token);
    EXPECT_EQ(texts(united.token->access), "repository:acme/app:pull,push ");
}

// What was asked for goes first, then whole scopes from the end: a name is never cut (DIST-AUTH-28).
TEST_F(AccessTokenTest, StaysBelowItsSizeByWholeScopes) {
    auto large = token();
    large.access.clear();
    large.asked.clear();
    const auto name = [](int i) { return "acme/" + std::string(200, 'a') + std::to_string(i); };
    for (int i = 0; i < 16; ++i) large.asked.push_back(scope("repository:" + name(i) + ":delete"));
    for (int i = 0; i < 16; ++i) large.access.push_back(scope("repository:" + name(i) + ":pull"));
    auto text = write(large);
    ASSERT_FALSE(text.empty());
    EXPECT_LE(text.size(), kJwsSizeMax);
    auto reading = read(text);
    ASSERT_TRUE(reading.token) << reading.fault;
    EXPECT_TRUE(reading.token->asked.empty());
    EXPECT_EQ(texts(reading.token->access), texts(large.access));

    for (int i = 16; i < 32; ++i) large.access.push_back(scope("repository:" + name(i) + ":pull"));
    text = write(large);
    EXPECT_LE(text.size(), kJwsSizeMax);
    reading = read(text);
    ASSERT_TRUE(reading.token) << reading.fault;
    const auto kept = reading.token->access.size();
    EXPECT_GT(kept, 15u);
    EXPECT_LT(kept, 32u);
    large.access.resize(kept, scope("registry:catalog:*"));
    EXPECT_EQ(texts(reading.token->access), texts(large.access));
    // What cannot be cut is no token.
    auto job = token();
    job.identity.kind = Identity::Kind::federated;
    job.identity.principal.name = "oidc:idp:x";
    job.identity.rules = std::vector<std::string>(100, std::string(100, 'r'));
    EXPECT_EQ(write(job), "");
}

}  // namespace
}  // namespace orbitalreg::frontend
