// Accounts as JSON documents: what is written is read again, and what is not wholly understood never says more than it did.

#include "access/document_text.h"

#include "access/account_documents.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

namespace orbitalreg::engine {
namespace {

namespace json = boost::json;

json::object object_of(std::string_view text) { return json::parse(text).get_object(); }

// The document with one member of another value; without it where the value is empty.
std::vector<std::byte> with(const std::vector<std::byte>& bytes, std::string_view name,
                            std::string_view value) {
    auto object = from_document(bytes).value();
    object.erase(name);
    if (!value.empty()) object[name] = json::parse(value);
    return to_document(object);
}

User user() {
    return {"alice", "id", "$argon2id$v=19$x", true,
            true,    7,    1'768'478'400,      "Alice \"of\" Acme\xc3\xa4"};
}

PersonalToken token() {
    return {"tokenid", "alice", "id", "laptop", "hash", {{"acme/**", "*"}, {Action::pull}}, 1, 2};
}

Robot robot() {
    Robot robot;
    robot.project = "acme";
    robot.name = "ci";
    robot.id = "id";
    robot.secrets = {{"one", "hash1", 1}, {"two", "hash2", 2}};
    robot.grants = {{"acme", Role::developer, {"acme/app"}, {Action::pull, Action::remove}, "by"},
                    {"acme", Role::security, {}, {}, {}}};
    robot.disabled = true;
    robot.generation = 3;
    robot.created_s = 4;
    robot.expires_s = 5;
    robot.description = "builds";
    return robot;
}

RefreshToken refresh() {
    RefreshToken token;
    token.secret_hash = "hash";
    token.principal = "user:alice";
    token.account_id = "id";
    token.generation = 3;
    token.credential = "token:x";
    token.service = "reg.example";
    token.client_id = "docker";
    token.renewed_s = 9;
    token.used_up = true;
    return token;
}

TEST(AccountDocuments, AreReadAsTheyWereWritten) {
    const auto alice = decode_user(encode_user(user())).value();
    EXPECT_EQ(alice.name, "alice");
    EXPECT_EQ(alice.description, user().description);
    EXPECT_EQ(alice.generation, 7u);
    EXPECT_TRUE(alice.administrator && alice.disabled);
    EXPECT_EQ(encode_user(alice), encode_user(user()));
    const auto laptop = decode_token(encode_token(token())).value();
    EXPECT_EQ(laptop.at_most, token().at_most);
    EXPECT_EQ(encode_token(laptop), encode_token(token()));
    const auto ci = decode_robot(encode_robot(robot())).value();
    EXPECT_EQ(ci.grants, robot().grants);
    EXPECT_EQ(ci.secrets.size(), 2u);
    EXPECT_EQ(encode_robot(ci), encode_robot(robot()));
    const auto again = decode_refresh(encode_refresh(refresh())).value();
    EXPECT_TRUE(again.used_up);
    EXPECT_EQ(encode_refresh(again), encode_refresh(refresh()));
}

// A later version may add members.
TEST(AccountDocuments, AMemberThatIsNotKnownIsPassedOver) {
    EXPECT_TRUE(decode_user(with(encode_user(user()), "later", "[1]")));
    EXPECT_TRUE(decode_token(with(encode_token(token()), "later", "[1]")));
    EXPECT_TRUE(decode_robot(with(encode_robot(robot()), "later", "[1]")));
    EXPECT_TRUE(decode_refresh(with(encode_refresh(refresh()), "later", "[1]")));
}

// What would be wider without it is there, and of its kind: nobody is switched on, unlimited or endless by a reading error.
TEST(AccountDocuments, WhatLimitsIsNeverLostInReading) {
    for (const std::string value : {"", "\"yes\"", "1", "null", "[]"}) {
        EXPECT_FALSE(decode_user(with(encode_user(user()), "disabled", value))) << value;
        EXPECT_FALSE(decode_robot(with(encode_robot(robot()), "disabled", value))) << value;
        EXPECT_FALSE(decode_refresh(with(encode_refresh(refresh()), "used_up", value))) << value;
    }
    for (const std::string value : {"", "\"soon\"", "1.5", "null", "18446744073709551615"}) {
        EXPECT_FALSE(decode_token(with(encode_token(token()), "expires", value))) << value;
        EXPECT_FALSE(decode_robot(with(encode_robot(robot()), "expires", value))) << value;
    }
    EXPECT_FALSE(decode_token(with(encode_token(token()), "expires", "0")));
    for (const std::string value : {"", "7", "null", "\"\""}) {
        EXPECT_FALSE(decode_user(with(encode_user(user()), "id", value))) << value;
        EXPECT_FALSE(decode_token(with(encode_token(token()), "user_id", value))) << value;
        EXPECT_FALSE(decode_robot(with(encode_robot(robot()), "id", value))) << value;
        EXPECT_FALSE(decode_refresh(with(encode_refresh(refresh()), "account_id", value))) << value;
        // Without it the token would stand for the person as a whole.
        EXPECT_FALSE(decode_refresh(with(encode_refresh(refresh()), "credential", value))) << value;
    }
    for (const std::string value : {"", "[]", "null", "\"all\"", R"({"actions":["fly"]})",
                                    R"({"actions":"pull"})", R"({"repositories":[1]})"}) {
        EXPECT_FALSE(decode_token(with(encode_token(token()), "at_most", value))) << value;
    }
    EXPECT_FALSE(decode_robot(with(encode_robot(robot()), "secrets", "[1]")));
    EXPECT_TRUE(decode_robot(with(encode_robot(robot()), "secrets", "7"))->secrets.empty());
}

TEST(AccountDocuments, AnAdministratorIsOneByTheWordTrueAlone) {
    for (const std::string value : {"", "\"true\"", "1", "null", "[true]", "false"})
        EXPECT_FALSE(decode_user(with(encode_user(user()), "administrator", value))->administrator);
}

TEST(AccountDocuments, AGrantOfWhichAPartIsNotUnderstoodGrantsNothing) {
    const auto grants = [](std::string_view text) {
        return grants_of(json::object{{"grants", json::parse(text)}}, "grants");
    };
    EXPECT_EQ(grants(R"([{"project":"acme","role":"guest"}])"),
              (std::vector<Grant>{{"acme", Role::guest, {}, {}, {}}}));
    for (const auto* text :
         {"7", "null", "{}", "[7]", "[null]", "[{}]", R"([{"project":"acme"}])",
          R"([{"project":"acme","role":"owner"}])", R"([{"project":"acme","role":7}])",
          R"([{"project":"acme","role":"guest","actions":["pull","fly"]}])",
          R"([{"project":"acme","role":"guest","actions":"pull"}])",
          R"([{"project":"acme","role":"guest","actions":[7]}])",
          R"([{"project":"acme","role":"guest","repositories":["a",7]}])",
          R"([{"project":"acme","role":"guest","repositories":null}])",
          R"([{"project":7,"role":"guest"}])", R"([{"role":"guest"}])",
          R"([{"project":"","role":"guest"}])"}) {
        EXPECT_TRUE(grants(text).empty()) << text;
    }
    // The others stand.
    EXPECT_EQ(grants(R"([{"role":"x"},{"project":"acme","role":"guest"}])").size(), 1u);
}

TEST(AccountDocuments, BytesThatAreNoObjectAreNothing) {
    for (const std::string_view text : {"", " ", "{", "[]", "7", "null", "\"x\"", "{}x", "\xff{}"})
        EXPECT_FALSE(from_document(as_bytes(text))) << text;
    EXPECT_TRUE(from_document(as_bytes("{}")));
    EXPECT_FALSE(from_document(as_bytes(std::string(100, '[') + std::string(100, ']'))));
}

TEST(DocumentText, ReadsWhatIsOfTheKindAndNothingElse) {
    const auto object = object_of(R"({"t":"x","n":7,"b":true,"a":["x",1],"big":1e3})");
    EXPECT_EQ(text_of(object, "t"), "x");
    EXPECT_EQ(text_of(object, "n"), "");
    EXPECT_EQ(text_of(object, "none"), "");
    EXPECT_EQ(number_of(object, "n"), 7);
    EXPECT_EQ(number_of(object, "big"), 0);
    EXPECT_EQ(number_of(object, "t"), 0);
    EXPECT_TRUE(flag_of(object, "b"));
    EXPECT_FALSE(flag_of(object, "n"));
    EXPECT_EQ(texts_of(object, "a"), std::vector<std::string>{"x"});
    EXPECT_TRUE(texts_of(object, "t").empty());
}

// Two names are one document only when they are the same name, and no name leaves its folder.
TEST(DocumentText, ANameIsWrittenInOneWay) {
    EXPECT_EQ(name_part("a.b_c-d@e+f$9Z"), "a.b_c-d@e+f$9Z");
    EXPECT_EQ(name_part("a/b"), "a%2Fb");
    EXPECT_EQ(name_part("a%2Fb"), "a%252Fb");
    EXPECT_EQ(name_part("\xc3\xa4 \n"), "%C3%A4%20%0A");
    EXPECT_EQ(user_document("../robot"), "account/user/..%2Frobot");
    EXPECT_EQ(token_document("alice", "../../x"), "account/token/alice/..%2F..%2Fx");
    EXPECT_EQ(robot_document("acme+ci"), "account/robot/acme/ci");
    EXPECT_EQ(robot_document("ci"), "account/robot/-/ci");
    EXPECT_EQ(robot_document("-+ci"), std::nullopt);
}

}  // namespace
}  // namespace orbitalreg::engine
