#include "auth/scope.h"

#include <gtest/gtest.h>

namespace orbitalreg::frontend {
namespace {

std::string granted(std::string_view text) {
    const auto scope = parse_scope(text);
    return scope ? to_string(*scope) : "nothing";
}

TEST(Scope, ReadsWhatClientsSend) {
    EXPECT_EQ(granted("repository:acme/app:pull"), "repository:acme/app:pull");
    EXPECT_EQ(granted("repository:acme/app:push,pull"), "repository:acme/app:pull,push");
    EXPECT_EQ(granted("repository:acme/app:*"), "repository:acme/app:pull,push,delete");
    EXPECT_EQ(granted("repository(plugin):acme/app:pull"), "repository:acme/app:pull");
    EXPECT_EQ(granted("registry:catalog:*"), "registry:catalog:*");
    // Unknown actions grant nothing.
    EXPECT_EQ(granted("repository:acme/app:admin"), "repository:acme/app:");
    EXPECT_EQ(granted("repository:acme/app:pull,pull ,PUSH"), "repository:acme/app:pull");
    EXPECT_EQ(granted("repository:acme/app:"), "repository:acme/app:");
}

TEST(Scope, SkipsWhatIsNone) {
    for (const std::string_view text :
         {"", ":", "::", "repository", "repository:acme/app", "repository::pull",
          "repository:*:pull", "repository:acme/*:pull", "repository:Acme/app:pull",
          "repository:acme/../app:pull", "repository:acme/app :pull", "registry:catalog:pull",
          "registry:other:*", "registry:catalog:catalog:*", "cluster:acme/app:pull",
          "Repository:acme/app:pull", "repository(:acme/app:pull", "repository:a:b:c/d:pull"}) {
        EXPECT_EQ(granted(text), "nothing") << text;
    }
}

TEST(Scope, TakesRepeatedAndSpaceSeparatedOnes) {
    const auto scopes = parse_scopes(
        {"repository:a/b:pull repository:c/d:push", "", "nonsense", " registry:catalog:* "});
    ASSERT_TRUE(scopes);
    ASSERT_EQ(scopes->size(), 3U);
    EXPECT_EQ((*scopes)[0].image->text(), "a/b");
    EXPECT_EQ((*scopes)[1].actions, scope_push);
    EXPECT_FALSE((*scopes)[2].image);
}

TEST(Scope, HasALimit) {
    std::string most;
    for (std::size_t i = 0; i < kScopesMax; ++i) most += "repository:a/b:pull ";
    ASSERT_TRUE(parse_scopes({most}));
    EXPECT_EQ(parse_scopes({most})->size(), kScopesMax);
    EXPECT_FALSE(parse_scopes({most, "x"}));
    EXPECT_FALSE(parse_scopes(std::vector<std::string>(1000, "repository:a/b:pull")));
}

}  // namespace
}  // namespace orbitalreg::frontend
