#include "grant_text.h"

#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

namespace orbitalreg::program {
namespace {

std::string parsed(const std::vector<std::string>& texts, const std::string& project) {
    std::string trouble;
    const auto grants = parse_grants(texts, project, trouble);
    EXPECT_EQ(grants.has_value(), trouble.empty());
    return grants ? json::serialize(*grants) : "refused";
}

TEST(GrantText, OfAProjectNeedsNoProject) {
    EXPECT_EQ(parsed({"developer"}, "acme"), R"([{"role":"developer"}])");
    EXPECT_EQ(
        parsed({"guest", "developer:acme/app,acme/web/**"}, "acme"),
        R"([{"role":"guest"},{"role":"developer","repositories":["acme/app","acme/web/**"]}])");
}

TEST(GrantText, OfAProjectMayNameItAgain) {
    EXPECT_EQ(parsed({"acme:developer:acme/app"}, "acme"),
              R"([{"role":"developer","repositories":["acme/app"]}])");
    EXPECT_EQ(parsed({"other:developer"}, "acme"), "refused");
    // A project that is called as a role is.
    EXPECT_EQ(parsed({"guest:guest/app"}, "guest"),
              R"([{"role":"guest","repositories":["guest/app"]}])");
    EXPECT_EQ(parsed({"guest:developer"}, "guest"), R"([{"role":"developer"}])");
}

TEST(GrantText, OfTheSystemNamesItsProject) {
    EXPECT_EQ(parsed({"acme:limited", "web:developer:web/**"}, ""),
              R"([{"role":"limited","project":"acme"},)"
              R"({"role":"developer","repositories":["web/**"],"project":"web"}])");
    EXPECT_EQ(parsed({"developer"}, ""), "refused");
    EXPECT_EQ(parsed({":developer"}, ""), "refused");
}

TEST(GrantText, RefusesWhatIsNone) {
    for (const auto* text : {"", "king", "developer:", "developer:a,,b", "developer:a:b", "acme:"})
        EXPECT_EQ(parsed({text}, "acme"), "refused") << text;
}

TEST(GrantText, SaysWhatIsGranted) {
    const auto object = parse_object(
        R"({"grants":[{"project":"acme","role":"developer","repositories":["acme/app"],"actions":["pull"],)"
        R"("origin":"member user:alice"},{"project":"web","role":"guest"}]})");
    EXPECT_EQ(grants_text(*object),
              "developer of acme on acme/app (only pull) by member user:alice; guest of web");
}

}  // namespace
}  // namespace orbitalreg::program
