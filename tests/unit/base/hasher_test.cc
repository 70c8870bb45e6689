#include "base/hasher.h"

#include "base/errors.h"

#include <gtest/gtest.h>

#include <vector>

namespace orbitalreg {
namespace {

class HasherOf : public testing::TestWithParam<DigestAlgorithm> {};

INSTANTIATE_TEST_SUITE_P(All, HasherOf,
                         testing::Values(DigestAlgorithm::sha256, DigestAlgorithm::sha512),
                         [](const auto& instance) {
                             return std::string{to_string(instance.param)};
                         });

std::vector<std::byte> pattern(std::size_t size) {
    std::vector<std::byte> bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 13 + 5);
    return bytes;
}

TEST_P(HasherOf, StateSavedAnywhereContinuesToTheSameDigest) {
    const auto bytes = pattern(520);
    const Digest whole = Digest::of(GetParam(), bytes);
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
        Hasher first{GetParam()};
        first.update(ByteView{bytes}.first(cut));
        auto second = Hasher::restore(first.save());
        ASSERT_TRUE(second) << "cut at " << cut;
        EXPECT_EQ(second.value().size_bytes(), cut);
        second.value().update(ByteView{bytes}.subspan(cut));
        ASSERT_EQ(second.value().digest(), whole) << "cut at " << cut;
    }
}

TEST_P(HasherOf, StateIsTheSameHoweverTheBytesArrived) {
    const auto bytes = pattern(333);
    Hasher whole{GetParam()};
    whole.update(bytes);
    Hasher pieces{GetParam()};
    for (std::size_t i = 0; i < bytes.size(); ++i) pieces.update(ByteView{bytes}.subspan(i, 1));
    EXPECT_EQ(whole.save(), pieces.save());
}

TEST_P(HasherOf, DigestCanBeAskedForInTheMiddle) {
    const auto bytes = pattern(300);
    Hasher hasher{GetParam()};
    hasher.update(ByteView{bytes}.first(100));
    EXPECT_EQ(hasher.digest(), Digest::of(GetParam(), ByteView{bytes}.first(100)));
    hasher.update(ByteView{bytes}.subspan(100));
    EXPECT_EQ(hasher.digest(), Digest::of(GetParam(), bytes));
}

// The count of bits passes 2^32 within sha256's low word.
TEST_P(HasherOf, CountsBeyondFourGibibytes) {
    Hasher hasher{GetParam()};
    auto state = hasher.save();
    const std::uint64_t size = std::uint64_t{3} << 32;  // a whole number of blocks
    store_le<std::uint64_t>(state.data() + 1, size);
    auto restored = Hasher::restore(state);
    ASSERT_TRUE(restored);
    EXPECT_EQ(restored.value().size_bytes(), size);
    restored.value().update(as_bytes("x"));
    EXPECT_EQ(restored.value().size_bytes(), size + 1);
    EXPECT_EQ(restored.value().save().size(), state.size() + 1);
}

TEST_P(HasherOf, RefusesStatesThatCannotBe) {
    Hasher hasher{GetParam()};
    hasher.update(pattern(70));
    const auto good = hasher.save();
    const auto refused = [](std::vector<std::byte> state) {
        const auto restored = Hasher::restore(state);
        return !restored && restored.error() == BaseErrc::hash_state_invalid;
    };
    for (std::size_t size = 0; size < good.size(); ++size) {
        EXPECT_TRUE(refused({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)}))
            << size << " bytes";
    }
    auto longer = good;
    longer.push_back(std::byte{0});
    EXPECT_TRUE(refused(longer));
    for (const int number : {0, 3, 255}) {
        auto other = good;
        other[0] = static_cast<std::byte>(number);
        EXPECT_TRUE(refused(other)) << "algorithm " << number;
    }
    auto huge = good;
    huge[8] = std::byte{0xff};
    EXPECT_TRUE(refused(huge));
}

TEST(Hasher, SelfTestPasses) { EXPECT_TRUE(Hasher::self_test()); }

}  // namespace
}  // namespace orbitalreg
