#include "htpasswd_file.h"

#include <gtest/gtest.h>

namespace orbitalreg::program {
namespace {

const std::string kRest = "$10$abcdefghijklmnopqrstuul/Js4ZsnJ7Pxprbutq.RgW8e8rI7xzu";

std::string refusal(const std::string& hash) {
    const auto lines = read_htpasswd("alice:" + hash);
    return lines.size() == 1 ? lines[0].refusal : "not one line";
}

TEST(HtpasswdFile, TakesBcryptByLine) {
    const auto lines = read_htpasswd("# a comment\n\nalice:$2y" + kRest + "\r\nbob:$2b" + kRest);
    ASSERT_EQ(lines.size(), 2U);
    EXPECT_EQ(lines[0].number, 3U);
    EXPECT_EQ(lines[0].user, "alice");
    EXPECT_EQ(lines[0].hash, "$2y" + kRest);
    EXPECT_EQ(lines[0].refusal, "");
    EXPECT_EQ(lines[1].number, 4U);
    EXPECT_EQ(lines[1].refusal, "");
}

TEST(HtpasswdFile, TheOlderNameOfTheAlgorithmIsTheSameOne) {
    EXPECT_EQ(read_htpasswd("alice:$2a" + kRest)[0].hash, "$2b" + kRest);
}

TEST(HtpasswdFile, RefusesWeakerHashesByTheirName) {
    EXPECT_EQ(refusal("$apr1$abcdefgh$0123456789012345678901"), "MD5 is not taken over");
    EXPECT_EQ(refusal("{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="), "SHA-1 is not taken over");
    EXPECT_EQ(refusal("$6$salt$hash"), "SHA-crypt is not taken over, only bcrypt is");
    EXPECT_EQ(refusal("secret"), "neither crypt() nor a plain password is taken over");
    EXPECT_EQ(refusal(""), "there is no hash");
}

TEST(HtpasswdFile, RefusesBcryptThatIsTooCheapOrMalformed) {
    EXPECT_NE(refusal("$2y$05" + kRest.substr(3)).find("cost 5"), std::string::npos);
    EXPECT_NE(refusal("$2y$15" + kRest.substr(3)).find("cost 15"), std::string::npos);
    EXPECT_EQ(refusal("$2y" + kRest.substr(0, kRest.size() - 1)), "is no bcrypt hash");
    EXPECT_EQ(refusal("$2x" + kRest), "is no bcrypt hash");
    EXPECT_EQ(refusal("$2y" + kRest.substr(0, kRest.size() - 1) + ":"), "is no bcrypt hash");
}

TEST(HtpasswdFile, RefusesALineWithoutAName) {
    EXPECT_EQ(read_htpasswd("no colon here")[0].refusal, "is no `name:hash`");
    EXPECT_EQ(read_htpasswd(":$2y" + kRest)[0].refusal, "is no `name:hash`");
}

}  // namespace
}  // namespace orbitalreg::program
