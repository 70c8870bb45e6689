// The rows of a checkpoint, kept in golden/data: rows_2.bin is what is written today; rows.bin is what was written before there were
// times, and loads as it did. To make rows_2.bin anew after a change of format (code-style, section 9):
// ORB_WRITE_GOLDEN=1 rows_golden_test
//
// A file is a sequence of {table 2, rows 4, bytes 4, rows as in a block}.

#include "catalog/catalog.h"
#include "index/blob_table.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

namespace orbitalreg::engine {
namespace {

const std::string kPath = std::string{ORB_GOLDEN_DATA} + "/rows_2.bin";
const std::string kPathBeforeTimes = std::string{ORB_GOLDEN_DATA} + "/rows.bin";

class Sink final : public cas::ReferenceSink {
public:
    explicit Sink(cas::BlobTable& blobs) : blobs_{blobs} {}
    std::optional<cas::BlobId> find(const Digest& digest) const noexcept override {
        const auto blob = blobs_.find(digest);
        return blob ? std::optional{blob->id} : std::nullopt;
    }
    void hold(cas::BlobId blob) noexcept override { blobs_.hold(blob); }
    void release(cas::BlobId blob) noexcept override { blobs_.release(blob, 1); }

private:
    cas::BlobTable& blobs_;
};

struct State {
    cas::BlobTable blobs;
    Catalog catalog{RegistryLimits{}};

    std::vector<cas::CheckpointTable*> tables() {
        std::vector<cas::CheckpointTable*> all{&blobs.checkpoint_table()};
        for (auto* table : catalog.checkpoint_tables()) all.push_back(table);
        return all;
    }
    void apply(const CatalogChange& change, std::uint64_t lsn) {
        const auto record = encode(change);
        const cas::CatalogRecordView view{record.type, record.body, record.raw};
        Sink sink{blobs};
        catalog.apply({cas::Lsn{lsn}, lsn * 1000}, {&view, 1}, sink);
    }
};

Digest sha256(const char* text) { return Digest::of(DigestAlgorithm::sha256, as_bytes(text)); }

std::unique_ptr<State> golden_state(bool with_times = true) {
    auto state = std::make_unique<State>();
    const auto image = ImageName::parse("acme/internal/app").value();
    const auto other = ImageName::parse("acme/app").value();
    const auto long_digest = Digest::of(DigestAlgorithm::sha512, as_bytes("layer"));
    auto& blobs = state->blobs;
    blobs.insert(cas::BlobId{1}, sha256("manifest"), {false, 2, 77, 1234, 5}, 1000);
    blobs.insert(cas::BlobId{2}, long_digest, {true, 3, 9, (std::uint64_t{1} << 40) + 7, 6}, 1001);
    blobs.insert(cas::BlobId{4}, sha256("signature"), {false, 2, 99, 500, 8}, 1002);
    blobs.insert(cas::BlobId{7}, sha256("alone"), {true, 3, 21, 70'000, 9}, 1003);
    blobs.set_damaged(cas::BlobId{7});
    state->apply(LinkAddRecord{image, long_digest, {}}, 1);
    state->apply(LinkAddRecord{other, long_digest, {}}, 2);
    state->apply(LinkAddRecord{other, sha256("alone"), {}}, 3);
    state->apply(ManifestPutRecord{image,
                                   sha256("manifest"),
                                   ManifestKind::docker_image,
                                   1234,
                                   {{long_digest, false}},
                                   {},
                                   "",
                                   {},
                                   {Tag::parse("latest").value(), Tag::parse("V1").value()},
                                   {}},
                 4);
    state->apply(ManifestPutRecord{image,
                                   sha256("signature"),
                                   ManifestKind::oci_image,
                                   500,
                                   {},
                                   sha256("manifest"),
                                   "application/vnd.example",
                                   {{"key", "value"}, {"empty", ""}},
                                   {},
                                   {}},
                 5);
    state->apply(DocumentPutRecord{"jti/1", {std::byte{1}, std::byte{2}}, 99'000, {}}, 6);
    state->apply(RepositoryPutRecord{{{"acme", "app"}, RepositoryType::virtual_members, true}, {}},
                 7);
    if (!with_times) return state;
    state->apply(PullTimesRecord{{ImagePulls{image,
                                             {{sha256("manifest"), Tag::parse("V1").value(), 8},
                                              {sha256("signature"), std::nullopt, 7}}}},
                                 {}},
                 8);
    // A manifest that has lost its tags.
    blobs.insert(cas::BlobId{9}, sha256("untagged"), {false, 2, 120, 10, 9}, 1004);
    const auto put = [&](const char* name, const char* tag, std::uint64_t lsn) {
        state->apply(ManifestPutRecord{other,
                                       sha256(name),
                                       ManifestKind::oci_image,
                                       10,
                                       {},
                                       {},
                                       "",
                                       {},
                                       {Tag::parse(tag).value()},
                                       {}},
                     lsn);
    };
    put("untagged", "moving", 9);
    put("signature", "moving", 10);
    // One that refers to what is not there.
    blobs.insert(cas::BlobId{10}, sha256("sparse"), {false, 2, 140, 20, 10}, 1005);
    state->apply(ManifestPutRecord{other,
                                   sha256("sparse"),
                                   ManifestKind::oci_index,
                                   20,
                                   {{sha256("to come"), true}},
                                   {},
                                   "",
                                   {},
                                   {},
                                   {}},
                 11);
    return state;
}

struct WrittenTable {
    std::uint16_t number = 0;
    std::uint32_t rows = 0;
    std::string bytes;

    friend bool operator==(const WrittenTable&, const WrittenTable&) = default;
};

std::vector<WrittenTable> walked(State& state) {
    std::vector<WrittenTable> tables;
    for (auto* table : state.tables()) {
        table->begin_walk();
        cas::RowBatch rows;
        while (table->walk(rows, 1000, 1'000'000)) {
        }
        tables.push_back({table->number(), rows.rows(), std::string{as_text(rows.bytes())}});
    }
    return tables;
}

void write_golden() {
    std::ofstream file{kPath, std::ios::binary};
    for (const auto& table : walked(*golden_state())) {
        std::array<std::byte, 10> head;
        store_le<std::uint16_t>(head.data(), table.number);
        store_le<std::uint32_t>(head.data() + 2, table.rows);
        store_le<std::uint32_t>(head.data() + 6, static_cast<std::uint32_t>(table.bytes.size()));
        file << as_text(head) << table.bytes;
    }
}

std::vector<WrittenTable> read_golden(const std::string& path) {
    std::ifstream file{path, std::ios::binary};
    const std::string text{std::istreambuf_iterator<char>{file}, {}};
    std::vector<WrittenTable> tables;
    for (ByteView rest = as_bytes(text); rest.size() >= 10;) {
        const auto size = load_le<std::uint32_t>(rest.data() + 6);
        tables.push_back({load_le<std::uint16_t>(rest.data()),
                          load_le<std::uint32_t>(rest.data() + 2),
                          std::string{as_text(rest.subspan(10, size))}});
        rest = rest.subspan(10 + size);
    }
    return tables;
}

void load(cas::CheckpointTable& table, const WrittenTable& written) {
    ASSERT_EQ(table.number(), written.number);
    ByteView rest = as_bytes(written.bytes);
    for (std::uint32_t i = 0; i < written.rows; ++i) {
        const auto size = load_le<std::uint32_t>(rest.data());
        ASSERT_TRUE(table.load(rest.subspan(8, size))) << "table " << written.number;
        rest = rest.subspan(round_up(8 + size, 8));
    }
    EXPECT_TRUE(rest.empty());
    ASSERT_TRUE(table.loaded()) << "table " << written.number;
}

TEST(RowsGolden, LoadAsTheyWereWritten) {
    if (std::getenv("ORB_WRITE_GOLDEN") != nullptr) write_golden();
    const auto golden = read_golden(kPath);
    State loaded;
    const auto tables = loaded.tables();
    ASSERT_EQ(golden.size(), tables.size());
    for (std::size_t i = 0; i < tables.size(); ++i) load(*tables[i], golden[i]);
    loaded.catalog.visit_references(
        [&](cas::BlobId blob) { EXPECT_TRUE(loaded.blobs.load_reference(blob)); });
    const auto expected = golden_state();
    EXPECT_EQ(loaded.blobs.fingerprint(), expected->blobs.fingerprint());
    EXPECT_EQ(loaded.catalog.fingerprint(), expected->catalog.fingerprint());
    loaded.catalog.check_invariants();
}

TEST(RowsGolden, AreWrittenAsTheyWere) { EXPECT_EQ(walked(*golden_state()), read_golden(kPath)); }

// What a program before times wrote: all is there, and no time is known.
TEST(RowsGolden, ThoseBeforeTimesLoad) {
    const auto golden = read_golden(kPathBeforeTimes);
    State loaded;
    std::size_t next = 0;
    for (auto* table : loaded.tables()) {
        if (next < golden.size() && table->number() == golden[next].number) {
            load(*table, golden[next++]);
        } else {
            ASSERT_TRUE(table->loaded()) << "table " << table->number();
        }
    }
    EXPECT_EQ(next, golden.size());
    loaded.catalog.visit_references(
        [&](cas::BlobId blob) { EXPECT_TRUE(loaded.blobs.load_reference(blob)); });
    loaded.catalog.check_invariants();
    const auto expected = golden_state(false);
    EXPECT_EQ(loaded.blobs.fingerprint(), expected->blobs.fingerprint());
    const auto& images = loaded.catalog.images();
    const auto tag = images.tag_entry("acme/internal/app", "latest");
    ASSERT_TRUE(tag);
    EXPECT_FALSE(tag->times.any());
    EXPECT_EQ(images.history_since_s(), 0u);
    // From the first record of pulls on there is a history.
    loaded.apply(PullTimesRecord{}, 20);
    EXPECT_EQ(images.history_since_s(), 20u);
}

}  // namespace
}  // namespace orbitalreg::engine
