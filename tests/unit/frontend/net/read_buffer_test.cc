#include "net/read_buffer.h"

#include <gtest/gtest.h>

#include <string>

namespace orbitalreg::frontend {
namespace {

void append(ReadBuffer& buffer, std::string_view text) {
    const auto room = buffer.room(text.size());
    ASSERT_GE(room.size(), text.size());
    std::memcpy(room.data(), text.data(), text.size());
    buffer.filled(text.size());
}

std::string take(ReadBuffer& buffer, std::size_t size) {
    std::string text(size, '\0');
    text.resize(buffer.take({reinterpret_cast<std::byte*>(text.data()), size}));
    return text;
}

TEST(ReadBuffer, GivesBytesInOrder) {
    ReadBuffer buffer;
    append(buffer, "hello world");
    EXPECT_EQ(take(buffer, 6), "hello ");
    append(buffer, "!");
    EXPECT_EQ(buffer.text(), "world!");
    buffer.consume(100);
    EXPECT_TRUE(buffer.empty());
}

TEST(ReadBuffer, PutsBackInFrontOfWhatWaits) {
    ReadBuffer buffer;
    append(buffer, "abcdef");
    const auto taken = take(buffer, 3);
    buffer.put_back(as_bytes(taken).subspan(1));
    EXPECT_EQ(buffer.text(), "bcdef");
}

TEST(ReadBuffer, PutsBackMoreThanWasTaken) {
    ReadBuffer buffer;
    append(buffer, "xyz");
    EXPECT_EQ(take(buffer, 1), "x");
    buffer.put_back(as_bytes("a longer text "));
    EXPECT_EQ(buffer.text(), "a longer text yz");

    ReadBuffer empty;
    const std::string large(100'000, 'l');
    empty.put_back(as_bytes(large));
    EXPECT_EQ(empty.text(), large);
}

TEST(ReadBuffer, GrowsToWhatIsNeededAndShrinks) {
    ReadBuffer buffer;
    append(buffer, std::string(50'000, 'a'));
    EXPECT_EQ(buffer.size(), 50'000U);
    buffer.shrink();
    EXPECT_EQ(buffer.size(), 50'000U) << "never while it holds something";
    buffer.consume(50'000);
    buffer.shrink();
    EXPECT_LE(buffer.room(1).size(), ReadBuffer::kIdleBytes);
}

}  // namespace
}  // namespace orbitalreg::frontend
