// What happens to blobs and uploads when the device fails, runs full or rots.

#include "format/lane_record.h"
#include "unit/cas/lane/lane_fixture.h"

namespace orbitalreg::cas {
namespace {

class LaneFault : public SimulatedStore {
public:
    // The file of the only lane that is longer than its header.
    sim::SimInodePtr written_lane() const {
        sim::SimInodePtr found;
        disk.visit([&](const std::string& path, sim::SimInode& file) {
            if (path.ends_with(".olane") && file.current.size() > kPageSize) {
                found = disk.find(path);
            }
        });
        return found;
    }
};

constexpr std::size_t kSize = 150'000;             // three chunks
constexpr std::uint64_t kPayload = 2 * kPageSize;  // of the first record of a lane
constexpr std::uint64_t kSecondChunk = kPayload + kChunkSize;

// One flipped bit: the chunk it is in is never served, the others are, and a new push heals the
// blob. REL-05.
TEST_F(LaneFault, ARottenChunkIsRefusedAndHealed) {
    auto life = live();
    const auto bytes = content_of(kSize, 1);
    const Digest digest = life->put(bytes);
    disk.flip_bit(*written_lane(), kSecondChunk + 77, 2);
    const auto sound = life->get(digest, 0, kChunkSize);
    ASSERT_TRUE(sound);
    auto reader = life->store->open_blob(digest);
    ASSERT_TRUE(reader);
    const auto piece = life->run(reader.value()->read(kChunkSize, 10));
    ASSERT_FALSE(piece);
    EXPECT_EQ(piece.error(), Errc::blob_damaged);
    life->settle();
    ASSERT_TRUE(life->store->find(digest));
    EXPECT_TRUE(life->store->find(digest)->damaged);
    EXPECT_EQ(life->store->open_blob(digest).error(), Errc::blob_not_found);
    reader = fail(Errc::stopped);
    life->put(bytes);
    EXPECT_FALSE(life->store->find(digest)->damaged);
    EXPECT_EQ(life->get(digest).value(), bytes);
}

TEST_F(LaneFault, ARottenDescriptorIsDamageToo) {
    Digest digest;
    {
        auto life = live();
        digest = life->put(content_of(kSize, 1));
    }
    disk.flip_bit(*written_lane(), descriptor_page_number(1, kSize) * kPageSize + 600, 0);
    auto life = live();
    EXPECT_EQ(life->get(digest).error(), Errc::blob_damaged);
}

// Valid bytes of another chunk of the same blob fail: the seed binds the position.
TEST_F(LaneFault, AMisplacedChunkIsRefused) {
    auto life = live();
    const Digest digest = life->put(content_of(kSize, 1));
    auto& content = written_lane()->current;
    std::copy_n(content.begin() + kPayload, kChunkSize,
                content.begin() + static_cast<std::ptrdiff_t>(kSecondChunk));
    EXPECT_EQ(life->get(digest, kChunkSize, kChunkSize + 1).error(), Errc::blob_damaged);
}

// A device that fails is no damage: nothing is marked, and when it is back so is the blob.
TEST_F(LaneFault, AFailingDeviceIsNoDamage) {
    auto life = live();
    const auto bytes = content_of(kSize, 1);
    const Digest digest = life->put(bytes);
    life->io().set_faults({.read_error = 1});
    EXPECT_EQ(life->get(digest).error(), Errc::io_error);
    life->io().set_faults({});
    EXPECT_FALSE(life->store->find(digest)->damaged);
    EXPECT_EQ(life->get(digest).value(), bytes);
}

TEST_F(LaneFault, AFullDiskParksTheUploadAtItsMark) {
    auto life = live();
    const auto bytes = content_of(500'000, 1);
    Writer writer = life->resume(session_of(1));
    ASSERT_TRUE(life->write(writer, ByteView{bytes}.first(100'000)));
    ASSERT_TRUE(life->mark(writer));
    disk.set_full(true);
    const auto refused = life->write(writer, ByteView{bytes}.subspan(100'000));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error(), Errc::no_space);
    writer.reset();
    life->settle();
    EXPECT_EQ(life->store->upload_status(session_of(1).session).offset, 100'000u);
    disk.set_full(false);
    writer = life->resume(session_of(1));
    ASSERT_NE(writer, nullptr);
    ASSERT_TRUE(life->write(writer, ByteView{bytes}.subspan(100'000)));
    ASSERT_TRUE(life->finish(writer, sha256_of(bytes)));
    EXPECT_EQ(life->get(sha256_of(bytes)).value(), bytes);
}

// After a failed sync nothing is acknowledged, the lane is never written to again, and its sound
// blobs stay.
TEST_F(LaneFault, AFailedSyncPoisonsTheLane) {
    const auto bytes = content_of(kSize, 1);
    const auto lost = content_of(kSize, 2);
    {
        auto life = live();
        life->put(bytes);
        Writer writer = life->begin();
        ASSERT_TRUE(life->write(writer, lost));
        life->io().set_faults({.sync_error = 1});
        const auto info = life->finish(writer, sha256_of(lost));
        ASSERT_FALSE(info);
        EXPECT_EQ(info.error(), Errc::io_error);
        life->io().set_faults({});
        life->settle();
        EXPECT_FALSE(life->store->find(sha256_of(lost)));
        EXPECT_EQ(life->get(sha256_of(bytes)).value(), bytes);
        life->put(lost);
        EXPECT_EQ(life->get(sha256_of(lost)).value(), lost);
    }
    cut_power();
    auto life = live();
    EXPECT_EQ(life->get(sha256_of(bytes)).value(), bytes);
    EXPECT_EQ(life->get(sha256_of(lost)).value(), lost);
}

// The bytes of the open chunk are compared with the sum made from the socket before the upload goes
// on.
TEST_F(LaneFault, AnUploadWhoseOpenChunkRottedDoesNotGoOn) {
    {
        auto life = live();
        Writer writer = life->resume(session_of(1));
        ASSERT_TRUE(life->write(writer, content_of(100'000, 1)));
        ASSERT_TRUE(life->mark(writer));
        writer.reset();
    }
    disk.flip_bit(*written_lane(), kSecondChunk + 100, 1);
    auto life = live();
    EXPECT_EQ(life->resume_error(session_of(1)), Errc::io_error);
    EXPECT_TRUE(life->run(life->store->cancel_upload(session_of(1))));
}

// A rehash verifies the sums before it hashes: rot does not become a digest.
TEST_F(LaneFault, ARehashRefusesRottenBytes) {
    auto life = live();
    auto bytes = content_of(300'000, 1);
    Writer writer = life->resume(session_of(1));
    ASSERT_TRUE(life->write(writer, bytes));
    ASSERT_TRUE(life->mark(writer));
    disk.flip_bit(*written_lane(), kPayload + 10, 0);
    bytes[10] ^= std::byte{1};
    EXPECT_EQ(life->finish(writer, Digest::of(DigestAlgorithm::sha512, bytes)).error(),
              Errc::io_error);
}

TEST_F(LaneFault, AMissingLaneDoesNotStopTheStore) {
    const auto bytes = content_of(kSize, 1);
    {
        auto life = live();
        life->put(bytes);
        Writer writer = life->resume(session_of(1));
        ASSERT_TRUE(life->write(writer, bytes));
        ASSERT_TRUE(life->mark(writer));
        writer.reset();
        life->stop();
    }
    std::vector<std::string> lanes;
    disk.visit([&](const std::string& path, sim::SimInode&) {
        if (path.ends_with(".olane")) lanes.push_back(path);
    });
    for (const std::string& lane : lanes) disk.remove(disk.place(lane));
    auto life = live();
    EXPECT_EQ(life->get(sha256_of(bytes)).error(), Errc::io_error);
    EXPECT_EQ(life->resume_error(session_of(1)), Errc::io_error);
    const auto other = content_of(kSize, 2);
    life->put(other);
    EXPECT_EQ(life->get(sha256_of(other)).value(), other);
}

// Goal: no offset of a lane is handed out twice. Method: uploads that end in every way, one after
// the other and over restarts; every blob that was acknowledged must still be as it was.
TEST_F(LaneFault, NothingIsOverwrittenHoweverUploadsEnd) {
    std::vector<std::pair<Digest, std::vector<std::byte>>> kept;
    std::uint8_t session = 1;
    sim::SimRandom random{11};
    for (int round = 0; round < 12; ++round) {
        auto life = live();
        for (int i = 0; i < 8; ++i) {
            const auto bytes = content_of(5000 + random.below(200'000), random.draw());
            Writer writer = random.coin() ? life->begin() : life->resume(session_of(session++));
            ASSERT_NE(writer, nullptr);
            ASSERT_TRUE(life->write(writer, bytes));
            switch (random.below(4)) {
                case 0:
                    writer.reset();
                    break;
                case 1:
                    ASSERT_TRUE(life->run(writer->cancel()));
                    writer.reset();
                    break;
                default:
                    ASSERT_TRUE(life->finish(writer, sha256_of(bytes)));
                    kept.emplace_back(sha256_of(bytes), bytes);
            }
        }
        for (const auto& [digest, bytes] : kept) ASSERT_EQ(life->get(digest).value(), bytes);
        const bool clean = random.coin();
        if (clean) life->stop();
        life.reset();
        if (!clean) cut_power();
    }
}

}  // namespace
}  // namespace orbitalreg::cas
