#include "auth/credentials.h"

#include "base/base64.h"

#include <gtest/gtest.h>

namespace orbitalreg::frontend {
namespace {

using Kind = Credentials::Kind;

std::string basic(std::string_view text) { return "Basic " + encode_base64(as_bytes(text)); }

TEST(Credentials, BasicSplitsAtTheFirstColon) {
    const auto alice = parse_authorization(basic("alice:a:b:"));
    EXPECT_EQ(alice.kind, Kind::basic);
    EXPECT_EQ(alice.user, "alice");
    EXPECT_EQ(alice.secret, "a:b:");
    EXPECT_EQ(parse_authorization(basic(":secret")).user, "");
    EXPECT_EQ(parse_authorization(basic("alice:")).kind, Kind::basic);
    EXPECT_EQ(parse_authorization(basic("robot$acme+ci:x")).user, "robot$acme+ci");
    EXPECT_EQ(parse_authorization("bAsIc   YTpi  ").secret, "b");
    EXPECT_EQ(parse_authorization("Basic YTpiYw").secret, "bc");  // without padding
    EXPECT_EQ(parse_authorization(basic("\xc3\xa4:\xc3\xb6")).secret, "\xc3\xb6");
}

TEST(Credentials, BearerIsOneWord) {
    const auto token = parse_authorization("Bearer a.b.c");
    EXPECT_EQ(token.kind, Kind::bearer);
    EXPECT_EQ(token.user, "");
    EXPECT_EQ(token.secret, "a.b.c");
    EXPECT_EQ(parse_authorization("BEARER   a.b.c ").secret, "a.b.c");
}

TEST(Credentials, AnythingElseIsMalformed) {
    using namespace std::string_view_literals;
    for (const auto& value :
         {std::string{}, std::string{"Basic"}, std::string{"Bearer"}, std::string{"Bearer "},
          std::string{"Bearer a b"}, std::string{"Basic ????"}, std::string{"Basic YTpi YTpi"},
          std::string{"Basic "}, std::string{"Digest username=alice"}, std::string{"YTpi"},
          basic("no colon"), basic("a:b\nc"), basic("a\0:b"sv), basic("a:b\x7f"),
          "Bearer " + std::string(16 * 1024, 'x')}) {
        const auto read = parse_authorization(value);
        EXPECT_EQ(read.kind, Kind::malformed) << value.substr(0, 40);
        EXPECT_EQ(read.user + read.secret, "");
    }
}

}  // namespace
}  // namespace orbitalreg::frontend
