// The scrub: what it finds, what it marks and clears, where it goes on, and when it stops marking.

#include "format/lane_record.h"
#include "scrub/damage_marks.h"
#include "scrub/scrub_window.h"
#include "unit/cas/scrub/scrub_fixture.h"

namespace orbitalreg::cas {
namespace {

constexpr std::size_t kLarge = 200'000;
constexpr std::size_t kSmall = 1000;

class ScrubPass : public ScrubbedStore {
public:
    // A blob in a lane and one in the log, their places known, the store open again.
    std::unique_ptr<Life> opened() {
        {
            auto life = live();
            large = life->put(content_of(kLarge, 1));
            small = life->put(content_of(kSmall, 2));
            life->stop();
        }
        const auto all = places();
        large_at = all.at(large.to_string());
        small_at = all.at(small.to_string());
        return live();
    }
    bool damaged(Life& life, const Digest& digest) const {
        return life.store->find(digest)->damaged;
    }

    Digest large;
    Digest small;
    BlobPlace large_at;
    BlobPlace small_at;
};

TEST_F(ScrubPass, ReadsEverythingOfASoundStore) {
    auto life = opened();
    const ScrubStatus done = scrub(*life, true);
    EXPECT_EQ(done.blobs, 2u);
    EXPECT_EQ(done.bytes, kLarge + kSmall);
    EXPECT_EQ(done.full_pass, done.pass);
    EXPECT_EQ(done.damaged + done.unreadable + done.headers_damaged, 0u);
    EXPECT_FALSE(done.running);
}

TEST_F(ScrubPass, MarksWhatIsRottenAndAPushHeals) {
    auto life = opened();
    flip(large_at.file, large_at.offset + 70'000);
    flip(small_at.file, small_at.offset + 999);
    EXPECT_EQ(scrub(*life).damaged, 2u);
    for (const Digest& digest : {large, small}) {
        EXPECT_TRUE(damaged(*life, digest));
        EXPECT_EQ(life->get(digest).error(), ErrorCode{Errc::blob_not_found});
    }
    life->put(content_of(kLarge, 1));
    life->put(content_of(kSmall, 2));
    EXPECT_EQ(life->get(large).value(), content_of(kLarge, 1));
    EXPECT_EQ(life->get(small).value(), content_of(kSmall, 2));
    const ScrubStatus again = scrub(*life);
    EXPECT_EQ(again.damaged, 2u);  // since the opening: no more of them
    EXPECT_EQ(again.blobs, 2u);
}

TEST_F(ScrubPass, ADescriptorIsPartOfTheBlobAndAHeaderIsNot) {
    auto life = opened();
    flip(large_at.file, large_at.offset - 100);
    ScrubStatus done = scrub(*life);
    EXPECT_EQ(done.headers_damaged, 1u);
    EXPECT_EQ(done.damaged, 0u);
    EXPECT_EQ(life->get(large).value(), content_of(kLarge, 1));
    const std::uint64_t payload = payload_pages(kLarge) * kPageSize;
    flip(large_at.file, large_at.offset + payload + 700);
    done = scrub(*life);
    EXPECT_EQ(done.damaged, 1u);
    EXPECT_TRUE(damaged(*life, large));
}

TEST_F(ScrubPass, ClearsAMarkWhoseBytesVerifyAgain) {
    auto life = opened();
    flip(large_at.file, large_at.offset);
    scrub(*life);
    ASSERT_TRUE(damaged(*life, large));
    flip(large_at.file, large_at.offset);
    EXPECT_EQ(scrub(*life).cleared, 1u);
    EXPECT_FALSE(damaged(*life, large));
    EXPECT_EQ(life->get(large).value(), content_of(kLarge, 1));
    life->stop();
    life.reset();
    life = live();  // and the frame says so too
    EXPECT_FALSE(damaged(*life, large));
}

// REL-10: what the device refuses to read is no damage.
TEST_F(ScrubPass, NeverMarksWhatCannotBeRead) {
    auto life = opened();
    life->io().set_faults({.read_error = 1});
    const ScrubStatus done = scrub(*life);
    EXPECT_EQ(done.unreadable, 2u);
    EXPECT_EQ(done.damaged, 0u);
    EXPECT_FALSE(damaged(*life, large));
    EXPECT_FALSE(damaged(*life, small));
}

TEST_F(ScrubPass, GoesOnWhereTheLastLifeStopped) {
    StoreOptions options = lane_options();
    options.scrub_rate_bytes = 1_MiB;
    options.scrub_position_every_ms = 1;
    {
        auto life = live();
        for (std::uint64_t i = 0; i < 20; ++i) life->put(content_of(kLarge, i));
        life->stop();
    }
    std::uint64_t first = 0;
    {
        auto life = live(options);
        const bool some =
            life->scheduler().run_until([&] { return status(*life).blobs >= 5; }, kStepsMax);
        ASSERT_TRUE(some);
        life->stop();
        first = status(*life).blobs;
        EXPECT_LT(first, 20u);
        EXPECT_EQ(status(*life).pass, 1u);
    }
    auto life = live(options);
    EXPECT_EQ(status(*life).blobs, first);
    const bool through =
        life->scheduler().run_until([&] { return status(*life).full_pass == 1; }, kStepsMax);
    EXPECT_TRUE(through);
    EXPECT_EQ(status(*life).blobs, 20u);
}

TEST_F(ScrubPass, KeepsToItsRate) {
    StoreOptions options = lane_options();
    options.scrub_rate_bytes = 1_MiB;
    {
        auto life = live();
        for (std::uint64_t i = 0; i < 20; ++i) life->put(content_of(kLarge, i));
        life->stop();
    }
    auto life = live(options);
    const std::int64_t begun_ns = life->scheduler().now_ns();
    ASSERT_TRUE(
        life->scheduler().run_until([&] { return status(*life).full_pass == 1; }, kStepsMax));
    const double seconds = static_cast<double>(life->scheduler().now_ns() - begun_ns) / 1e9;
    const double wanted = 20.0 * kLarge / static_cast<double>(1_MiB);
    EXPECT_GT(seconds, wanted * 0.9);
    EXPECT_LT(seconds, wanted * 1.5);
}

// A pulled cable must not condemn a store.
TEST_F(ScrubPass, StopsMarkingInAStorm) {
    StoreOptions options = lane_options();
    options.damage_marks_per_minute_max = 3;
    std::vector<Digest> digests;
    {
        auto life = live();
        for (std::uint64_t i = 0; i < 6; ++i) digests.push_back(life->put(content_of(10'000, i)));
        life->stop();
    }
    const auto all = places();
    auto life = live(options);
    for (const Digest& digest : digests) {
        const BlobPlace& at = all.at(digest.to_string());
        flip(at.file, at.offset + 5);
    }
    const ScrubStatus done = scrub(*life);
    EXPECT_EQ(done.damaged, 6u);
    EXPECT_TRUE(done.damage_storm);
    EXPECT_TRUE(life->store->stats().damage_storm);
    EXPECT_EQ(life->store->stats().damaged_blobs, 3u);
    for (const Digest& digest : digests)
        EXPECT_FALSE(life->get(digest));  // never served, marked or not
    life->store->scrubber().resume_marking();
    scrub(*life);
    EXPECT_FALSE(status(*life).damage_storm);
    EXPECT_EQ(life->store->stats().damaged_blobs, 6u);
}

TEST(ScrubWindow, TakesTheNextExtentsInOrder) {
    ScrubWindow window{{false, 2, 5}, 3};
    const auto add = [&](bool in_lane, std::uint32_t file, std::uint32_t position) {
        BlobView blob;
        blob.extent = {in_lane, file, position, 10, 1};
        window.add(blob);
    };
    for (std::uint32_t position = 20; position > 0; --position) {
        add(false, 1, position);
        add(true, 2, position);
        add(true, 1, position);
    }
    const auto next = window.take();
    ASSERT_EQ(next.size(), 3u);
    for (std::uint32_t i = 0; i < 3; ++i) EXPECT_EQ(next[i].place, (ScrubPlace{false, 2, 5 + i}));
    ScrubWindow rest{{true, 0, 0}, 3};
    BlobView small;
    small.extent = {false, 1, 7, 10, 1};
    rest.add(small);
    EXPECT_EQ(rest.take().size(), 1u);
}

TEST(ScrubState, IsARowOfACheckpoint) {
    ScrubPosition position;
    position.pass = 7;
    position.running = true;
    position.place = {true, 3, 4};
    position.full_pass = 6;
    ScrubState state;
    ScrubTable table{state};
    table.begin_walk();
    RowBatch none;
    EXPECT_FALSE(table.walk(none, 10, 1000));
    EXPECT_EQ(none.rows(), 0u);
    state.apply(encode_record(position).body);
    table.begin_walk();
    ScrubPosition later = position;
    later.pass = 8;
    state.apply(encode_record(later).body);
    RowBatch rows;
    EXPECT_FALSE(table.walk(rows, 10, 1000));
    table.end_walk();
    ASSERT_EQ(rows.rows(), 1u);
    ScrubState loaded;
    ScrubTable other{loaded};
    ASSERT_TRUE(other.load(encode_record(position).body));
    EXPECT_EQ(loaded.position(), position);
    EXPECT_EQ(state.position(), later);
}

}  // namespace
}  // namespace orbitalreg::cas
