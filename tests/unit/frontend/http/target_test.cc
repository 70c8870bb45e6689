// Targets and queries: one decoding, no normalisation. SEC-02, DIST-GEN-03, DIST-GEN-04, DIST-HTTP-25.

#include "http/target.h"

#include <gtest/gtest.h>

namespace orbitalreg::frontend {
namespace {

using Segments = std::vector<std::string>;

Segments segments_of(std::string_view text) {
    const auto target = parse_target(text);
    return {target.segments.begin(), target.segments.end()};
}

TEST(Target, SplitsBeforeItDecodes) {
    EXPECT_EQ(segments_of("/v2/a/b/manifests/sha256%3Aabc?x=1"),
              (Segments{"v2", "a", "b", "manifests", "sha256:abc"}));
    EXPECT_EQ(segments_of("/v2/"), (Segments{"v2", ""}));
    EXPECT_EQ(segments_of("/v2"), (Segments{"v2"}));
    EXPECT_EQ(segments_of("//v2/"), (Segments{"", "v2", ""})) << "nothing is cleaned up";
}

TEST(Target, DecodesOnce) {
    EXPECT_EQ(segments_of("/v2/a/manifests/sha256%253Aabc").back(), "sha256%3Aabc");
}

TEST(Target, Sec02RefusesWhatCouldBeReadAsAPath) {
    for (const char* text :
         {"/v2/../a", "/v2/./a", "/v2/%2e%2e/a", "/v2/%2E/a", "/v2/a%2Fb/tags/list", "/v2/a%2fb",
          "/v2/a%5Cb", "/v2/a\\b", "/v2/a%00b", "/v2/a%0d%0ab", "/v2/%c0%ae%c0%ae/a", "/v2/%C3%A9",
          "/v2/a%7f"}) {
        EXPECT_EQ(parse_target(text).fault, Target::Fault::bad_segment) << text;
    }
    for (const char* text : {"/v2/a%", "/v2/a%2", "/v2/a%zz", "/v2/%%32%65"}) {
        EXPECT_EQ(parse_target(text).fault, Target::Fault::bad_escape) << text;
    }
    for (const char* text : {"http://host/v2/", "*", "v2/", "", "?n=1", "host:443"}) {
        EXPECT_EQ(parse_target(text).fault, Target::Fault::not_a_path) << text;
    }
}

TEST(Query, FollowsFormRules) {
    const auto query = Query::parse("a=1&b=x+y&c=%2B;d&e&=f&&a=2", 100);
    EXPECT_EQ(query.get("a"), "1");
    EXPECT_EQ(query.get("b"), "x y");
    EXPECT_EQ(query.get("c"), "+;d") << "a semicolon is data";
    EXPECT_EQ(query.get("e"), "");
    EXPECT_EQ(query.get("missing"), std::nullopt);
    EXPECT_EQ(query.count("a"), 2U);
    EXPECT_EQ(query.all("a"), (std::vector<std::string_view>{"1", "2"}));
}

TEST(Query, TakesABrokenEscapeAsData) {
    EXPECT_EQ(Query::parse("a=100%&b=1", 10).get("a"), "100%");
}

TEST(Query, HasALimit) {
    EXPECT_FALSE(Query::parse("a&b&c", 3).too_many());
    EXPECT_TRUE(Query::parse("a&b&c&d", 3).too_many());
}

TEST(PercentEncode, EscapesAllButWhatNeedsNone) {
    EXPECT_EQ(percent_encode("a/b:c+d e~"), "a%2Fb%3Ac%2Bd%20e~");
    EXPECT_EQ(percent_encode("a/b:c", "/:"), "a/b:c");
    EXPECT_EQ(percent_decode(percent_encode("\x01\xff%")), "\x01\xff%");
}

}  // namespace
}  // namespace orbitalreg::frontend
