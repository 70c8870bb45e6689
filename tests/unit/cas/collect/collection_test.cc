// Collection over a simulated store: what must stay stays, what must go goes, whatever is asked, confirmed, read or cut
// off meanwhile.

#include "../lane/lane_fixture.h"
#include "cas/errors.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace orbitalreg::cas {
namespace {

// Type 1 holds the blob whose digest it carries, type 2 releases it.
class HoldingCatalog final : public NoCatalog {
public:
    void apply(const FrameContext&, std::span<const CatalogRecordView> group,
               ReferenceSink& references) noexcept override {
        for (const auto& record : group) {
            const auto id = references.find(Digest{DigestAlgorithm::sha256, record.body});
            ASSERT_TRUE(id.has_value());
            if (record.type == 1) {
                references.hold(*id);
                ++held[id->value];
            } else {
                references.release(*id);
                --held[id->value];
            }
        }
    }
    void forget(BlobId blob, const Digest& digest) noexcept override {
        EXPECT_EQ(held[blob.value], 0u) << digest.to_string();
        forgotten.insert(digest);
    }
    std::uint64_t link_count(BlobId) const override { return 1; }

    std::map<std::uint32_t, std::uint32_t> held;
    std::set<Digest> forgotten;
};

constexpr std::int64_t kGraceMs = 240'000;
constexpr std::int64_t kSlackMs = kGraceMs / 24;

StoreOptions collecting_options() {
    StoreOptions options = lane_options();
    options.gc_grace_ms = kGraceMs;
    options.gc_interval_ms = 365LL * 24 * 3600 * 1000;  // rounds are asked for
    options.damaged_keep_ms = 2 * kGraceMs;
    options.gc_batch_blobs_max = 3;
    options.gc_batch_links_max = 2;
    return options;
}

class CollectingLife : public SimulatedStore::Life {
public:
    CollectingLife(sim::SimDisk& disk, std::uint64_t seed)
        : Life{disk, seed, std::make_unique<HoldingCatalog>()} {}

    Result<Committed> count(std::uint16_t type, const Digest& digest) {
        Change change;
        change.keys.shared.push_back(digest_key(digest));
        change.records.push_back({type, {digest.hash().begin(), digest.hash().end()}, {}});
        change.check = [this, digest](Change&, const FrameContext&) -> Result<void> {
            return store->find(digest) ? ok() : Result<void>{fail(Errc::blob_not_found)};
        };
        return run(store->submit(std::move(change)));
    }
    CollectionRound collect(bool dry_run = false) {
        auto round = run(store->collection().run(dry_run, nullptr));
        EXPECT_TRUE(round);
        return round ? round.value() : CollectionRound{};
    }
    // Nothing runs meanwhile.
    void pass_ms(std::int64_t ms) { scheduler().advance_ns(ms * 1'000'000); }
    HoldingCatalog& catalog() { return static_cast<HoldingCatalog&>(Life::catalog()); }
};

class CollectionTest : public SimulatedStore {
protected:
    std::unique_ptr<CollectingLife> live() { return live(collecting_options()); }
    std::unique_ptr<CollectingLife> live(const StoreOptions& options) {
        auto life = std::make_unique<CollectingLife>(disk, ++seed);
        const auto opened = life->open(options);
        EXPECT_TRUE(opened) << opened.error().message();
        return life;
    }
};

TEST_F(CollectionTest, DeletesWhatNothingReferencedForTheGraceAndCountsTheBytes) {
    const auto life = live();
    const auto small = content_of(100, 1);
    const auto large = content_of(20'000, 2);
    const auto kept = content_of(300, 3);
    life->put(small);
    life->put(large);
    ASSERT_TRUE(life->count(1, life->put(kept)));
    life->pass_ms(kGraceMs - 1);
    EXPECT_EQ(life->collect().deleted, 0u);
    life->pass_ms(2000);
    const auto would = life->collect(true);
    EXPECT_EQ(would.deleted, 2u);
    EXPECT_TRUE(life->store->find(sha256_of(small)).has_value());
    const auto round = life->collect();
    EXPECT_EQ(round.deleted, 2u);
    EXPECT_EQ(round.deleted_bytes, 20'100u);
    EXPECT_EQ(round.lane_bytes, 4096u * (1 + 5 + 1));
    EXPECT_EQ(round.log_bytes, 100u);
    EXPECT_EQ(would.deleted_bytes, round.deleted_bytes);
    EXPECT_EQ(would.lane_bytes, round.lane_bytes);
    EXPECT_FALSE(life->store->find(sha256_of(small)).has_value());
    EXPECT_FALSE(life->store->find(sha256_of(large)).has_value());
    EXPECT_TRUE(life->store->find(sha256_of(kept)).has_value());
    EXPECT_EQ(life->catalog().forgotten.size(), 2u);
    EXPECT_EQ(life->collect().deleted, 0u);
    life->put(large);  // the same content again works at once
    EXPECT_TRUE(life->store->open_blob(sha256_of(large)));
    life->stop();
}

TEST_F(CollectionTest, TheGraceRunsFromTheLastRelease) {
    const auto life = live();
    const Digest digest = life->put(content_of(100, 1));
    ASSERT_TRUE(life->count(1, digest));
    life->pass_ms(10 * kGraceMs);
    ASSERT_TRUE(life->count(2, digest));
    EXPECT_EQ(life->collect().deleted, 0u);
    life->pass_ms(kGraceMs + 1000);
    EXPECT_EQ(life->collect().deleted, 1u);
}

TEST_F(CollectionTest, AnAnswerThatTheBlobExistsKeepsItForAnotherGrace) {
    const auto life = live();
    const Digest digest = life->put(content_of(100, 1));
    life->pass_ms(kGraceMs + 5000);
    ASSERT_TRUE(life->run(life->store->confirm(digest)));
    EXPECT_EQ(life->collect().deleted, 0u);
    life->pass_ms(kGraceMs - kSlackMs);
    EXPECT_EQ(life->collect().deleted, 0u);
    life->pass_ms(kSlackMs + 1000);
    EXPECT_EQ(life->collect().deleted, 1u);
    EXPECT_EQ(life->run(life->store->confirm(digest)).error(), ErrorCode{Errc::blob_not_found});
}

TEST_F(CollectionTest, ALeaseIsWrittenOnlyWhenItIsDue) {
    const auto life = live();
    const Digest digest = life->put(content_of(100, 1));
    const std::uint64_t before = life->store->stats().lsn;
    ASSERT_TRUE(life->run(life->store->confirm(digest)));
    EXPECT_EQ(life->store->collection().status().leases, 0u);
    life->pass_ms(kSlackMs + 2000);
    ASSERT_TRUE(life->run(life->store->confirm(digest)));
    ASSERT_TRUE(life->run(life->store->confirm(digest)));
    EXPECT_EQ(life->store->collection().status().leases, 1u);
    EXPECT_GT(life->store->stats().lsn, before);
    ASSERT_TRUE(life->count(1, digest));
    life->pass_ms(2 * kGraceMs);
    ASSERT_TRUE(life->run(life->store->confirm(digest)));
    EXPECT_EQ(life->store->collection().status().leases, 1u);  // a referenced blob costs no write
}

TEST_F(CollectionTest, TheSameBytesPushedAgainBeginTheGraceAnew) {
    const auto life = live();
    const auto bytes = content_of(9000, 1);
    const Digest digest = life->put(bytes);
    life->pass_ms(kGraceMs + 5000);
    life->put(bytes);
    EXPECT_EQ(life->collect().deleted, 0u);
    life->pass_ms(kGraceMs + 1000);
    EXPECT_EQ(life->collect().deleted, 1u);
    EXPECT_FALSE(life->store->find(digest).has_value());
}

TEST_F(CollectionTest, ALeaseSurvivesAPowerCut) {
    auto life = live();
    const Digest digest = life->put(content_of(100, 1));
    life->pass_ms(kGraceMs - 10'000);
    ASSERT_TRUE(life->run(life->store->confirm(digest)));
    life.reset();
    sim::SimRandom random{++seed};
    disk.crash(random);
    life = live();
    life->pass_ms(kGraceMs / 2);
    EXPECT_EQ(life->collect().deleted, 0u);
    EXPECT_TRUE(life->store->find(digest).has_value());
}

TEST_F(CollectionTest, AClockSetTenYearsOffDeletesNothing) {
    const auto life = live();
    life->put(content_of(100, 1));
    life->clock().jump_wall_ns(10LL * 365 * 24 * 3600 * 1'000'000'000);
    EXPECT_EQ(life->collect().deleted, 0u);
}

TEST_F(CollectionTest, ADownloadEndsWithTheRightBytesThoughItsBlobWasDeleted) {
    const auto life = live();
    const auto bytes = content_of(200'000, 1);
    const Digest digest = life->put(bytes);
    auto reader = life->store->open_blob(digest);
    ASSERT_TRUE(reader);
    life->pass_ms(kGraceMs + 1000);
    EXPECT_EQ(life->collect().deleted, 1u);
    const auto read = life->run(read_all(*reader.value(), 0, bytes.size()));
    ASSERT_TRUE(read);
    EXPECT_EQ(read.value(), bytes);
    EXPECT_FALSE(life->store->open_blob(digest));
}

TEST_F(CollectionTest, RoundsComeByThemselvesUnlessTheyArePaused) {
    StoreOptions options = collecting_options();
    options.gc_interval_ms = 1000;
    for (const bool paused : {false, true}) {
        options.gc_paused = paused;
        const auto life = live(options);
        const Digest digest = life->put(content_of(100, 1));
        const std::int64_t end = life->scheduler().now_ns() + (kGraceMs + 5000) * 1'000'000;
        life->scheduler().run_until([&] { return life->scheduler().now_ns() >= end; }, 10'000'000);
        EXPECT_EQ(life->store->find(digest).has_value(), paused);
        EXPECT_EQ(life->store->collection().status().next_in_ms.has_value(), !paused);
        life->stop();
    }
}

TEST_F(CollectionTest, GoesAtHalfItsRateAtLeastWhileCommitsAreSlow) {
    constexpr std::int64_t kNoneMeetsIt = -1;       // writes of the simulated disk take no time
    std::map<std::int64_t, std::int64_t> round_ms;  // by the target of commits
    for (const std::int64_t target_us : {1'000'000L, kNoneMeetsIt}) {
        StoreOptions options = collecting_options();
        options.commit_target_us = target_us;
        options.gc_blobs_per_second = 30;
        const auto life = live(options);
        for (std::uint32_t blob = 0; blob < 24; ++blob) {
            life->put(content_of(100, 100 + blob));
        }
        life->pass_ms(kGraceMs + 1000);
        const CollectionRound round = life->collect();
        EXPECT_EQ(round.deleted, 24u);
        round_ms[target_us] = round.duration_ms;
        life->stop();
    }
    EXPECT_NEAR(static_cast<double>(round_ms[1'000'000]), 800, 100);
    EXPECT_NEAR(static_cast<double>(round_ms[kNoneMeetsIt]), 1500, 150);
}

TEST_F(CollectionTest, AHaltedCollectionDeletesNothingAndSaysWhy) {
    const auto life = live();
    life->put(content_of(100, 1));
    life->pass_ms(kGraceMs + 1000);
    life->store->collection().halt("counts are in doubt");
    EXPECT_EQ(life->run(life->store->collection().run(false, nullptr)).error(),
              ErrorCode{Errc::precondition_failed});
    EXPECT_EQ(life->store->collection().status().halted, "counts are in doubt");
    EXPECT_EQ(life->collect(true).deleted, 1u);
}

TEST_F(CollectionTest, TellsWhereABlobIsOrWhenItWent) {
    using State = BlobFate::State;
    auto life = live();
    const Digest digest = life->put(content_of(100, 1));
    const Collection* collection = &life->store->collection();
    BlobFate fate = collection->fate_of(digest);
    EXPECT_EQ(fate.state, State::unreferenced);
    EXPECT_EQ(fate.due_ms, fate.unreferenced_since_ms + kGraceMs);
    ASSERT_TRUE(life->count(1, digest));
    EXPECT_EQ(collection->fate_of(digest).state, State::referenced);
    ASSERT_TRUE(life->count(2, digest));
    life->pass_ms(kGraceMs + 1000);
    life->collect();
    fate = collection->fate_of(digest);
    EXPECT_EQ(fate.state, State::deleted);
    EXPECT_GE(fate.deleted_ms, fate.unreferenced_since_ms + kGraceMs);
    EXPECT_EQ(collection->fate_of(sha256_of(content_of(5, 5))).state, State::unknown);
    life->stop();
    life.reset();
    life = live();  // the replayed frames say so still
    EXPECT_EQ(life->store->collection().fate_of(digest).state, State::deleted);
}

struct ModelBlob {
    std::vector<std::byte> bytes;
    bool there = false;
    std::uint32_t held = 0;
    std::uint64_t promised_until_ms = 0;  // it stays at least so long
    std::uint64_t due_ms = 0;             // a round behind it takes it
};

// Goal: through pushes, holds, releases, confirmations, rounds, power cuts and clean stops no blob goes before its time
// and none stays behind it. Method: random steps beside a model; every answer and, after each round, every blob compared.
class CollectionModel : public CollectionTest {
protected:
    static constexpr std::uint64_t kBlobs = 12;

    void renew(ModelBlob& blob, std::uint64_t promise_less_ms) {
        const std::uint64_t now = life->store->store_time_ms();
        blob.promised_until_ms = std::max(blob.promised_until_ms, now + kGraceMs - promise_less_ms);
        blob.due_ms = std::max<std::uint64_t>(blob.due_ms, now + kGraceMs + 1000);
    }
    void push(ModelBlob& blob) {
        life->put(blob.bytes);
        blob.there = true;
        renew(blob, kSlackMs);
    }
    void confirm(ModelBlob& blob) {
        const auto confirmed = life->run(life->store->confirm(sha256_of(blob.bytes)));
        ASSERT_EQ(confirmed.has_value(), blob.there);
        if (blob.there && blob.held == 0) renew(blob, kSlackMs);
    }
    void hold(ModelBlob& blob) {
        ASSERT_EQ(life->count(1, sha256_of(blob.bytes)).has_value(), blob.there);
        if (blob.there) ++blob.held;
    }
    void release(ModelBlob& blob) {
        if (blob.held == 0) return;
        ASSERT_TRUE(life->count(2, sha256_of(blob.bytes)));
        if (--blob.held == 0) renew(blob, 0);
    }
    void round() {
        const std::uint64_t begin = life->store->store_time_ms();
        const auto would = life->collect(true);
        const auto done = life->collect();
        EXPECT_EQ(would.deleted, done.deleted);
        EXPECT_EQ(would.deleted_bytes, done.deleted_bytes);
        for (ModelBlob& blob : model) {
            const bool found = life->store->find(sha256_of(blob.bytes)).has_value();
            if (!blob.there) {
                ASSERT_FALSE(found);
            } else if (blob.held > 0 || blob.promised_until_ms > begin + 500) {
                ASSERT_TRUE(found);
            } else if (blob.due_ms < begin) {
                ASSERT_FALSE(found);
            }
            if (!found) blob = {blob.bytes, false, 0, 0, 0};
            EXPECT_EQ(life->store->open_blob(sha256_of(blob.bytes)).has_value(), found);
        }
    }
    void restart(bool clean) {
        if (clean) life->stop();
        life.reset();
        sim::SimRandom random{++seed};
        if (!clean) disk.crash(random);
        life = live();
    }

    std::unique_ptr<CollectingLife> life;
    std::vector<ModelBlob> model;
};

TEST_F(CollectionModel, NoBlobGoesBeforeItsTimeAndNoneStaysBehindIt) {
    sim::SimRandom random{11};
    life = live();
    for (std::uint64_t n = 0; n < kBlobs; ++n)
        model.push_back({content_of(n % 2 == 0 ? 50 + n : 5000 + n, n), false, 0, 0, 0});
    for (int step = 0; step < 1500; ++step) {
        ModelBlob& blob = model[random.below(kBlobs)];
        switch (random.below(8)) {
            case 0:
                push(blob);
                break;
            case 1:
                confirm(blob);
                break;
            case 2:
                hold(blob);
                break;
            case 3:
            case 4:
                release(blob);
                break;
            case 5:
                life->pass_ms(static_cast<std::int64_t>(random.below(kGraceMs / 2)));
                break;
            case 6:
                round();
                break;
            default:
                if (random.one_in(8)) restart(random.coin());
        }
        if (HasFatalFailure()) FAIL() << "step " << step;
    }
    life->stop();
}

}  // namespace
}  // namespace orbitalreg::cas
