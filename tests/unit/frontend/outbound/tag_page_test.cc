// Lists of tags and token answers, as upstreams give them (DIST-PROXY-09).

#include "outbound/tag_page.h"

#include "outbound/token_source.h"

#include <gtest/gtest.h>

namespace orbitalreg::frontend {
namespace {

using Tags = std::vector<std::string>;

TEST(TagPage, KeepsTheUpstreamsOrder) {
    const auto page = parse_tag_page(R"({"name":"a","tags":["z","a","1.0"]})", "", 10);
    ASSERT_TRUE(page);
    EXPECT_EQ(page->tags, (Tags{"z", "a", "1.0"}));
    EXPECT_FALSE(page->cut);
}

TEST(TagPage, IsCutToWhatWasAskedFor) {
    constexpr std::string_view kAll = R"({"tags":["a","b","c","d"]})";
    const auto first = parse_tag_page(kAll, "", 2);
    ASSERT_TRUE(first);
    EXPECT_EQ(first->tags, (Tags{"a", "b"}));
    EXPECT_TRUE(first->cut);
    const auto second = parse_tag_page(kAll, "b", 2);
    ASSERT_TRUE(second);
    EXPECT_EQ(second->tags, (Tags{"c", "d"}));
    EXPECT_FALSE(second->cut);
}

TEST(TagPage, LeavesOutWhatIsNoTag) {
    const auto page = parse_tag_page(R"({"tags":["ok","-no","../x","a b",""]})", "", 10);
    ASSERT_TRUE(page);
    EXPECT_EQ(page->tags, Tags{"ok"});
    EXPECT_TRUE(parse_tag_page(R"({"tags":null})", "", 10));
}

TEST(TagPage, NothingOfWhatIsNoList) {
    for (const auto* text : {"", "[]", "{}", R"({"tags":"a"})", R"({"tags":[1]})", "<html>",
                             R"({"tags":[],"tags":["x"]})", R"({"tags":[]} x)"})
        EXPECT_FALSE(parse_tag_page(text, "", 10)) << text;
}

TEST(TokenAnswer, TakesTheTokenAndItsLife) {
    constexpr std::int64_t kNowNs = 1'700'000'000LL * 1'000'000'000;  // 2023-11-14T22:13:20Z
    const struct {
        const char* text;
        const char* token;
        std::int64_t lifetime_s;
    } cases[] = {
        {R"({"token":"t","access_token":"a","expires_in":300})", "t", 300},
        {R"({"access_token":"a"})", "a", 60},
        {R"({"token":"","access_token":"a"})", "a", 60},
        {R"({"token":"t","expires_in":"300"})", "t", 60},
        {R"({"token":"t","expires_in":-5})", "t", 0},
        {R"({"token":"t","expires_in":99999999})", "t", 86'400},
        {R"({"token":"t","expires_in":300,"issued_at":"2023-11-14T22:12:20Z"})", "t", 240},
        {R"({"token":"t","expires_in":300,"issued_at":"2023-11-14T22:12:20.123456789Z"})", "t",
         241},
        {R"({"token":"t","expires_in":300,"issued_at":"2023-11-14T20:00:00Z"})", "t", 300},
        {R"({"token":"t","expires_in":300,"issued_at":"2033-11-14T20:00:00Z"})", "t", 300},
    };
    for (const auto& [text, token, lifetime_s] : cases) {
        const auto given = parse_token_answer(text, kNowNs);
        ASSERT_TRUE(given) << text;
        EXPECT_EQ(given->token, token);
        EXPECT_EQ(given->lifetime_s, lifetime_s) << text;
    }
    for (const auto* text :
         {"", "{}", "[]", R"({"token":5})", R"({"token":""})", R"({"token":"a b"})",
          R"({"token":"a\r\nX: y"})", R"({"token":"a","token":"b"})"})
        EXPECT_FALSE(parse_token_answer(text, kNowNs)) << text;
}

}  // namespace
}  // namespace orbitalreg::frontend
