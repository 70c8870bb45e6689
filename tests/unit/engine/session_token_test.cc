#include "push/session_token.h"

#include <gtest/gtest.h>

namespace orbitalreg::engine {
namespace {

SessionTokens tokens_under(unsigned char fill) {
    std::array<std::byte, 32> key;
    key.fill(std::byte{fill});
    return SessionTokens{key};
}

SessionClaims some_claims() {
    SessionClaims claims;
    for (std::size_t i = 0; i < claims.session.size(); ++i)
        claims.session[i] = static_cast<std::byte>(i * 17);
    claims.issued_store_time_s = 0x0000'a1b2'c3d4'e5f6;
    claims.algorithm = DigestAlgorithm::sha512;
    return claims;
}

const ImageName kImage = ImageName::parse("acme/app").value();
const Principal kAlice{"alice"};

TEST(SessionToken, GivesBackItsClaims) {
    const auto tokens = tokens_under(1);
    const auto token = tokens.issue(some_claims(), kImage, kAlice);
    EXPECT_EQ(token.size(), 54u);
    EXPECT_EQ(
        token.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
        std::string::npos);
    EXPECT_EQ(tokens.verify(token, kImage, kAlice), some_claims());
}

// DIST-UPL-06, SEC-33.
TEST(SessionToken, BelongsToImageNamePrincipalAndStore) {
    const auto tokens = tokens_under(1);
    const auto token = tokens.issue(some_claims(), kImage, kAlice);
    EXPECT_FALSE(tokens.verify(token, ImageName::parse("acme/app2").value(), kAlice));
    EXPECT_FALSE(tokens.verify(token, ImageName::parse("acme/ap").value(), Principal{"palice"}));
    EXPECT_FALSE(tokens.verify(token, kImage, Principal{"bob"}));
    EXPECT_FALSE(tokens.verify(token, kImage, Principal{}));
    EXPECT_FALSE(tokens_under(2).verify(token, kImage, kAlice));
}

TEST(SessionToken, RefusesEveryChangedCharacter) {
    const auto tokens = tokens_under(1);
    const auto token = tokens.issue(some_claims(), kImage, kAlice);
    for (std::size_t i = 0; i < token.size(); ++i) {
        auto changed = token;
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        EXPECT_FALSE(tokens.verify(changed, kImage, kAlice)) << i;
    }
    EXPECT_FALSE(tokens.verify("", kImage, kAlice));
    EXPECT_FALSE(tokens.verify(token + "A", kImage, kAlice));
    EXPECT_FALSE(tokens.verify(token.substr(1), kImage, kAlice));
    EXPECT_FALSE(tokens.verify(std::string(54, '='), kImage, kAlice));
}

TEST(SessionToken, ShowsItsIdAsUuid) {
    EXPECT_EQ(uuid_text(some_claims().session), "00112233-4455-6677-8899-aabbccddeeff");
}

}  // namespace
}  // namespace orbitalreg::engine
