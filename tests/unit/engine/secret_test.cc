#include "access/secret.h"

#include "support/sim_random.h"

#include <gtest/gtest.h>

#include <set>

namespace orbitalreg::engine {
namespace {

constexpr std::array kAllKinds{SecretKind::personal, SecretKind::robot, SecretKind::refresh,
                               SecretKind::bootstrap};

TEST(Secret, HasTheShapeThatScannersKnow) {
    sim::SimRandom random{1};
    const std::array<std::string, 4> prefixes{"orp_", "orr_", "ort_", "orb_"};
    for (std::size_t i = 0; i < kAllKinds.size(); ++i) {
        const auto secret = make_secret(kAllKinds[i], random);
        ASSERT_EQ(secret.text.size(), 67u);
        EXPECT_EQ(secret.text.substr(0, 4), prefixes[i]);
        EXPECT_EQ(secret.text.substr(4, 12), secret.id);
        EXPECT_EQ(secret.text[16], '_');
        EXPECT_EQ(secret.text[60], '_');
        EXPECT_EQ(secret.id.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567"),
                  std::string::npos);
        for (const auto kind : kAllKinds) {
            EXPECT_EQ(looks_like_secret(kind, secret.text), kind == kAllKinds[i]);
            EXPECT_EQ(secret_id_of(kind, secret.text).has_value(), kind == kAllKinds[i]);
        }
        EXPECT_EQ(secret_id_of(kAllKinds[i], secret.text), secret.id);
    }
}

TEST(Secret, NoneIsGivenTwice) {
    sim::SimRandom random{1};
    std::set<std::string> texts;
    std::set<std::string> ids;
    for (int i = 0; i < 1000; ++i) {
        const auto secret = make_secret(SecretKind::refresh, random);
        texts.insert(secret.text);
        ids.insert(secret.id);
    }
    EXPECT_EQ(texts.size(), 1000u);
    EXPECT_EQ(ids.size(), 1000u);
}

TEST(Secret, OneOfAFamilyHasItsId) {
    sim::SimRandom random{1};
    const auto first = make_secret(SecretKind::refresh, random);
    const auto second = make_secret(SecretKind::refresh, random, first.id);
    EXPECT_EQ(second.id, first.id);
    EXPECT_EQ(secret_id_of(SecretKind::refresh, second.text), first.id);
    EXPECT_NE(second.text, first.text);
    EXPECT_NE(second.hash(), first.hash());
}

// The check tells a typing error before anything is looked up.
TEST(Secret, NoCharacterCanBeMistyped) {
    sim::SimRandom random{1};
    const auto secret = make_secret(SecretKind::personal, random);
    for (std::size_t i = 0; i < secret.text.size(); ++i) {
        for (const char other : {'a', '7', 'A', '_', '/', '\0'}) {
            auto wrong = secret.text;
            if (wrong[i] == other) continue;
            wrong[i] = other;
            EXPECT_FALSE(secret_id_of(SecretKind::personal, wrong)) << i << ' ' << other;
        }
        EXPECT_FALSE(secret_id_of(SecretKind::personal, secret.text.substr(0, i))) << i;
    }
    EXPECT_FALSE(secret_id_of(SecretKind::personal, secret.text + 'a'));
    EXPECT_FALSE(secret_id_of(SecretKind::personal, ' ' + secret.text));
}

TEST(Secret, IsKeptAsItsSha256) {
    EXPECT_EQ(secret_hash("abc"),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sim::SimRandom random{1};
    const auto secret = make_secret(SecretKind::robot, random);
    EXPECT_EQ(secret.hash(), secret_hash(secret.text));
}

TEST(Secret, NothingIsTheSameAsNothing) {
    EXPECT_TRUE(same_hash("abc", "abc"));
    EXPECT_FALSE(same_hash("abc", "abd"));
    EXPECT_FALSE(same_hash("abc", "ab"));
    EXPECT_FALSE(same_hash("", ""));
}

}  // namespace
}  // namespace orbitalreg::engine
