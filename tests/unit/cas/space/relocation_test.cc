// The log stays within its bound, whatever is pushed and deleted: segments that are mostly dead are emptied and given back,
// and what was live in them is still there, also after a power cut at any time.

#include "base/fields.h"
#include "cas/inspect.h"
#include "cas/walked_table.h"
#include "unit/cas/lane/lane_fixture.h"

#include <algorithm>
#include <cstdio>
#include <deque>
#include <set>

namespace orbitalreg::cas {
namespace {

// Type 1 holds the blob whose digest it carries, type 2 releases it. The counts are in checkpoints.
class CountingCatalog final : public NoCatalog {
public:
    void apply(const FrameContext&, std::span<const CatalogRecordView> group,
               ReferenceSink& references) noexcept override {
        for (const auto& record : group) {
            const auto id = references.find(Digest{DigestAlgorithm::sha256, record.body});
            ASSERT_TRUE(id.has_value());
            table_.before_change(id->value);
            if (record.type == 1) {
                references.hold(*id);
                held_.insert(id->value);
            } else {
                references.release(*id);
                held_.erase(id->value);
            }
        }
    }
    void visit_references(const std::function<void(BlobId)>& edge) const override {
        for (const std::uint32_t id : held_) edge(BlobId{id});
    }
    std::vector<CheckpointTable*> checkpoint_tables() override { return {&table_}; }

private:
    struct Rows {
        using Key = std::uint32_t;
        std::set<std::uint32_t>& held;

        std::optional<Key> next(const std::optional<Key>& after) const {
            const auto row = after ? held.upper_bound(*after) : held.begin();
            return row == held.end() ? std::nullopt : std::optional{*row};
        }
        void encode(Key id, std::vector<std::byte>& row) const {
            if (held.contains(id)) FieldWriter{row}.number(id);
        }
        Result<void> load(ByteView row) const {
            FieldReader fields{row};
            held.insert(fields.number<std::uint32_t>());
            return fields.done() ? ok() : Result<void>{fail(Errc::bad_format)};
        }
        Result<void> loaded() const { return ok(); }
    };

    std::set<std::uint32_t> held_;
    WalkedTable<Rows> table_{kFirstCatalogTable, Rows{held_}};
};

constexpr std::size_t kBlobSize = 1500;
constexpr std::uint64_t kSegment = 64_KiB;

StoreOptions churn_options() {
    StoreOptions options = lane_options();
    options.log_segment_size_bytes = kSegment;
    options.inline_size_max_bytes = 4096;
    options.reserve_size_bytes = 1_MiB;
    options.compaction_interval_ms = 0;  // rounds are asked for
    options.checkpoint_interval_bytes = 1_GiB;
    options.checkpoint_at_stop_bytes = 1_GiB;
    options.damaged_keep_ms = 0;
    options.gc_grace_ms = 0;
    options.gc_interval_ms = 365LL * 24 * 3600 * 1000;
    return options;
}

class ChurningLife : public SimulatedStore::Life {
public:
    ChurningLife(sim::SimDisk& disk, std::uint64_t seed)
        : Life{disk, seed, std::make_unique<CountingCatalog>()} {}

    void count(std::uint16_t type, const Digest& digest) {
        Change change;
        change.keys.shared.push_back(digest_key(digest));
        change.records.push_back({type, {digest.hash().begin(), digest.hash().end()}, {}});
        EXPECT_TRUE(run(store->submit(std::move(change))));
    }
    Digest push_held(ByteView bytes) {
        const Digest digest = put(bytes);
        count(1, digest);
        return digest;
    }
    void collect() {
        pass_ms(2000);  // a grace is whole seconds
        EXPECT_TRUE(run(store->collection().run(false, nullptr)));
    }
    void checkpoint() { EXPECT_TRUE(run(store->make_checkpoint())); }
    CompactionReport compact() {
        const auto report = run(round(*store));
        return report ? report.value() : CompactionReport{};
    }

private:
    static Awaitable<Result<CompactionReport>> round(Store& store) {
        co_return co_await store.compact();
    }
};

class Relocation : public SimulatedStore {
public:
    std::unique_ptr<ChurningLife> live(const StoreOptions& options = churn_options()) {
        auto life = std::make_unique<ChurningLife>(disk, ++seed);
        const auto opened = life->open(options);
        EXPECT_TRUE(opened) << opened.error().message();
        return life;
    }
    static std::vector<std::byte> blob(std::uint64_t number) {
        return content_of(kBlobSize, 1000 + number);
    }
    // `count` blobs of which every tenth is held; the others are collected, and a checkpoint covers all of it.
    std::vector<std::uint64_t> make_sparse_log(ChurningLife& life, std::uint64_t count) {
        std::vector<std::uint64_t> kept;
        for (std::uint64_t i = 0; i < count; ++i) {
            if (i % 10 == 3) {
                life.push_held(blob(i));
                kept.push_back(i);
            } else {
                life.put(blob(i));
            }
        }
        life.collect();
        life.checkpoint();
        return kept;
    }
    static void expect_there(ChurningLife& life, const std::vector<std::uint64_t>& kept) {
        for (const std::uint64_t number : kept) {
            const auto bytes = life.get(sha256_of(blob(number)));
            ASSERT_TRUE(bytes) << number << ": " << bytes.error().message();
            EXPECT_EQ(bytes.value(), blob(number));
        }
    }
    // All files of log segments, spares too.
    std::vector<std::string> segment_files() const {
        std::vector<std::string> files;
        disk.visit([&](const std::string& path, sim::SimInode&) {
            if (path.ends_with(".olog")) files.push_back(path);
        });
        return files;
    }
    // Flips a bit of a small blob wherever its bytes are.
    void rot(const std::vector<std::byte>& bytes) {
        for (const std::string& path : segment_files()) {
            const auto file = disk.find(path);
            const auto at = std::search(file->current.begin(), file->current.end(),
                                        bytes.begin() + 100, bytes.begin() + 200);
            if (at != file->current.end())
                disk.flip_bit(*file, static_cast<std::uint64_t>(at - file->current.begin()), 1);
        }
    }
};

TEST_F(Relocation, SparseSegmentsGoBackAndWhatWasLiveInThemStays) {
    std::vector<std::uint64_t> kept;
    {
        auto life = live();
        kept = make_sparse_log(*life, 200);
        const std::uint64_t before = life->store->stats().log_segments;
        ASSERT_GT(before, 15u);
        const CompactionReport report = life->compact();
        EXPECT_EQ(report.blobs_relocated, kept.size());
        EXPECT_EQ(report.bytes_relocated, kept.size() * kBlobSize);
        EXPECT_EQ(report.segments_left, 0u);
        EXPECT_GE(report.segments_recycled, 1u);
        EXPECT_GT(report.segments_removed, 10u);
        EXPECT_LE(life->store->stats().log_segments, 3u);
        expect_there(*life, kept);
        EXPECT_EQ(life->compact().segments_examined, 0u);
    }
    cut_power();
    auto life = live();
    expect_there(*life, kept);
    EXPECT_EQ(life->store->stats().damaged_blobs, 0u);
    // Also from a checkpoint that knows the new places.
    life->checkpoint();
    life->stop();
    life.reset();
    auto last = live();
    expect_there(*last, kept);
}

TEST_F(Relocation, ASegmentInUseAgainHoldsWhatIsWrittenToIt) {
    auto life = live();
    auto kept = make_sparse_log(*life, 100);
    ASSERT_GE(life->compact().segments_recycled, 1u);
    for (std::uint64_t i = 1000; i < 1100; ++i) {  // through the recycled ones
        life->push_held(blob(i));
        kept.push_back(i);
    }
    expect_there(*life, kept);
    life->settle();
    life.reset();
    cut_power();
    auto next = live();
    expect_there(*next, kept);
}

TEST_F(Relocation, WhatIsRecycledBeyondTheSparesGoesAtTheNextStart) {
    auto life = live();
    make_sparse_log(*life, 100);
    ASSERT_GE(life->compact().segments_recycled, 1u);
    life->stop();
    const auto before = life->io().list("log").value().size();
    life.reset();
    const auto next = live();
    next->settle();
    EXPECT_LT(next->io().list("log").value().size(), before);
    EXPECT_EQ(next->io().list("log").value().size(),
              next->store->stats().log_segments + churn_options().segments_spare);
}

TEST_F(Relocation, AReaderKeepsItsSegment) {
    auto life = live();
    const auto kept = make_sparse_log(*life, 100);
    auto reader = life->store->open_blob(sha256_of(blob(kept.front())));
    ASSERT_TRUE(reader);
    const auto files = segment_files();
    life->compact();
    EXPECT_TRUE(disk.find(files.front()) != nullptr);
    EXPECT_TRUE(life->run(reader.value()->read(0, kBlobSize)));
    reader = fail(Errc::stopped);
    const CompactionReport report = life->compact();
    EXPECT_EQ(report.segments_removed + report.segments_recycled, 1u);
    EXPECT_TRUE(disk.find(files.front()) == nullptr);
}

TEST_F(Relocation, ADamagedBlobStaysWhereItIsAndIsReported) {
    auto life = live();
    const auto kept = make_sparse_log(*life, 100);
    const std::uint64_t bad = kept[4];
    rot(blob(bad));
    const CompactionReport report = life->compact();
    EXPECT_EQ(report.blobs_relocated, kept.size() - 1);
    EXPECT_EQ(report.segments_left, 1u);
    life->settle();
    ASSERT_TRUE(life->store->find(sha256_of(blob(bad))));
    EXPECT_TRUE(life->store->find(sha256_of(blob(bad)))->damaged);
    // It is not read over and over.
    life->compact();
    EXPECT_EQ(life->compact().segments_examined, 0u);
    // Pushed again, it is sound, and its old segment goes once nobody wants to look at it any more.
    life->put(blob(bad));
    life->pass_ms(2000);
    const CompactionReport after = life->compact();
    EXPECT_EQ(after.segments_removed + after.segments_recycled, 1u);
    expect_there(*life, kept);
}

TEST_F(Relocation, MarksOfOpenUploadsMoveToo) {
    const auto inline_bytes = content_of(3000, 1);
    const auto large = content_of(300'000, 2);
    auto life = live();
    Writer small = life->resume(session_of(1));
    ASSERT_TRUE(life->write(small, ByteView{inline_bytes}.first(2000)));
    ASSERT_TRUE(life->mark(small));
    small.reset();
    Writer writer = life->resume(session_of(2));
    ASSERT_TRUE(life->write(writer, ByteView{large}.first(200'001)));
    ASSERT_TRUE(life->mark(writer));
    make_sparse_log(*life, 100);
    const CompactionReport report = life->compact();
    EXPECT_EQ(report.marks_relocated, 2u);
    EXPECT_EQ(report.segments_left, 0u);
    // The writer that was there all the time reads its sums back from where they are now.
    ASSERT_TRUE(life->write(writer, ByteView{large}.subspan(200'001)));
    ASSERT_TRUE(life->finish(writer, sha256_of(large)));
    EXPECT_EQ(life->get(sha256_of(large)).value(), large);
    life->settle();
    life.reset();
    cut_power();
    auto next = live();
    Writer again = next->resume(session_of(1));
    ASSERT_EQ(again->offset(), 2000u);
    ASSERT_TRUE(next->write(again, ByteView{inline_bytes}.subspan(2000)));
    ASSERT_TRUE(next->finish(again, sha256_of(inline_bytes)));
    EXPECT_EQ(next->get(sha256_of(inline_bytes)).value(), inline_bytes);
}

TEST_F(Relocation, FsckMissesASegmentThatBlobsLieIn) {
    std::vector<std::string> files;
    {
        auto life = live();
        make_sparse_log(*life, 100);
        files = segment_files();
        life->stop();
    }
    const auto codes = [this] {
        sim::SimMachine machine{disk, ++seed};
        CountingCatalog catalog;
        const auto report =
            fsck(machine.io(), FsckLevel::normal, catalog, null_log(), [](std::string_view) {});
        std::set<std::string> found;
        EXPECT_TRUE(report);
        if (report) {
            for (const FsckFinding& finding : report.value().findings) found.insert(finding.code);
        }
        return found;
    };
    EXPECT_EQ(codes(), std::set<std::string>{});
    const auto second = disk.find(files.at(1));
    const std::vector<std::byte> bytes = second->current;
    disk.flip_bit(*second, 24, 1);
    EXPECT_EQ(codes(), std::set<std::string>{"segment_header_invalid"});
    second->current.resize(kSegment / 2);
    std::copy_n(bytes.begin(), kPageSize, second->current.begin());
    EXPECT_EQ(codes(), std::set<std::string>{"segment_short"});
    sim::SimMachine machine{disk, ++seed};
    ASSERT_TRUE(machine.io().remove(files.at(1)));
    EXPECT_EQ(codes(), std::set<std::string>{"segment_missing"});
}

TEST_F(Relocation, ASegmentWithAnotherNameIsNotWrittenAgain) {
    auto life = live();
    make_sparse_log(*life, 100);
    const auto files = segment_files();
    std::vector<sim::SimInodePtr> linked;
    std::vector<std::vector<std::byte>> before;
    for (const std::string& path : files) {
        linked.push_back(disk.find(path));
        linked.back()->links = 2;  // somebody's backup
        before.push_back(linked.back()->current);
    }
    const CompactionReport report = life->compact();
    EXPECT_EQ(report.segments_recycled, 0u);
    EXPECT_GT(report.segments_removed, 3u);
    std::size_t unchanged = 0;
    for (std::size_t i = 0; i < linked.size(); ++i) unchanged += linked[i]->current == before[i];
    EXPECT_GE(unchanged, report.segments_removed);
}

// Readers that never end hold all that is pushed in place: new uploads wait, all else goes on.
TEST_F(Relocation, UploadsWaitWhileTheLogIsTooLarge) {
    StoreOptions options = churn_options();
    options.checkpoint_interval_bytes = kSegment;
    auto life = live(options);
    std::vector<std::unique_ptr<BlobReader>> readers;
    ErrorCode refused;
    for (std::uint64_t i = 0; i < 2000 && !refused; ++i) {
        auto writer = life->run(life->store->begin_blob(DigestAlgorithm::sha256, kBlobSize));
        if (!writer) {
            refused = writer.error();
            break;
        }
        ASSERT_TRUE(life->write(writer.value(), blob(i)));
        ASSERT_TRUE(life->finish(writer.value(), sha256_of(blob(i))));
        if (i % 10 != 0) continue;
        auto reader = life->store->open_blob(sha256_of(blob(i)));
        ASSERT_TRUE(reader);
        readers.push_back(std::move(reader).value());
        life->collect();
    }
    EXPECT_EQ(refused, Errc::overloaded);
    const auto late = blob(5000);
    Change change;
    change.blobs.push_back({sha256_of(late), late});
    EXPECT_EQ(life->run(life->store->submit(std::move(change))).error(), Errc::overloaded);
    life->collect();  // goes on
    readers.clear();
    EXPECT_TRUE(life->run(life->store->begin_blob(DigestAlgorithm::sha256, kBlobSize)).has_error());
    life->pass_ms(1000);  // which made compaction run
    EXPECT_TRUE(life->run(life->store->begin_blob(DigestAlgorithm::sha256, kBlobSize)));
}

// Goal: the log stays within 2 x live + 2 x interval + 4 segments in a long churn of small blobs, live being the most that
// was live, but for two segments that are filled while it is brought back; and the price is bounded. Method: a window of
// live blobs, oldest out, but for a tenth that stays twenty times as long, so that segments become sparse one blob at a
// time; collection and checkpoints as they come; power cuts now and then.
TEST_F(Relocation, TheLogStaysWithinItsBoundUnderChurn) {
    constexpr std::uint64_t kPushes = 6000;
    constexpr std::size_t kWindow = 60;
    StoreOptions options = churn_options();
    options.compaction_interval_ms = 1000;
    options.checkpoint_interval_bytes = 4 * kSegment;
    auto life = live(options);
    std::deque<std::uint64_t> short_lived;
    std::deque<std::uint64_t> long_lived;
    std::uint64_t log_max = 0;
    std::uint64_t limit_max = 0;
    std::uint64_t relocated = 0;
    std::uint64_t written = 0;
    const auto note_written = [&] {
        relocated += life->store->compaction_status().total.bytes_relocated;
        written += life->metrics().counter("log_bytes_total", "").value();
    };
    const auto release = [&](std::deque<std::uint64_t>& from, std::size_t most) {
        if (from.size() <= most) return;
        life->count(2, sha256_of(blob(from.front())));
        from.pop_front();
    };
    for (std::uint64_t i = 0; i < kPushes; ++i) {
        life->push_held(blob(i));
        (i % 10 == 0 ? long_lived : short_lived).push_back(i);
        release(short_lived, kWindow);
        release(long_lived, 2 * kWindow);
        if (i % 50 == 0) life->collect();
        const StoreStats stats = life->store->stats();
        log_max = std::max(log_max, stats.log_bytes);
        limit_max = std::max(limit_max, stats.log_limit_bytes);
        EXPECT_LE(stats.log_bytes, limit_max + 2 * kSegment);
        if (i % 2000 != 1999) continue;
        note_written();
        life->settle();
        life.reset();
        cut_power();
        life = live(options);
    }
    note_written();
    // Each push is three frames of a page at least, so that even a segment of live blobs is hardly live by its bytes.
    const double amplification = 1 + static_cast<double>(relocated) / static_cast<double>(written);
    EXPECT_LT(amplification, 1.25);
    std::printf("log at most %llu KiB of %llu KiB; bytes of the log written %.3f times\n",
                static_cast<unsigned long long>(log_max / 1024),
                static_cast<unsigned long long>(limit_max / 1024), amplification);
    for (const auto* const alive : {&short_lived, &long_lived}) {
        expect_there(*life, {alive->begin(), alive->end()});
    }
}

}  // namespace
}  // namespace orbitalreg::cas
