#pragma once
// The tables of cas and of the catalog, filled by records as the journal does it.

#include "base/checksum.h"
#include "base/digest.h"
#include "catalog/catalog.h"
#include "index/blob_table.h"

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace orbitalreg {

inline Digest numbered(std::uint64_t number) {
    std::array<std::byte, 32> hash;
    for (std::size_t i = 0; i < 4; ++i) store_le(hash.data() + 8 * i, mix64(number, i));
    return Digest{DigestAlgorithm::sha256, hash};
}

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

// The rows of a store, without a store.
struct State {
    cas::BlobTable blobs;
    engine::Catalog catalog{engine::RegistryLimits{}};

    std::vector<cas::CheckpointTable*> tables() {
        std::vector<cas::CheckpointTable*> all{&blobs.checkpoint_table()};
        for (auto* table : catalog.checkpoint_tables()) all.push_back(table);
        return all;
    }
};

inline void apply(State& state, const engine::CatalogChange& change) {
    const auto record = engine::encode(change);
    const cas::CatalogRecordView view{record.type, record.body, record.raw};
    Sink sink{state.blobs};
    state.catalog.apply({cas::Lsn{1}, 1000}, {&view, 1}, sink);
}

}  // namespace orbitalreg
