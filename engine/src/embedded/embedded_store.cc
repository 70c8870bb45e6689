#include "engine/embedded_store.h"

#include "cas/store.h"
#include "catalog/catalog.h"
#include "embedded/embedded_document_store.h"
#include "embedded/embedded_registry_store.h"
#include "embedded/embedded_retention_store.h"
#include "embedded/embedded_upkeep.h"

namespace orbitalreg::engine {

namespace {

class CatalogOnStore final : public EmbeddedStore {
public:
    explicit CatalogOnStore(const RegistryLimits& limits) : limits_{limits}, catalog_{limits} {}

    Result<void> open(cas::StoreEnvironment environment, cas::StoreOptions options) {
        const auto inline_size = options.inline_size_max_bytes;
        const auto background = environment.background;
        ORB_TRY(store_, cas::Store::open(std::move(environment), options, catalog_));
        registry_store_ =
            std::make_unique<EmbeddedRegistryStore>(*store_, catalog_, limits_, inline_size);
        document_store_ = std::make_unique<EmbeddedDocumentStore>(*store_, catalog_, limits_);
        upkeep_ = std::make_unique<EmbeddedUpkeep>(*store_, catalog_, *registry_store_, background);
        retention_store_ =
            std::make_unique<EmbeddedRetentionStore>(*store_, catalog_, limits_, background);
        return ok();
    }

    RegistryStore& registry_store() noexcept override { return *registry_store_; }
    DocumentStore& document_store() noexcept override { return *document_store_; }
    Upkeep& upkeep() noexcept override { return *upkeep_; }
    RetentionStore& retention_store() noexcept override { return *retention_store_; }
    cas::Store& store() noexcept override { return *store_; }
    std::uint64_t catalog_fingerprint() const override { return catalog_.fingerprint(); }

private:
    RegistryLimits limits_;
    // Outlives the store, which applies to it until it is gone.
    Catalog catalog_;
    std::unique_ptr<cas::Store> store_;
    std::unique_ptr<EmbeddedRegistryStore> registry_store_;
    std::unique_ptr<EmbeddedDocumentStore> document_store_;
    std::unique_ptr<EmbeddedUpkeep> upkeep_;
    std::unique_ptr<EmbeddedRetentionStore> retention_store_;
};

}  // namespace

Result<std::unique_ptr<EmbeddedStore>> open_embedded(cas::StoreEnvironment environment,
                                                     cas::StoreOptions options,
                                                     const RegistryLimits& limits) {
    auto embedded = std::make_unique<CatalogOnStore>(limits);
    ORB_TRY(embedded->open(std::move(environment), options));
    return std::unique_ptr<EmbeddedStore>{std::move(embedded)};
}

}  // namespace orbitalreg::engine
