#include "base/base64.h"

#include "base/bytes.h"

#include <gtest/gtest.h>

namespace orbitalreg {
namespace {

std::string text_of(const std::optional<std::vector<std::byte>>& bytes) {
    return bytes ? std::string{as_text(*bytes)} : "nothing";
}

// RFC 4648, section 10.
TEST(Base64, EncodesTheVectorsOfItsSpecification) {
    EXPECT_EQ(encode_base64(as_bytes("")), "");
    EXPECT_EQ(encode_base64(as_bytes("f")), "Zg==");
    EXPECT_EQ(encode_base64(as_bytes("fo")), "Zm8=");
    EXPECT_EQ(encode_base64(as_bytes("foo")), "Zm9v");
    EXPECT_EQ(encode_base64(as_bytes("foob")), "Zm9vYg==");
    EXPECT_EQ(encode_base64(as_bytes("fooba")), "Zm9vYmE=");
    EXPECT_EQ(encode_base64(as_bytes("foobar")), "Zm9vYmFy");
}

TEST(Base64, TheTwoAlphabetsDifferInTwoCharactersAndThePadding) {
    EXPECT_EQ(encode_base64(as_bytes("\xfb\xff")), "+/8=");
    EXPECT_EQ(encode_base64url(as_bytes("\xfb\xff")), "-_8");
}

TEST(Base64, ReadsWhatItWrites) {
    std::string text;
    for (int i = 0; i < 300; ++i) {
        EXPECT_EQ(text_of(decode_base64(encode_base64(as_bytes(text)))), text);
        EXPECT_EQ(text_of(decode_base64url(encode_base64url(as_bytes(text)))), text);
        text += static_cast<char>(i * 7);
    }
}

TEST(Base64, RefusesWhatIsNone) {
    for (const auto* text : {"Zg", "Zg=", "Zg===", "Zh==", "Z===", "Zm9v\n", "Zm-v", "Z=m9"})
        EXPECT_FALSE(decode_base64(text)) << text;
}

}  // namespace
}  // namespace orbitalreg
