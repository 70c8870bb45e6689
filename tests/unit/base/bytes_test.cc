#include "base/bytes.h"

#include <gtest/gtest.h>

#include <array>

namespace orbitalreg {
namespace {

TEST(Bytes, LittleEndianAtAnyAlignment) {
    std::array<std::byte, 11> bytes{};
    store_le<std::uint64_t>(bytes.data() + 3, 0x0102030405060708);
    EXPECT_EQ(to_hex(bytes), "0000000807060504030201");
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

}  // namespace
}  // namespace orbitalreg
