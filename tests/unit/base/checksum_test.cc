#include "base/checksum.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace orbitalreg {
namespace {

std::vector<std::byte> pattern(std::size_t size) {
    std::vector<std::byte> bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 31 + i / 256);
    return bytes;
}

// These numbers are on disk in every store. A library that computes others may not be linked.
TEST(Checksum, IsXxh3) {
    EXPECT_EQ(checksum64({}), 0x2d06800538d394c2U);
    EXPECT_EQ(checksum128({}).low, 0x6001c324468d497fU);
    EXPECT_EQ(checksum128({}).high, 0x99aa06d3014798d8U);
}

TEST(Checksum, StreamedEqualsWholeWhereverItIsCut) {
    const auto bytes = pattern(3000);
    const std::uint64_t whole = checksum64(bytes, 42);
    StreamingChecksum64 stream;
    for (std::size_t cut = 0; cut <= bytes.size(); cut += 97) {
        stream.reset(42);
        stream.update(ByteView{bytes}.first(cut));
        stream.update(ByteView{bytes}.subspan(cut));
        EXPECT_EQ(stream.value(), whole) << "cut at " << cut;
    }
}

TEST(Checksum, SeedAndSecretChangeIt) {
    const auto bytes = pattern(500);
    EXPECT_NE(checksum64(bytes, 1), checksum64(bytes, 2));
    const auto secret = pattern(192);
    auto other = secret;
    other[100] ^= std::byte{1};
    EXPECT_NE(checksum64_secret(bytes, secret), checksum64_secret(bytes, other));
}

TEST(Checksum, MixSpreadsNeighbours) {
    std::set<std::uint64_t> seen;
    for (std::uint64_t a = 0; a < 64; ++a) {
        for (std::uint64_t b = 0; b < 64; ++b) seen.insert(mix64(a, b));
    }
    EXPECT_EQ(seen.size(), 64U * 64U);
}

}  // namespace
}  // namespace orbitalreg
