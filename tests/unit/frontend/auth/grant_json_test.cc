// Grants in tokens and in the management API: an empty list means no limit, and never comes of a reading error.

#include "auth/grant_json.h"

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

namespace orbitalreg::frontend {
namespace {

namespace json = boost::json;
using engine::Action;
using engine::Grant;
using engine::Restriction;
using engine::Role;

TEST(GrantJson, ReadsWhatItWrote) {
    std::vector<Grant> grants;
    for (const auto role : {Role::limited, Role::guest, Role::developer, Role::maintainer,
                            Role::project_admin, Role::security}) {
        grants.push_back({"acme", role, {}, {}, {}});
        grants.push_back({"acme", role, {"acme/app", "acme/**"}, {Action::pull}, "rule r"});
    }
    EXPECT_EQ(grants_from_json(to_json(grants)), grants);
    EXPECT_EQ(grants_from_json(json::array{}), std::vector<Grant>{});
    for (std::size_t i = 0; i < engine::kActions; ++i) {
        const Restriction limit{{"acme/**"}, {static_cast<Action>(i)}};
        EXPECT_EQ(restriction_from_json(to_json(limit)), limit);
    }
    EXPECT_EQ(restriction_from_json(json::object{}), Restriction{});
}

TEST(GrantJson, WhatIsNotWhollyUnderstoodIsNoGrant) {
    for (const auto* text : {"7",
                             "null",
                             "{}",
                             "\"x\"",
                             "[7]",
                             "[{}]",
                             R"([{"project":"acme"}])",
                             R"([{"role":"owner"}])",
                             R"([{"role":7}])",
                             R"([{"role":"guest","project":7}])",
                             R"([{"role":"guest","origin":7}])",
                             R"([{"role":"guest","later":"x"}])",
                             R"([{"role":"guest","later":[]}])",
                             R"([{"role":"guest","actions":[]}])",
                             R"([{"role":"guest","actions":null}])",
                             R"([{"role":"guest","actions":"pull"}])",
                             R"([{"role":"guest","actions":["fly"]}])",
                             R"([{"role":"guest","actions":["pull",7]}])",
                             R"([{"role":"guest","repositories":[]}])",
                             R"([{"role":"guest","repositories":[""]}])",
                             R"([{"role":"guest","repositories":{}}])",
                             R"([{"project":"acme","role":"guest"},{"project":"acme"}])"}) {
        EXPECT_FALSE(grants_from_json(json::parse(text))) << text;
    }
    for (const auto* text :
         {"7", "null", "[]", R"({"later":1})", R"({"actions":[]})", R"({"actions":["fly"]})",
          R"({"actions":"pull"})", R"({"repositories":[]})", R"({"repositories":[7]})",
          R"({"repositories":null})", R"({"role":"guest"})"}) {
        EXPECT_FALSE(restriction_from_json(json::parse(text))) << text;
    }
}

TEST(GrantJson, ListsHaveALimit) {
    const auto list = [](std::size_t count, std::size_t size) {
        json::array array;
        for (std::size_t i = 0; i < count; ++i) array.emplace_back(std::string(size, 'a'));
        return json::object{{"repositories", array}};
    };
    EXPECT_TRUE(restriction_from_json(list(100, 255)));
    EXPECT_FALSE(restriction_from_json(list(101, 1)));
    EXPECT_FALSE(restriction_from_json(list(1, 256)));
    EXPECT_TRUE(grants_from_json(to_json(std::vector<Grant>(100))));
    EXPECT_FALSE(grants_from_json(to_json(std::vector<Grant>(101))));
}

}  // namespace
}  // namespace orbitalreg::frontend
