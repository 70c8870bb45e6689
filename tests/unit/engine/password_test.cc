#include "access/password.h"

#include "support/sim_random.h"

#include <gtest/gtest.h>

#include <crypt.h>
#include <memory>

namespace orbitalreg::engine {
namespace {

// As htpasswd -B writes it.
std::string bcrypt(const std::string& password, const std::string& prefix = "$2y$10$") {
    const auto data = std::make_unique<crypt_data>();
    const auto setting = prefix + "abcdefghijklmnopqrstuu";
    const char* made = crypt_r(password.c_str(), setting.c_str(), data.get());
    return made == nullptr ? std::string{} : made;
}

TEST(Password, VerifiesWhatItHashed) {
    sim::SimRandom random{1};
    const auto hash = hash_password("correct horse", random);
    EXPECT_TRUE(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    EXPECT_TRUE(is_password_hash(hash));
    EXPECT_FALSE(wants_rehash(hash));
    EXPECT_TRUE(verify_password(hash, "correct horse"));
    EXPECT_FALSE(verify_password(hash, "correct horsf"));
    EXPECT_FALSE(verify_password(hash, "correct horse "));
    EXPECT_FALSE(verify_password(hash, ""));
    EXPECT_NE(hash_password("correct horse", random), hash);  // another salt
}

TEST(Password, VerifiesBcryptOfAnImport) {
    for (const auto* prefix : {"$2y$10$", "$2b$10$"}) {
        const auto hash = bcrypt("correct horse", prefix);
        ASSERT_EQ(hash.size(), 60u);
        EXPECT_TRUE(is_password_hash(hash));
        EXPECT_TRUE(wants_rehash(hash));
        EXPECT_TRUE(verify_password(hash, "correct horse"));
        EXPECT_FALSE(verify_password(hash, "correct horsf"));
        EXPECT_FALSE(verify_password(hash, ""));
    }
}

// bcrypt looks at 72 bytes and stops at a zero: neither what is longer nor what comes behind passes for its beginning.
TEST(Password, BcryptTakesNoMoreThanItLooksAt) {
    const std::string most(72, 'p');
    EXPECT_TRUE(verify_password(bcrypt(most), most));
    EXPECT_FALSE(verify_password(bcrypt(most), most + 'p'));
    using namespace std::string_view_literals;
    EXPECT_FALSE(verify_password(bcrypt("correct horse"), "correct horse\0battery"sv));
    EXPECT_FALSE(verify_password(bcrypt("correct horse"), "correct horse\0"sv));
}

TEST(Password, RefusesHashesOfOtherKinds) {
    const auto good = bcrypt("correct horse");
    const std::string settings = good.substr(7);
    for (const auto& hash :
         {std::string{}, std::string{"correct horse"}, "$2a$10$" + settings, "$2x$10$" + settings,
          "$2y$04$" + settings, "$2y$09$" + settings, "$2y$15$" + settings, "$2y$1:$" + settings,
          good.substr(0, 59), good + 'x', std::string{"$1$salt$qJH7.N4xYta3aEG/dfqo/0"},
          std::string{"$5$saltsalt$hash"}, std::string{"$argon2i$v=19$m=19456,t=2,p=1$c2FsdA$aA"},
          std::string{"{SHA}0DPiKuNIrrVmD8IUCuw1hQxNqZc="}}) {
        EXPECT_FALSE(is_password_hash(hash)) << hash;
        EXPECT_FALSE(verify_password(hash, "correct horse")) << hash;
    }
    EXPECT_FALSE(verify_password("$argon2id$v=19$m=19456,t=2,p=1$broken", "correct horse"));
    EXPECT_FALSE(verify_password("$argon2id$v=19$", ""));
}

TEST(Password, ThePasswordOfNobodyIsNobodys) {
    for (const auto* password : {"", "password", "nobody"})
        EXPECT_FALSE(verify_password({}, password));
}

TEST(Password, AStrongerHashStaysAsItIs) {
    const std::string rest = "$c2FsdHNhbHRzYWx0c2FsdA$aGFzaA";
    const auto argon = [&](const std::string& costs) { return "$argon2id$v=19$" + costs + rest; };
    EXPECT_FALSE(wants_rehash(argon("m=19456,t=2,p=1")));
    EXPECT_FALSE(wants_rehash(argon("m=65536,t=3,p=4")));
    EXPECT_FALSE(wants_rehash(argon("m=19456,t=3,p=1")));
    EXPECT_TRUE(wants_rehash(argon("m=19455,t=2,p=1")));
    EXPECT_TRUE(wants_rehash(argon("m=65536,t=1,p=1")));
    EXPECT_TRUE(wants_rehash(argon("m=8,t=2,p=1")));
    EXPECT_TRUE(wants_rehash(argon("m=x,t=2,p=1")));
    EXPECT_TRUE(wants_rehash(argon("t=2,m=19456,p=1")));
    EXPECT_TRUE(wants_rehash("$argon2id$v=19$"));
    EXPECT_TRUE(wants_rehash(""));
}

TEST(Password, SaysWhyOneIsTooWeak) {
    using namespace std::string_view_literals;
    EXPECT_EQ(password_trouble("1234567", "alice"), "a password has at least 8 characters");
    EXPECT_EQ(password_trouble(std::string(1025, 'p'), "alice"),
              "a password has at most 1024 bytes");
    EXPECT_EQ(password_trouble(std::string(1024, 'p'), "alice"), "");
    EXPECT_EQ(password_trouble("long\0enough"sv, "alice"), "a password has no zero byte");
    EXPECT_EQ(password_trouble("alice.smith", "alice.smith"), "the password is the user's name");
    EXPECT_EQ(password_trouble("password", "alice"),
              "the password is one of those that are tried first");
    EXPECT_EQ(password_trouble("correct horse", "alice"), "");
}

}  // namespace
}  // namespace orbitalreg::engine
