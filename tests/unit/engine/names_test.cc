#include "engine/names.h"

#include <gtest/gtest.h>

namespace orbitalreg::engine {
namespace {

std::string repeat(std::string_view text, int times) {
    std::string all;
    for (int i = 0; i < times; ++i) all += text;
    return all;
}

// DIST-NAME-01, DIST-NAME-02, SEC-01.
TEST(ImageName, AcceptsTheGrammar) {
    for (const std::string name :
         {"a", "a-b", "a---b", "a__b", "a.b", "a_b", "1/2/3", "proj/team/app/arm64", "manifests",
          "a/manifests/b", "a/blobs/uploads", "0", "a-b.c_d__e/f"}) {
        const auto parsed = ImageName::parse(name);
        ASSERT_TRUE(parsed) << name;
        EXPECT_EQ(parsed.value().text(), name);
    }
}

TEST(ImageName, RefusesWhatIsOutsideTheGrammar) {
    const std::vector<std::string> names{
        "",     "A",    "a..b", "a___b",  "a._b",     "-a",   "a-",    "a//b",
        "/a",   "a/",   "a/.b", "a/_b",   "\xC3\xA9", "a b",  "a\n",   "_a",
        "a_",   ".",    "..",   "a/../b", "a:b",      "a@b",  "aB",    "a/-",
        "a.-b", "a_-b", "a-_b", "%61",    "a\\b",     "a/b/", "a__-b", std::string("a\0b", 3)};
    for (const auto& name : names) {
        const auto parsed = ImageName::parse(name);
        ASSERT_FALSE(parsed) << name;
        EXPECT_EQ(parsed.error(), Errc::name_invalid) << name;
    }
}

// DIST-NAME-04.
TEST(ImageName, HasAtMost255Bytes) {
    EXPECT_TRUE(ImageName::parse(std::string(255, 'a')));
    EXPECT_FALSE(ImageName::parse(std::string(256, 'a')));
    EXPECT_TRUE(ImageName::parse(repeat("a/", 127) + "b"));
    EXPECT_FALSE(ImageName::parse(repeat("a/", 128) + "b"));
}

TEST(ImageName, KnowsItsComponents) {
    const auto name = ImageName::parse("proj/team/app").value();
    EXPECT_EQ(name.component_count(), 3u);
    EXPECT_EQ(name.component(0), "proj");
    EXPECT_EQ(name.component(1), "team");
    EXPECT_EQ(name.component(2), "app");
    EXPECT_EQ(name.component(3), "");
    EXPECT_EQ(ImageName::parse("app").value().component_count(), 1u);
}

// DIST-CAT-03: whole strings, byte by byte.
TEST(ImageName, ComparesByBytes) {
    const auto dash = ImageName::parse("a-b").value();
    const auto slash = ImageName::parse("a/b").value();
    const auto digit = ImageName::parse("a0").value();
    EXPECT_LT(dash, slash);
    EXPECT_LT(slash, digit);
}

// DIST-TAG-01, DIST-TAG-03.
TEST(Tag, AcceptsTheGrammar) {
    for (const std::string tag : {"latest", "V1", "v1", "_x", "1.2.3-rc.1", "a.b_c-d", "9"}) {
        const auto parsed = Tag::parse(tag);
        ASSERT_TRUE(parsed) << tag;
        EXPECT_EQ(parsed.value().text(), tag);
    }
    EXPECT_TRUE(Tag::parse("sha256-" + std::string(64, 'a') + ".sig"));
    EXPECT_TRUE(Tag::parse(std::string(128, 'a')));
}

TEST(Tag, RefusesWhatIsOutsideTheGrammar) {
    for (const std::string tag : {"", ".a", "-a", "a b", "a/b", "a:b", "a+b", "\xC3\xA9", "a\n"}) {
        const auto parsed = Tag::parse(tag);
        ASSERT_FALSE(parsed) << tag;
        EXPECT_EQ(parsed.error(), Errc::tag_invalid) << tag;
    }
    EXPECT_FALSE(Tag::parse(std::string(129, 'a')));
}

// DIST-TAG-02, DIST-DIG-04, SEC-07.
TEST(Reference, IsADigestExactlyWhenItHoldsAColon) {
    const auto hex = std::string(64, 'a');
    EXPECT_TRUE(std::holds_alternative<Digest>(parse_reference("sha256:" + hex).value()));
    EXPECT_TRUE(std::holds_alternative<Digest>(parse_reference("sha512:" + hex + hex).value()));
    EXPECT_TRUE(std::holds_alternative<Tag>(parse_reference("sha256-" + hex).value()));
    EXPECT_EQ(parse_reference("sha256:abc").error(), Errc::digest_invalid);
    EXPECT_EQ(parse_reference("sha256:" + std::string(64, 'A')).error(), Errc::digest_invalid);
    EXPECT_EQ(parse_reference("latest:").error(), Errc::digest_invalid);
    EXPECT_EQ(parse_reference("sha384:" + std::string(96, 'a')).error(), Errc::digest_unsupported);
    EXPECT_EQ(parse_reference("no/tag").error(), Errc::tag_invalid);
}

TEST(Reference, IsWrittenAsItWasRead) {
    const auto digest = "sha256:" + std::string(64, 'b');
    EXPECT_EQ(to_string(parse_reference(digest).value()), digest);
    EXPECT_EQ(to_string(parse_reference("v1").value()), "v1");
}

TEST(RulingRepository, IsTheFirstTwoComponents) {
    const auto ruled = [](const char* name, const char* default_project) {
        return ruling_repository(ImageName::parse(name).value(), default_project);
    };
    EXPECT_EQ(ruled("acme/internal/app/arm64", "").value().text(), "acme/internal");
    EXPECT_EQ(ruled("acme/app", "").value().text(), "acme/app");
    EXPECT_EQ(ruled("app", "library").value().text(), "library/app");
    const std::string longest(kImageNameSizeMax - std::string{"library/"}.size(), 'a');
    EXPECT_EQ(ruled(longest.c_str(), "library").value().text(), "library/" + longest);
    EXPECT_EQ(ruled((longest + 'a').c_str(), "library").error().code, Errc::name_invalid);
    const auto unset = ruled("app", "");
    ASSERT_FALSE(unset);
    EXPECT_EQ(unset.error().code, Errc::name_unknown);
    EXPECT_NE(unset.error().message.find("<project>/app"), std::string::npos);
}

}  // namespace
}  // namespace orbitalreg::engine
