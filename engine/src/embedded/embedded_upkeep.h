#pragma once
// EmbeddedUpkeep asks the cas::Store, and the catalog for names.

#include "cas/store.h"
#include "catalog/catalog.h"
#include "engine/upkeep.h"

namespace orbitalreg::engine {

class EmbeddedUpkeep final : public Upkeep {
public:
    EmbeddedUpkeep(cas::Store& store, const Catalog& catalog, asio::any_io_executor background)
        : store_{store}, catalog_{catalog}, background_{std::move(background)} {}

    Awaitable<Answer<CollectionRound>> collect(
        bool dry_run, std::function<void(const CollectionRound&)> progress) override;
    CollectionStatus collection_status() const override;
    Awaitable<BlobExplanation> explain(Digest digest) override;

private:
    static Awaitable<BlobExplanation> explain_now(const EmbeddedUpkeep* self, Digest digest);

    cas::Store& store_;
    const Catalog& catalog_;
    asio::any_io_executor background_;
};

}  // namespace orbitalreg::engine
