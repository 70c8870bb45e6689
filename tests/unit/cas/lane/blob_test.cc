// Blobs without a session: written in one go, read back, found again after a restart.

#include "format/lane_record.h"
#include "unit/cas/lane/lane_fixture.h"

namespace orbitalreg::cas {
namespace {

class LaneBlob : public SimulatedStore {};

// Sizes around every border: inline limit, page, chunk, descriptor.
TEST_F(LaneBlob, ComesBackAsItWent) {
    std::vector<Digest> digests;
    std::vector<std::size_t> sizes = {0, 1, 4095, 4096, 4097, 8192, 65535, 65536, 65537, 200'000};
    {
        auto life = live();
        for (const std::size_t size : sizes) {
            const auto bytes = content_of(size, size + 1);
            digests.push_back(life->put(bytes));
            const auto read = life->get(digests.back());
            ASSERT_TRUE(read) << size << ": " << read.error().message();
            EXPECT_EQ(read.value(), bytes) << size;
        }
    }
    cut_power();
    auto life = live();
    for (std::size_t i = 0; i < sizes.size(); ++i) {
        const auto read = life->get(digests[i]);
        ASSERT_TRUE(read) << sizes[i] << ": " << read.error().message();
        EXPECT_EQ(read.value(), content_of(sizes[i], sizes[i] + 1)) << sizes[i];
    }
}

TEST_F(LaneBlob, RangesAreReadFromTheirChunks) {
    auto life = live();
    const auto bytes = content_of(300'001, 7);
    const Digest digest = life->put(bytes);
    for (const auto& [begin, end] : std::vector<std::pair<std::size_t, std::size_t>>{
             {0, 1}, {65535, 65537}, {65536, 131072}, {299'999, 300'001}, {1, 300'000}}) {
        const auto read = life->get(digest, begin, end);
        ASSERT_TRUE(read);
        EXPECT_EQ(read.value(),
                  std::vector<std::byte>(bytes.begin() + static_cast<std::ptrdiff_t>(begin),
                                         bytes.begin() + static_cast<std::ptrdiff_t>(end)));
    }
}

// 448 sums are in the descriptor; this blob has 1 000, so it needs two table pages.
TEST_F(LaneBlob, SumsBeyondTheDescriptorAreInTablePages) {
    const auto bytes = content_of(999 * 65536 + 100, 3);
    sim::SimDisk large{sim::SimDiskMode::strict, 256_MiB};
    Digest digest;
    {
        auto life = std::make_unique<Life>(large, 1);
        ASSERT_TRUE(life->open(lane_options()));
        digest = life->put(bytes);
        const auto read = life->get(digest);
        ASSERT_TRUE(read) << read.error().message();
        EXPECT_TRUE(read.value() == bytes);
    }
    auto life = std::make_unique<Life>(large, 2);
    ASSERT_TRUE(life->open(lane_options()));
    const auto read = life->get(digest, 60'000'000, 60'000'100);
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_TRUE(std::equal(read.value().begin(), read.value().end(), bytes.begin() + 60'000'000));
}

TEST_F(LaneBlob, WhatIsNotInMemoryIsReadAheadOfInsideTheBlob) {
    constexpr std::uint64_t kSize = 9_MiB + 777;
    const auto bytes = content_of(kSize, 5);
    auto life = live();
    life->put(content_of(1_MiB, 6));
    const auto digest = life->put(bytes);
    life->put(content_of(1_MiB, 7));
    sim::SimFaults faults;
    faults.cache_miss = 0;
    life->io().set_faults(faults);
    ASSERT_EQ(life->get(digest).value(), bytes);
    EXPECT_TRUE(life->io().read_ahead().empty());

    faults.cache_miss = 1;
    life->io().set_faults(faults);
    ASSERT_EQ(life->get(digest).value(), bytes);
    const auto& ahead = life->io().read_ahead();
    ASSERT_GT(ahead.size(), 1U);
    for (std::size_t i = 1; i < ahead.size(); ++i)
        EXPECT_EQ(ahead[i].first, ahead[i - 1].first + ahead[i - 1].second);
    const std::uint64_t told = ahead.back().first + ahead.back().second - ahead.front().first;
    EXPECT_LT(told, kSize);
    EXPECT_EQ((kSize - told) % kChunkSize, 0U) << "to the last byte, from the end of a piece on";

    // A range of one chunk is no stream.
    const auto before = ahead.size();
    ASSERT_TRUE(life->get(digest, 3 * kChunkSize, 4 * kChunkSize));
    EXPECT_EQ(life->io().read_ahead().size(), before);
}

TEST_F(LaneBlob, AWrongDigestMakesNothingVisible) {
    auto life = live();
    const auto bytes = content_of(100'000, 1);
    Writer writer = life->begin();
    ASSERT_TRUE(life->write(writer, bytes));
    const auto info = life->finish(writer, sha256_of(content_of(10, 2)));
    ASSERT_FALSE(info);
    EXPECT_EQ(info.error(), Errc::digest_mismatch);
    EXPECT_FALSE(life->store->find(sha256_of(bytes)));
}

TEST_F(LaneBlob, TheSameBytesTwiceAreStoredOnce) {
    auto life = live();
    const auto bytes = content_of(100'000, 1);
    life->put(bytes);
    Writer writer = life->begin();
    ASSERT_TRUE(life->write(writer, bytes));
    const auto info = life->finish(writer, sha256_of(bytes));
    ASSERT_TRUE(info);
    EXPECT_TRUE(info.value().existed);
    EXPECT_EQ(life->store->stats().blobs, 1u);
}

TEST_F(LaneBlob, AnotherAlgorithmIsHashedFromTheStoredBytes) {
    auto life = live();
    for (const std::size_t size : {std::size_t{100}, std::size_t{250'000}}) {
        const auto bytes = content_of(size, 1);
        Writer writer = life->begin();
        ASSERT_TRUE(life->write(writer, bytes));
        const Digest digest = Digest::of(DigestAlgorithm::sha512, bytes);
        const auto info = life->finish(writer, digest);
        ASSERT_TRUE(info) << info.error().message();
        const auto read = life->get(digest);
        ASSERT_TRUE(read);
        EXPECT_EQ(read.value(), bytes);
    }
}

TEST_F(LaneBlob, AboveTheLimitIsRefused) {
    StoreOptions options = lane_options();
    options.blob_size_max_bytes = 10'000;
    auto life = live(options);
    Writer writer = life->begin();
    EXPECT_TRUE(life->write(writer, content_of(10'000, 1)));
    const auto more = life->write(writer, content_of(1, 1));
    ASSERT_FALSE(more);
    EXPECT_EQ(more.error(), Errc::blob_too_large);
    EXPECT_EQ(life->run(life->store->begin_blob(DigestAlgorithm::sha256, 10'001)).error(),
              Errc::blob_too_large);
}

TEST_F(LaneBlob, LanesInUseAreLimited) {
    StoreOptions options = lane_options();
    options.lanes_writing_max = 1;
    auto life = live(options);
    Writer first = life->begin();
    ASSERT_TRUE(life->write(first, content_of(100'000, 1)));
    Writer second = life->begin();
    const auto refused = life->write(second, content_of(100'000, 2));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error(), Errc::overloaded);
    first.reset();
    life->settle();
    EXPECT_TRUE(life->write(second, content_of(100'000, 2)));
}

TEST_F(LaneBlob, AHintThatWasWrongDoesNoHarm) {
    auto life = live();
    const auto bytes = content_of(10, 1);
    Writer writer = life->begin(1'000'000);
    ASSERT_TRUE(life->write(writer, bytes));
    ASSERT_TRUE(life->finish(writer, sha256_of(bytes)));
    EXPECT_EQ(life->get(sha256_of(bytes)).value(), bytes);
    Writer other = life->begin(10);
    const auto large = content_of(100'000, 2);
    ASSERT_TRUE(life->write(other, large));
    ASSERT_TRUE(life->finish(other, sha256_of(large)));
    EXPECT_EQ(life->get(sha256_of(large)).value(), large);
}

}  // namespace
}  // namespace orbitalreg::cas
