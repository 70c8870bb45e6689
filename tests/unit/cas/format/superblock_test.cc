#include "format/superblock.h"

#include "cas/errors.h"
#include "format/page_buffer.h"

#include <gtest/gtest.h>

namespace orbitalreg::cas {
namespace {

Superblock sample() {
    Superblock s;
    s.sequence = 7;
    s.previous_checksum = {11, 12};
    s.uuid.fill(std::byte{0x5a});
    s.compat_features = 0;
    s.secret.fill(std::byte{0x33});
    s.clean_lsn = 42;
    s.log_end_lsn = 43;
    s.segment_size_pages = 1024;
    s.lane_target_pages = 2048;
    s.incarnation = 0x1122334455667788;
    return s;
}

PageBuffer all_copies(const Superblock& s) {
    PageBuffer pages{kSuperblockFileSize};
    for (unsigned copy = 0; copy < kSuperblockCopies; ++copy) {
        encode_superblock(s, copy, pages.subspan(copy * kPageSize, kPageSize));
    }
    return pages;
}

TEST(Superblock, RoundTrip) {
    Superblock s = sample();
    s.checkpoint_id = 1;
    s.checkpoint_lsn = 2;
    s.replay_segment = 3;
    s.replay_page = 4;
    s.checkpoint_frame_checksum = 5;
    s.checkpoint_size_bytes = 6;
    s.checkpoint_footer_checksum = {8, 9};
    s.compat_features = 1;
    s.ro_compat_features = 2;
    s.incompat_features = 4;
    const PageBuffer page{kPageSize};
    encode_superblock(s, 2, page.bytes());
    const auto decoded = decode_superblock(page.bytes(), 2);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded.value(), s);
}

TEST(Superblock, RefusesEveryFlippedBit) {
    const PageBuffer page{kPageSize};
    encode_superblock(sample(), 1, page.bytes());
    for (std::size_t bit = 0; bit < kPageSize * 8; ++bit) {
        page.data()[bit / 8] ^= std::byte{1} << (bit % 8);
        const auto decoded = decode_superblock(page.bytes(), 1);
        ASSERT_FALSE(decoded) << "bit " << bit;
        ASSERT_EQ(decoded.error(), make_error_code(Errc::bad_format));
        page.data()[bit / 8] ^= std::byte{1} << (bit % 8);
    }
}

TEST(Superblock, RefusesACopyInAnotherPlace) {
    const PageBuffer page{kPageSize};
    encode_superblock(sample(), 1, page.bytes());
    EXPECT_FALSE(decode_superblock(page.bytes(), 0));
    EXPECT_FALSE(decode_superblock(page.first(kPageSize - 1), 1));
}

TEST(Superblock, TheHighestSequenceWins) {
    const PageBuffer pages = all_copies(sample());
    Superblock newer = sample();
    newer.sequence = 8;
    newer.clean_lsn = 0;
    const Checksum128 checksum =
        encode_superblock(newer, 2, pages.subspan(2 * kPageSize, kPageSize));
    const auto chosen = choose_superblock(pages.bytes());
    ASSERT_TRUE(chosen);
    EXPECT_EQ(chosen.value().superblock, newer);
    EXPECT_EQ(chosen.value().checksum, checksum);
}

TEST(Superblock, OneValidCopySuffices) {
    const PageBuffer pages = all_copies(sample());
    for (unsigned copy = 0; copy < 3; ++copy) pages.data()[copy * kPageSize + 100] ^= std::byte{1};
    const auto chosen = choose_superblock(pages.bytes());
    ASSERT_TRUE(chosen);
    EXPECT_EQ(chosen.value().superblock, sample());
    EXPECT_FALSE(chosen.value().copies[0]);
    EXPECT_TRUE(chosen.value().copies[3]);
    pages.data()[3 * kPageSize + 100] ^= std::byte{1};
    EXPECT_EQ(choose_superblock(pages.bytes()).error(), make_error_code(Errc::superblock_corrupt));
}

TEST(Superblock, RefusesCopiesOfDifferentStores) {
    const PageBuffer pages = all_copies(sample());
    Superblock other = sample();
    other.uuid[0] = std::byte{1};
    encode_superblock(other, 3, pages.subspan(3 * kPageSize, kPageSize));
    EXPECT_EQ(choose_superblock(pages.bytes()).error(), make_error_code(Errc::wrong_store));
}

TEST(Superblock, RefusesWhatItDoesNotKnow) {
    EXPECT_TRUE(check_superblock_supported(sample(), true));
    const auto error_of = [](auto change, bool for_writing) {
        Superblock s = sample();
        change(s);
        const auto checked = check_superblock_supported(s, for_writing);
        return checked ? ErrorCode{} : checked.error();
    };
    const ErrorCode unsupported = Errc::version_unsupported;
    EXPECT_EQ(error_of([](Superblock& s) { s.format_version = 2; }, false), unsupported);
    EXPECT_EQ(error_of([](Superblock& s) { s.incompat_features = 1; }, false), unsupported);
    EXPECT_EQ(error_of([](Superblock& s) { s.ro_compat_features = 1; }, true), unsupported);
    EXPECT_EQ(error_of([](Superblock& s) { s.ro_compat_features = 1; }, false), ErrorCode{});
    EXPECT_EQ(error_of([](Superblock& s) { s.compat_features = 1; }, true), ErrorCode{});
    const ErrorCode bad = Errc::bad_format;
    EXPECT_EQ(error_of([](Superblock& s) { s.page_size = 8192; }, true), bad);
    EXPECT_EQ(error_of([](Superblock& s) { s.segment_size_pages = 15; }, true), bad);
    EXPECT_EQ(error_of([](Superblock& s) { s.incarnation = 0; }, true), bad);
    EXPECT_EQ(error_of([](Superblock& s) { s.replay_segment = 2; }, true), bad);
    EXPECT_EQ(error_of([](Superblock& s) { s.checkpoint_id = 1; }, true), bad);
    const auto with_checkpoint = [](Superblock& s) {
        s.checkpoint_id = 1;
        s.checkpoint_lsn = 9;
        s.replay_segment = 2;
        s.replay_page = 5;
        s.checkpoint_size_bytes = 3 * kPageSize;
    };
    EXPECT_EQ(error_of(with_checkpoint, true), ErrorCode{});
    EXPECT_EQ(error_of(
                  [&](Superblock& s) {
                      with_checkpoint(s);
                      s.replay_page = s.segment_size_pages;
                  },
                  true),
              bad);
}

}  // namespace
}  // namespace orbitalreg::cas
