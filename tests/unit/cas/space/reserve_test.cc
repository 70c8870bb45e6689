// A full file system: new content is refused, what needs little goes on, and room brings the pushes back. REL-09.

#include "unit/cas/lane/lane_fixture.h"

namespace orbitalreg::cas {
namespace {

class FullDisk : public SimulatedStore {
public:
    static constexpr std::size_t kBlobSize = 1_MiB;

    static StoreOptions options() {
        StoreOptions options = lane_options();
        options.reserve_size_bytes = 12_MiB;
        return options;
    }

    // Pushes until one is refused; returns the digests that were acknowledged.
    std::vector<Digest> fill(Life& life) {
        std::vector<Digest> stored;
        for (std::uint64_t n = 1; n < 200; ++n) {
            const auto bytes = content_of(kBlobSize, n);
            auto writer = life.run(life.store->begin_blob(DigestAlgorithm::sha256, kBlobSize));
            if (!writer) {
                EXPECT_EQ(writer.error(), ErrorCode{Errc::no_space});
                return stored;
            }
            EXPECT_TRUE(life.write(writer.value(), bytes));
            EXPECT_TRUE(life.finish(writer.value(), sha256_of(bytes)));
            stored.push_back(sha256_of(bytes));
            life.pass_ms(200);  // what was known of the space is old by now
        }
        ADD_FAILURE() << "the disk never filled";
        return stored;
    }
    void remove_all() {
        std::vector<std::string> paths;
        disk.visit([&](const std::string& path, sim::SimInode&) { paths.push_back(path); });
        for (const std::string& path : paths) disk.remove(disk.place(path));
    }
    static Change record_of(std::size_t size) {
        Change change;
        change.records.push_back({1, {std::byte{1}}, content_of(size, size)});
        return change;
    }
};

TEST_F(FullDisk, RefusesPushesAndGoesOnCommitting) {
    auto life = live(options());
    const auto stored = fill(*life);
    ASSERT_GT(stored.size(), 5u);
    EXPECT_NE(disk.find("reserve.bin"), nullptr);
    Change content;
    content.blobs.push_back({sha256_of(content_of(10, 1)), content_of(10, 1)});
    EXPECT_EQ(life->run(life->store->submit(std::move(content))).error(),
              ErrorCode{Errc::no_space});
    // More than the headroom of two segments of 4 MiB and the spare: the reserve is what it takes.
    for (int i = 0; i < 70; ++i) {
        const auto committed = life->run(life->store->submit(record_of(256_KiB)));
        ASSERT_TRUE(committed) << i << ": " << committed.error().message();
    }
    EXPECT_EQ(disk.find("reserve.bin"), nullptr);
    for (const Digest& digest : stored) EXPECT_TRUE(life->get(digest));
    EXPECT_FALSE(life->store->stats().read_only);
}

TEST_F(FullDisk, TakesPushesAgainWhenThereIsRoom) {
    auto life = live(options());
    fill(*life);
    disk.set_full(true);
    for (int i = 0; i < 30; ++i) {
        if (!life->run(life->store->submit(record_of(256_KiB)))) break;
    }
    EXPECT_EQ(disk.find("reserve.bin"), nullptr);
    disk.set_full(false);
    // Somebody else's files leave.
    std::vector<std::string> lanes;
    disk.visit([&](const std::string& path, sim::SimInode&) {
        if (path.ends_with(".olane")) lanes.push_back(path);
    });
    for (std::size_t i = 0; i + 2 < lanes.size(); ++i) disk.remove(disk.place(lanes[i]));
    life->pass_ms(200);
    static_cast<void>(life->run(life->store->begin_blob(DigestAlgorithm::sha256, kBlobSize)));
    life->settle();
    life->pass_ms(200);
    EXPECT_NE(disk.find("reserve.bin"), nullptr);
    life->put(content_of(kBlobSize, 1000));
}

// Wherever in its segment the log ends: the next start needs room for a segment when it ends at the end.
TEST_F(FullDisk, OpensOnItsReserve) {
    StoreOptions small = options();
    small.log_segment_size_bytes = 256_KiB;
    small.segments_spare = 0;
    small.lanes_spare = 0;
    std::size_t given_up = 0;
    for (int frames = 41; frames < 48; ++frames) {
        remove_all();
        {
            auto life = live(small);
            for (int i = 0; i < frames; ++i) {
                ASSERT_TRUE(life->run(life->store->submit(record_of(100))));
            }
            life->io().kill();
        }
        disk.release_locks();
        const auto ballast = disk.create(disk.place("ballast"), false);
        ASSERT_TRUE(disk.allocate(*ballast, 0, disk.capacity_bytes() - disk.used_bytes()));
        auto life = live(small);
        ASSERT_TRUE(life->run(life->store->submit(record_of(100)))) << frames;
        if (disk.find("reserve.bin") == nullptr) ++given_up;
        EXPECT_FALSE(life->store->stats().read_only);
    }
    EXPECT_GT(given_up, 0u);
}

TEST_F(FullDisk, KeepsItsFileBetweenRuns) {
    live(options())->stop();
    const auto before = disk.find("reserve.bin");
    ASSERT_NE(before, nullptr);
    EXPECT_EQ(before->current.size(), 12_MiB);
    live(options())->stop();
    EXPECT_EQ(disk.find("reserve.bin"), before);
}

}  // namespace
}  // namespace orbitalreg::cas
