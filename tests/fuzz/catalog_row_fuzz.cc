// Rows of the catalog in a checkpoint: no bytes break the loader, and what it accepts is walked to what loads the same.

#include "base/assert.h"
#include "base/fields.h"
#include "catalog/catalog.h"

#include <cstdint>
#include <memory>

using namespace orbitalreg;
using namespace orbitalreg::engine;

namespace {

// A row behind these loads: manifest 1 without children, image name 1 that holds it.
std::unique_ptr<Catalog> small_catalog(std::uint16_t before) {
    auto catalog = std::make_unique<Catalog>(RegistryLimits{});
    std::vector<std::byte> manifest;
    FieldWriter{manifest}
        .number(std::uint32_t{1})
        .number(std::uint32_t{0})
        .number(std::uint64_t{5})
        .digest(Digest{});
    std::vector<std::byte> name;
    FieldWriter{name}.number(std::uint32_t{1}).bytes(as_bytes("p/a"));
    std::vector<std::byte> held;
    FieldWriter{held}
        .number(std::uint32_t{1})
        .number(std::uint32_t{1})
        .number(std::uint8_t{1})
        .number(std::uint8_t{0});
    const auto tables = catalog->checkpoint_tables();
    const std::vector<std::byte>* rows[] = {&manifest, &name, &held};
    for (std::size_t i = 0; i < 3 && tables[i]->number() < before; ++i) {
        ORB_ASSERT(tables[i]->load(*rows[i]) && tables[i]->loaded());
    }
    return catalog;
}

}  // namespace

// The first byte is the table's number, the rest a row.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr cas::BlobId kBlobsEnd{1'000'000};
    if (size < 5) return 0;
    const ByteView row{reinterpret_cast<const std::byte*>(data + 1), size - 1};
    auto catalog = small_catalog(data[0]);
    catalog->blobs_loaded(kBlobsEnd);
    for (auto* table : catalog->checkpoint_tables()) {
        if (table->number() != data[0]) continue;
        if (!table->load(row)) return 0;
        table->begin_walk();
        cas::RowBatch rows;
        while (table->walk(rows, 1000, 1 << 24)) {
        }
        ORB_ASSERT(rows.rows() > 0);
        // Image names are numbered anew; what is behind the number stays.
        const std::size_t kept = table->number() == number_of(TableNumber::image_names) ? 4 : 0;
        const auto last = as_text(rows.bytes()).rfind(as_text(row.subspan(kept)));
        ORB_ASSERT(last != std::string_view::npos);
    }
    (void)catalog->fingerprint();
    return 0;
}
