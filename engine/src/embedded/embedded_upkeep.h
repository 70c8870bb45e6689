#pragma once
// EmbeddedUpkeep asks the cas::Store, and the catalog for names. What takes a while runs on `background`.

#include "cas/store.h"
#include "catalog/catalog.h"
#include "engine/registry_store.h"
#include "engine/upkeep.h"

namespace orbitalreg::engine {

class EmbeddedUpkeep final : public Upkeep {
public:
    EmbeddedUpkeep(cas::Store& store, const Catalog& catalog, RegistryStore& registry,
                   asio::any_io_executor background)
        : store_{store},
          catalog_{catalog},
          registry_{registry},
          background_{std::move(background)} {}

    Awaitable<Answer<CollectionRound>> collect(
        bool dry_run, std::function<void(const CollectionRound&)> progress) override;
    CollectionStatus collection_status() const override;
    Awaitable<BlobExplanation> explain(Digest digest) override;
    Awaitable<std::string> stats(bool files) override;
    Awaitable<Answer<std::string>> compact() override;
    std::string compaction_status() const override;
    Answer<void> scrub(ScrubOrder order) override;
    void resume_marking() override;
    std::string scrub_status() const override;

private:
    static Awaitable<BlobExplanation> explain_now(const EmbeddedUpkeep* self, Digest digest);
    static Awaitable<std::string> stats_now(const EmbeddedUpkeep* self, bool files);
    static Awaitable<cas::SpaceReport> space_now(const EmbeddedUpkeep* self);

    cas::Store& store_;
    const Catalog& catalog_;
    RegistryStore& registry_;
    asio::any_io_executor background_;
};

}  // namespace orbitalreg::engine
