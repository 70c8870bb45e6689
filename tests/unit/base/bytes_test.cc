#include "base/bytes.h"

#include <gtest/gtest.h>

#include <array>

namespace orbitalreg {
namespace {

TEST(Bytes, LittleEndianAtAnyAlignment) {
    std::array<std::byte, 11> bytes{};
    store_le<std::uint64_t>(bytes.data() + 3, 0x0102030405060708);
    EXPECT_EQ(to_hex(bytes), "0000000807060504030201");
    std::string text = "hash ";
    append_hex(text, ByteView{bytes}.first(4));
    EXPECT_EQ(text, "hash 00000008");
    EXPECT_EQ(load_le<std::uint64_t>(bytes.data() + 3), 0x0102030405060708U);
    EXPECT_EQ(load_le<std::uint16_t>(bytes.data() + 3), 0x0708U);
}

TEST(Bytes, RoundsToMultiples) {
    EXPECT_EQ(round_up(0, 4096), 0U);
    EXPECT_EQ(round_up(1, 4096), 4096U);
    EXPECT_EQ(round_up(4096, 4096), 4096U);
    EXPECT_EQ(round_down(4095, 4096), 0U);
    EXPECT_EQ(round_down(8191, 4096), 4096U);
}

TEST(Bytes, AllZeroFindsASingleBitAnywhere) {
    std::array<std::byte, 200> bytes{};
    EXPECT_TRUE(all_zero({}));
    EXPECT_TRUE(all_zero(bytes));
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = std::byte{0x80};
        EXPECT_FALSE(all_zero(bytes)) << "byte " << i;
        bytes[i] = std::byte{0};
    }
}

TEST(Bytes, TextAndBytesAreTheSameMemory) {
    const std::string_view text = "sha256";
    const ByteView bytes = as_bytes(text);
    EXPECT_EQ(static_cast<const void*>(bytes.data()), static_cast<const void*>(text.data()));
    EXPECT_EQ(as_text(bytes), text);
}

// Every byte at every place of a text longer than two words.
TEST(Bytes, PrintablePrefixEndsAtTheFirstThatIsNot) {
    for (std::size_t size = 0; size < 20; ++size) {
        EXPECT_EQ(printable_prefix(std::string(size, '~')), size);
        for (std::size_t at = 0; at < size; ++at) {
            for (int byte = 0; byte < 256; ++byte) {
                std::string text(size, ' ');
                text[at] = static_cast<char>(byte);
                const bool printable = byte >= 0x20 && byte < 0x7f;
                ASSERT_EQ(printable_prefix(text), printable ? size : at) << byte << " at " << at;
            }
        }
    }
}

}  // namespace
}  // namespace orbitalreg
