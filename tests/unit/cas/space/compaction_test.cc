// Dead bytes go back to the file system, live ones stay: on a simulated disk, with a round of compaction when the test
// asks for one.

#include "format/lane_record.h"
#include "unit/cas/lane/lane_fixture.h"

namespace orbitalreg::cas {
namespace {

constexpr std::size_t kSize = 200'000;

class Compaction : public SimulatedStore {
public:
    static StoreOptions options() {
        StoreOptions options = lane_options();
        options.compaction_interval_ms = 0;
        options.punch_slice_bytes = 64_KiB;
        options.punch_slack_bytes = 0;
        options.damaged_keep_ms = 0;
        options.reserve_size_bytes = 1_MiB;
        return options;
    }

    static Awaitable<Result<CompactionReport>> round(Store& store) {
        co_return co_await store.compact();
    }
    static CompactionReport compact(Life& life) {
        life.pass_ms(2000);  // what was damaged is kept for a moment: times are whole seconds
        const auto report = life.run(round(*life.store));
        EXPECT_TRUE(report);
        return report ? report.value() : CompactionReport{};
    }

    std::vector<std::pair<std::string, sim::SimInodePtr>> lanes() const {
        std::vector<std::pair<std::string, sim::SimInodePtr>> found;
        disk.visit([&](const std::string& path, sim::SimInode& file) {
            if (path.ends_with(".olane") && file.current.size() > kPageSize)
                found.emplace_back(path, disk.find(path));
        });
        return found;
    }
    std::uint64_t allocated() const {
        std::uint64_t pages = 0;
        for (const auto& [path, lane] : lanes()) {
            pages += static_cast<std::uint64_t>(std::ranges::count(lane->allocated, true));
        }
        return pages * kPageSize;
    }
    // The stored bytes fail their sums, a client notices, and pushes them again.
    void replace(Life& life, const std::vector<std::byte>& bytes) {
        const Digest digest = sha256_of(bytes);
        damage(life, bytes);
        life.put(bytes);
        ASSERT_TRUE(life.store->find(digest));
        EXPECT_FALSE(life.store->find(digest)->damaged);
        EXPECT_EQ(life.get(digest).value(), bytes);
    }
    void damage(Life& life, const std::vector<std::byte>& bytes) {
        const Digest digest = sha256_of(bytes);
        for (const auto& [path, lane] : lanes()) {
            const auto at = std::search(lane->current.begin(), lane->current.end(),
                                        bytes.begin() + 9000, bytes.begin() + 9100);
            if (at != lane->current.end())
                disk.flip_bit(*lane, static_cast<std::uint64_t>(at - lane->current.begin()), 1);
        }
        EXPECT_EQ(life.get(digest).error(), Errc::blob_damaged);
        life.settle();
    }
    static std::uint64_t record_bytes(std::uint64_t size = kSize) {
        return record_pages(size) * kPageSize;
    }
};

TEST_F(Compaction, ACancelledUploadsBytesGoBack) {
    auto life = live(options());
    const auto kept = content_of(kSize, 1);
    life->put(kept);
    Writer writer = life->resume(session_of(1));
    ASSERT_TRUE(life->write(writer, content_of(kSize, 2)));
    ASSERT_TRUE(life->run(writer->cancel()));
    writer.reset();
    const auto last = content_of(kSize, 3);
    life->put(last);
    const std::uint64_t before = allocated();
    const CompactionReport report = compact(*life);
    EXPECT_EQ(report.lanes_refused, 0U);
    EXPECT_GT(report.bytes_punched, kSize);
    EXPECT_LE(allocated() + kSize, before);
    EXPECT_EQ(life->get(sha256_of(kept)).value(), kept);
    EXPECT_EQ(life->get(sha256_of(last)).value(), last);
    EXPECT_EQ(compact(*life).bytes_punched, 0U);
}

TEST_F(Compaction, AWrongDigestLeavesNothingBehind) {
    auto life = live(options());
    Writer writer = life->begin();
    ASSERT_TRUE(life->write(writer, content_of(kSize, 2)));
    EXPECT_EQ(life->finish(writer, sha256_of(content_of(10, 1))).error(), Errc::digest_mismatch);
    const CompactionReport report = compact(*life);
    EXPECT_GE(report.bytes_punched, kSize);
}

TEST_F(Compaction, AReplacedExtentGoesBackAndTheNewOneStays) {
    auto life = live(options());
    const auto bytes = content_of(kSize, 1);
    const auto other = content_of(kSize, 2);
    life->put(bytes);
    life->put(other);
    replace(*life, bytes);
    const CompactionReport report = compact(*life);
    EXPECT_EQ(report.bytes_punched, record_bytes());
    EXPECT_EQ(life->get(sha256_of(bytes)).value(), bytes);
    EXPECT_EQ(life->get(sha256_of(other)).value(), other);
}

TEST_F(Compaction, APinnedExtentWaitsForItsReader) {
    auto life = live(options());
    const auto bytes = content_of(kSize, 1);
    life->put(bytes);
    auto reader = life->store->open_blob(sha256_of(bytes));
    ASSERT_TRUE(reader);
    replace(*life, bytes);
    const CompactionReport first = compact(*life);
    EXPECT_EQ(first.bytes_punched, 0U);
    EXPECT_EQ(first.lanes_deferred, 1U);
    // The chunks behind the damaged one are still served.
    EXPECT_TRUE(life->run(reader.value()->read(kSize - 10, 10)));
    reader = fail(Errc::stopped);
    EXPECT_EQ(compact(*life).bytes_punched, record_bytes());
}

TEST_F(Compaction, ALaneWithAnotherNameWaits) {
    auto life = live(options());
    const auto bytes = content_of(kSize, 1);
    life->put(bytes);
    replace(*life, bytes);
    for (const auto& [path, lane] : lanes()) lane->links = 2;
    const CompactionReport first = compact(*life);
    EXPECT_EQ(first.bytes_punched, 0U);
    EXPECT_EQ(first.lanes_deferred, 1U);
    for (const auto& [path, lane] : lanes()) lane->links = 1;
    EXPECT_EQ(compact(*life).bytes_punched, record_bytes());
}

TEST_F(Compaction, AnOpenUploadKeepsItsBytes) {
    const auto bytes = content_of(3 * kSize, 1);
    const auto kept = content_of(kSize, 2);
    {
        auto life = live(options());
        life->put(kept);
        Writer writer = life->resume(session_of(1));
        ASSERT_TRUE(life->write(writer, ByteView{bytes}.first(2 * kSize)));
        EXPECT_EQ(life->mark(writer).value(), 2 * kSize);
        EXPECT_EQ(compact(*life).lanes_refused, 0U);
        writer.reset();
        replace(*life, kept);
        compact(*life);
    }
    auto life = live(options());
    compact(*life);
    Writer writer = life->resume(session_of(1));
    EXPECT_EQ(writer->offset(), 2 * kSize);
    compact(*life);
    ASSERT_TRUE(life->write(writer, ByteView{bytes}.subspan(2 * kSize)));
    compact(*life);
    ASSERT_TRUE(life->finish(writer, sha256_of(bytes)));
    compact(*life);
    EXPECT_EQ(life->get(sha256_of(bytes)).value(), bytes);
    EXPECT_EQ(life->get(sha256_of(kept)).value(), kept);
}

TEST_F(Compaction, AParkedUploadGivesBackWhatWasAllocatedAhead) {
    auto life = live(options());
    Writer writer = life->resume(session_of(1));
    ASSERT_TRUE(life->write(writer, content_of(100'000, 1)));
    ASSERT_TRUE(life->mark(writer));
    const std::uint64_t before = allocated();
    writer.reset();
    life->settle();
    EXPECT_LT(allocated(), before);
    EXPECT_LE(allocated(), record_bytes(100'000) + 2 * kPageSize);
}

TEST_F(Compaction, AfterARestartDeadBytesAreFoundByWhatIsAllocated) {
    const auto bytes = content_of(kSize, 1);
    const auto other = content_of(kSize, 2);
    {
        auto life = live(options());
        life->put(bytes);
        life->put(other);
        replace(*life, bytes);
        life->stop();
    }
    auto life = live(options());
    EXPECT_EQ(compact(*life).bytes_punched, record_bytes());
    EXPECT_EQ(compact(*life).bytes_punched, 0U);
    EXPECT_EQ(life->get(sha256_of(bytes)).value(), bytes);
    EXPECT_EQ(life->get(sha256_of(other)).value(), other);
}

TEST_F(Compaction, AnUncleanEndLeavesNothingAllocatedForNobody) {
    const auto bytes = content_of(kSize, 1);
    {
        auto life = live(options());
        life->put(bytes);
        Writer writer = life->begin();
        ASSERT_TRUE(life->write(writer, content_of(kSize, 2)));
        life->io().kill();
        writer.reset();
    }
    auto life = live(options());
    const CompactionReport report = compact(*life);
    EXPECT_EQ(report.lanes_refused, 0U);
    EXPECT_LE(allocated(), record_bytes() + 2 * kPageSize);
    EXPECT_EQ(life->get(sha256_of(bytes)).value(), bytes);
}

TEST_F(Compaction, ASealedLaneWithoutABlobIsRemoved) {
    const auto bytes = content_of(1'100'000, 1);  // more than a lane's target
    {
        auto life = live(options());
        life->put(bytes);
        life->settle();
        ASSERT_EQ(lanes().size(), 1U);
        const std::string first = lanes().front().first;
        replace(*life, bytes);
        life->settle();
        ASSERT_EQ(lanes().size(), 2U);
        const CompactionReport report = compact(*life);
        EXPECT_EQ(report.lanes_unlinked, 1U);
        ASSERT_EQ(lanes().size(), 1U);
        EXPECT_NE(lanes().front().first, first);
        EXPECT_EQ(life->get(sha256_of(bytes)).value(), bytes);
        life->stop();
    }
    auto life = live(options());
    EXPECT_EQ(life->get(sha256_of(bytes)).value(), bytes);
    EXPECT_EQ(lanes().size(), 1U);
}

TEST_F(Compaction, ALaneWhoseRemovalWasCutShortGoesAtTheNextStart) {
    const auto bytes = content_of(1'100'000, 1);
    {
        auto life = live(options());
        life->put(bytes);
        replace(*life, bytes);
        const CompactionReport report = compact(*life);
        EXPECT_EQ(report.lanes_unlinked, 1U);
        const auto directory = disk.find("lane");
        // The directory's sync did not take: the name is there again after the power cut.
        directory->durable_entries["0000000000000001.olane"] =
            directory->durable_entries.begin()->second;
        life->io().kill();
    }
    cut_power();
    auto life = live(options());
    EXPECT_EQ(life->get(sha256_of(bytes)).value(), bytes);
}

TEST_F(Compaction, APoisonedLaneIsLeftAlone) {
    auto life = live(options());
    const auto bytes = content_of(kSize, 1);
    life->put(bytes);
    Writer writer = life->begin();
    ASSERT_TRUE(life->write(writer, content_of(100'000, 2), 10'000));
    life->io().set_faults({.write_error = 1});
    const auto more = life->write(writer, content_of(kSize, 3));
    EXPECT_FALSE(more && life->finish(writer, sha256_of(bytes)));
    life->io().set_faults({});
    writer.reset();
    EXPECT_EQ(compact(*life).bytes_punched, 0U);
    EXPECT_EQ(life->get(sha256_of(bytes)).value(), bytes);
}

TEST_F(Compaction, ReadersSeeTheirBytesWhileHolesAreMade) {
    auto life = live(options());
    std::vector<std::vector<std::byte>> contents;
    for (std::uint64_t i = 0; i < 12; ++i) {
        contents.push_back(content_of(90'000 + i * 7'000, i + 1));
        life->put(contents.back());
    }
    for (std::size_t i = 0; i < contents.size(); i += 2) replace(*life, contents[i]);
    life->pass_ms(2000);
    std::optional<Result<CompactionReport>> done;
    const auto keep = [](Store& store,
                         std::optional<Result<CompactionReport>>& to) -> Awaitable<void> {
        to = co_await store.compact();
    };
    asio::co_spawn(life->scheduler().executor(), keep(*life->store, done), asio::detached);
    while (!done) {
        for (const auto& bytes : contents) EXPECT_EQ(life->get(sha256_of(bytes)).value(), bytes);
    }
    EXPECT_GT(done->value().bytes_punched, 0U);
    for (const auto& bytes : contents) EXPECT_EQ(life->get(sha256_of(bytes)).value(), bytes);
}

}  // namespace
}  // namespace orbitalreg::cas
