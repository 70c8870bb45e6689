#pragma once
// The embedded implementation of RegistryStore and DocumentStore: the catalog as a state machine
// hosted by the journal of a cas::Store in the same process. Only tools, which wires the layers,
// needs this header; it includes the cas headers beside it.
//
// Life     open_embedded() recovers and serves; stop the cas::Store through store().stop() once no
//          request runs; then destroy.

#include "base/result.h"
#include "engine/document_store.h"
#include "engine/options.h"
#include "engine/registry_store.h"
#include "engine/retention_store.h"
#include "engine/upkeep.h"

#include <cstdint>
#include <memory>
#include <string>

namespace orbitalreg::cas {
class CatalogMachine;
class Store;
struct CatalogRecordView;
struct StoreEnvironment;
struct StoreOptions;
}  // namespace orbitalreg::cas

namespace orbitalreg::engine {

class EmbeddedStore {
public:
    virtual ~EmbeddedStore() = default;

    virtual RegistryStore& registry_store() noexcept = 0;
    virtual DocumentStore& document_store() noexcept = 0;
    virtual Upkeep& upkeep() noexcept = 0;
    virtual RetentionStore& retention_store() noexcept = 0;
    // For stats and stop().
    virtual cas::Store& store() noexcept = 0;
    // A checksum over the whole catalog, equal for equal states.
    virtual std::uint64_t catalog_fingerprint() const = 0;
};

// Blocking; before the reactors run. The errors are those of cas.
Result<std::unique_ptr<EmbeddedStore>> open_embedded(cas::StoreEnvironment environment,
                                                     cas::StoreOptions options,
                                                     const RegistryLimits& limits);

// An empty catalog, for fsck to replay into.
std::unique_ptr<cas::CatalogMachine> make_catalog(const RegistryLimits& limits);
// A catalog record as one JSON object, for dump.
std::string describe_record(const cas::CatalogRecordView& record);

}  // namespace orbitalreg::engine
