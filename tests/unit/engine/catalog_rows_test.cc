// Goal: what a checkpoint holds of the catalog is the catalog of one moment, whatever was applied while it was written.
// Method: random histories, applied between slices of random size; the copy that is loaded must have the fingerprint and
// the references of that moment, keep its invariants, and end where the original ended when what came behind is replayed.

#include "base/fields.h"
#include "cas/errors.h"
#include "support/loaded_rows.h"
#include "unit/engine/catalog_fixture.h"

#include <gtest/gtest.h>

#include <random>

namespace orbitalreg::engine {
namespace {

std::map<cas::BlobId, int> references_of(const Catalog& catalog) {
    std::map<cas::BlobId, int> counts;
    catalog.visit_references([&](cas::BlobId blob) { ++counts[blob]; });
    return counts;
}

// What a frame does to a catalog and to its blobs.
struct Step {
    std::vector<Digest> added;                 // in this order
    std::optional<cas::CatalogRecord> record;  // else `deleted` goes
    Digest deleted;
};

void play(const Step& step, std::uint64_t lsn, Catalog& catalog, FakeBlobs& blobs) {
    for (const Digest& digest : step.added) blobs.add(digest);
    if (step.record) {
        const cas::CatalogRecordView view{step.record->type, step.record->body, step.record->raw};
        catalog.apply({cas::Lsn{lsn}, lsn * 1000}, {&view, 1}, blobs);
    } else {
        catalog.forget(*blobs.find(step.deleted), step.deleted);
        blobs.remove(step.deleted);
    }
}

class RandomHistory {
public:
    // Many image names with little in them, or few with much; many changes between slices, or few.
    explicit RandomHistory(unsigned seed) : random_{seed} {
        images_ = 1 + below(seed % 2 == 0 ? 4 : 40);
        manifests_ = 1 + below(10);
    }

    unsigned below(unsigned n) { return static_cast<unsigned>(random_() % n); }

    void step() {
        Step step = draw();
        play(step, ++lsn, catalog, blobs);
        steps.push_back(std::move(step));
    }

    FakeBlobs blobs;
    Catalog catalog{RegistryLimits{}};
    std::vector<Step> steps;
    std::uint64_t lsn = 0;

private:
    ImageName some_image() { return image("p/" + std::to_string(below(images_))); }
    Tag some_tag() { return tag("t" + std::to_string(below(6))); }
    Digest some_manifest() { return digest_of("m" + std::to_string(below(manifests_))); }
    Digest some_layer() { return digest_of("l" + std::to_string(below(8))); }
    std::string some_document() { return "d/" + std::to_string(below(8)); }

    Step draw() {
        switch (below(14)) {
            case 0:
            case 1:
            case 2:
                return push();
            case 3:
                return of(TagSetRecord{some_image(), some_tag(), some_manifest(), {}});
            case 4:
                return of(TagDeleteRecord{some_image(), some_tag(), {}});
            case 5:
            case 6:
                return of(ManifestDeleteRecord{some_image(), some_manifest(), {}});
            case 7:
                return below(4) == 0 ? arrival()
                                     : of(LinkAddRecord{some_image(), some_layer(), {}});
            case 8:
                return of(LinkDeleteRecord{some_image(), some_layer(), {}});
            case 9:
                return collect();
            case 10:
                if (below(3) == 0) return of(DocumentDeleteRecord{some_document(), {}});
                return of(DocumentPutRecord{some_document(),
                                            std::vector<std::byte>(below(20), std::byte{7}),
                                            below(2) == 0 ? 0 : (lsn + below(50)) * 1000,
                                            {}});
            case 11:
            case 12:
                return pulls();
            default:
                return of(RepositoryPutRecord{{{"p", "r" + std::to_string(below(4))},
                                               static_cast<RepositoryType>(1 + below(3)),
                                               below(2) == 0},
                                              {}});
        }
    }
    static Step of(const CatalogChange& change) { return {{}, encode(change), {}}; }

    Step pulls() {
        PullTimesRecord record;
        for (unsigned i = below(3); i > 0; --i) {
            auto& of_image = record.images.emplace_back(some_image()).pulls;
            for (unsigned j = below(4); j > 0; --j) {
                PullNote note{some_manifest(), {}, 1 + below(static_cast<unsigned>(lsn) + 2)};
                if (below(2) == 0) note.tag = some_tag();
                of_image.push_back(std::move(note));
            }
        }
        return of(record);
    }

    // What a manifest may have been waiting for.
    Step arrival() {
        const auto late = digest_of("late" + std::to_string(below(manifests_)));
        Step step = of(LinkAddRecord{some_image(), late, {}});
        step.added = {late};
        return step;
    }

    // The same bytes always refer to the same blobs.
    Step push() {
        const unsigned number = below(manifests_);
        const auto name = std::to_string(number);
        ManifestPutRecord record{
            some_image(),
            digest_of("m" + name),
            number % 3 == 0 ? ManifestKind::oci_index : ManifestKind::oci_image,
            100 + number,
            {},
            {},
            "",
            {},
            {},
            {}};
        std::vector<Digest> added{record.digest};
        for (unsigned child = 0; child < number % 5; ++child) {
            const auto digest = digest_of("l" + std::to_string((number + child) % 8));
            const bool optional = child % 2 == 1;
            record.edges.push_back({digest, optional});
            if (!optional || below(2) == 0) added.push_back(digest);
        }
        if (number % 2 == 1) record.edges.push_back({digest_of("late" + name), true});
        if (number % 2 == 0) record.edges.push_back({digest_of("never"), true});
        if (number % 4 == 1) {
            record.subject = digest_of("m" + std::to_string(number / 2));
            record.artifact_type = number == 1 ? "" : "type/" + name;
            for (unsigned i = 0; i < number % 3; ++i)
                record.annotations.emplace_back("k" + std::to_string(i), std::string(i, 'v'));
        }
        for (unsigned n = below(3); n > 0; --n) record.tags.push_back(some_tag());
        Step step = of(record);
        step.added = std::move(added);
        return step;
    }
    // A blob without references goes, as the collector has it; without one, a link comes.
    Step collect() {
        for (int i = 0; i < 8; ++i) {
            const Digest digest = below(2) == 0 ? some_layer() : some_manifest();
            if (blobs.find(digest) && blobs.count(digest) == 0) return {{}, {}, digest};
        }
        Step step = of(LinkAddRecord{some_image(), some_layer(), {}});
        step.added.push_back(digest_of("l" + std::to_string(below(8))));
        return step;
    }

    std::mt19937 random_;
    unsigned images_ = 1;
    unsigned manifests_ = 1;
};

// Walks one table behind the other, as a checkpoint does, while the history goes on.
std::vector<cas::RowBatch> walk_all(const std::vector<cas::CheckpointTable*>& tables,
                                    RandomHistory& history) {
    for (auto* table : tables) table->begin_walk();
    std::vector<cas::RowBatch> written(tables.size());
    const unsigned pace = 2 + history.below(40);
    for (std::size_t i = 0; i < tables.size(); ++i) {
        do {
            for (unsigned n = history.below(pace); n > 0; --n) history.step();
        } while (tables[i]->walk(written[i], 1 + history.below(5), 1 + history.below(100'000)));
        EXPECT_EQ(tables[i]->side_bytes(), 0u);
    }
    return written;
}

void load_all(Catalog& catalog, const std::vector<cas::RowBatch>& written) {
    const auto tables = catalog.checkpoint_tables();
    ASSERT_EQ(tables.size(), written.size());
    for (std::size_t i = 0; i < tables.size(); ++i) {
        ASSERT_TRUE(load_rows(*tables[i], written[i])) << "table " << tables[i]->number();
    }
}

TEST(CatalogRows, TheLoadedCatalogIsTheOneTheWalkBeganWith) {
    std::size_t changed_meanwhile = 0;
    for (unsigned seed = 1; seed <= 300; ++seed) {
        RandomHistory history{seed};
        for (unsigned n = history.below(400); n > 0; --n) history.step();
        const auto fingerprint = history.catalog.fingerprint();
        const auto references = references_of(history.catalog);
        FakeBlobs blobs = history.blobs;
        const std::size_t first_behind = history.steps.size();
        const std::uint64_t lsn = history.lsn;

        const auto written = walk_all(history.catalog.checkpoint_tables(), history);
        if (history.catalog.fingerprint() != fingerprint) ++changed_meanwhile;

        Catalog loaded{RegistryLimits{}};
        load_all(loaded, written);
        ASSERT_EQ(loaded.fingerprint(), fingerprint) << "seed " << seed;
        EXPECT_EQ(references_of(loaded), references) << "seed " << seed;
        loaded.check_invariants();

        // Replay of what came behind ends where the original ended.
        blobs.set_counts(references);
        for (std::size_t i = first_behind; i < history.steps.size(); ++i)
            play(history.steps[i], lsn + 1 + i - first_behind, loaded, blobs);
        EXPECT_EQ(loaded.fingerprint(), history.catalog.fingerprint()) << "seed " << seed;
        EXPECT_EQ(references_of(loaded), references_of(history.catalog));
        EXPECT_EQ(blobs.counts(), history.blobs.counts());
        loaded.check_invariants();
        history.catalog.check_invariants();
    }
    EXPECT_GT(changed_meanwhile, 200u) << "else nothing was tried";
}

TEST(CatalogRows, ALoadedCatalogIsWalkedToTheSameRows) {
    RandomHistory history{42};
    for (int i = 0; i < 500; ++i) history.step();
    const auto walk_quietly = [](Catalog& catalog) {
        std::vector<std::string> written;
        for (auto* table : catalog.checkpoint_tables()) {
            table->begin_walk();
            cas::RowBatch rows;
            while (table->walk(rows, 1000, 1'000'000)) {
            }
            written.emplace_back(as_text(rows.bytes()));
        }
        return written;
    };
    std::vector<cas::RowBatch> written;
    for (auto* table : history.catalog.checkpoint_tables()) {
        table->begin_walk();
        while (table->walk(written.emplace_back(), 100'000, 10'000'000)) written.pop_back();
    }
    Catalog loaded{RegistryLimits{}};
    load_all(loaded, written);
    EXPECT_EQ(walk_quietly(loaded), walk_quietly(history.catalog));
    EXPECT_EQ(loaded.stats().manifests, history.catalog.stats().manifests);
    EXPECT_EQ(loaded.stats().tags, history.catalog.stats().tags);
    EXPECT_EQ(loaded.stats().links, history.catalog.stats().links);
    EXPECT_EQ(loaded.stats().images, history.catalog.stats().images);
    EXPECT_EQ(loaded.stats().repositories, history.catalog.stats().repositories);
    EXPECT_EQ(loaded.stats().documents, history.catalog.stats().documents);
}

TEST(CatalogRows, ARecountSeesTheReferencesOfOneMoment) {
    for (unsigned seed = 1; seed <= 50; ++seed) {
        RandomHistory history{seed};
        for (unsigned n = history.below(400); n > 0; --n) history.step();
        const auto references = references_of(history.catalog);
        std::map<cas::BlobId, int> counted;
        const auto tables = history.catalog.recount_tables();
        const auto written = walk_all(tables, history);
        for (std::size_t i = 0; i < tables.size(); ++i) {
            ByteView rest = written[i].bytes();
            for (std::uint32_t row = 0; row < written[i].rows(); ++row) {
                const auto size = load_le<std::uint32_t>(rest.data());
                history.catalog.visit_row_references(tables[i]->number(), rest.subspan(8, size),
                                                     [&](cas::BlobId blob) { ++counted[blob]; });
                rest = rest.subspan(round_up(8 + size, 8));
            }
        }
        EXPECT_EQ(counted, references) << "seed " << seed;
    }
}

// A right checksum does not make a number right: memory goes with what is there, not with what a row says.
TEST(CatalogRows, AnAbsurdNumberTakesNoMemory) {
    const auto load = [](Catalog& catalog, std::size_t table, auto... numbers) {
        std::vector<std::byte> row;
        (FieldWriter{row}.number(numbers), ...);
        return catalog.checkpoint_tables()[table]->load(row);
    };
    const auto manifest_row = [](std::uint32_t id, std::uint32_t child) {
        std::vector<std::byte> row;
        FieldWriter{row}.number(id).number(std::uint32_t{1}).number(std::uint64_t{5});
        FieldWriter{row}.digest(digest_of("m")).number(child);
        return row;
    };
    Catalog catalog{RegistryLimits{}};
    catalog.blobs_loaded(cas::BlobId{100});
    auto& manifests = *catalog.checkpoint_tables()[0];
    EXPECT_FALSE(manifests.load(manifest_row(1, UINT32_MAX)));
    EXPECT_FALSE(manifests.load(manifest_row(UINT32_MAX, 1)));
    EXPECT_TRUE(manifests.load(manifest_row(1, 99)));
    std::vector<std::byte> name;
    FieldWriter{name}.number(UINT32_MAX).bytes(as_bytes("p/a"));
    EXPECT_TRUE(catalog.checkpoint_tables()[1]->load(name));
    const auto image = std::uint32_t{UINT32_MAX};
    EXPECT_TRUE(load(catalog, 2, image, std::uint32_t{1}, std::uint8_t{1}, std::uint8_t{0}));
    EXPECT_FALSE(load(catalog, 4, std::uint32_t{100}, image));
    EXPECT_FALSE(load(catalog, 4, std::uint32_t{5}, std::uint32_t{1})) << "another image name's";
    EXPECT_TRUE(load(catalog, 4, std::uint32_t{5}, image));
    for (auto* table : catalog.checkpoint_tables()) EXPECT_TRUE(table->loaded());
    catalog.check_invariants();
}

// No row from a disk may end the process; what is refused is refused with bad_format.
TEST(CatalogRows, RefuseWhatIsDamaged) {
    RandomHistory history{5};
    for (int i = 0; i < 300; ++i) history.step();
    std::vector<cas::RowBatch> written;
    for (auto* table : history.catalog.checkpoint_tables()) {
        table->begin_walk();
        while (table->walk(written.emplace_back(), 100'000, 10'000'000)) written.pop_back();
    }
    for (std::size_t damaged = 0; damaged < written.size(); ++damaged) {
        ASSERT_GT(written[damaged].rows(), 0U) << damaged;
        const ByteView all = written[damaged].bytes();
        const ByteView row = all.subspan(8, load_le<std::uint32_t>(all.data()));
        const auto load = [&](ByteView bytes) {
            Catalog catalog{RegistryLimits{}};
            const auto tables = catalog.checkpoint_tables();
            for (std::size_t i = 0; i < damaged; ++i) {
                if (!load_rows(*tables[i], written[i])) return Result<void>{ok()};
            }
            return tables[damaged]->load(bytes);
        };
        for (std::size_t cut = 0; cut < row.size(); ++cut) {
            const auto result = load(row.first(cut));
            if (!result) {
                EXPECT_EQ(result.error(), ErrorCode{cas::Errc::bad_format});
            }
        }
        for (std::size_t at = 4; at < row.size(); ++at) {  // behind the first number of the key
            std::vector<std::byte> changed{row.begin(), row.end()};
            changed[at] ^= std::byte{0x5a};
            const auto result = load(changed);
            if (!result) {
                EXPECT_EQ(result.error(), ErrorCode{cas::Errc::bad_format});
            }
        }
        EXPECT_EQ(load({}).error(), ErrorCode{cas::Errc::bad_format}) << damaged;
    }
    // A tag without its manifest, a manifest that nobody holds.
    Catalog catalog{RegistryLimits{}};
    const auto tables = catalog.checkpoint_tables();
    ASSERT_TRUE(load_rows(*tables[0], written[0]));
    ASSERT_TRUE(load_rows(*tables[1], written[1]));
    EXPECT_FALSE(load_rows(*tables[3], written[3]));
    EXPECT_FALSE(tables[2]->loaded());
}

}  // namespace
}  // namespace orbitalreg::engine
