#pragma once
// EmbeddedDocumentStore keeps documents as catalog records in the journal.

#include "embedded/checks.h"
#include "engine/document_store.h"

namespace orbitalreg::engine {

class EmbeddedDocumentStore final : public DocumentStore {
public:
    EmbeddedDocumentStore(cas::Store& store, Catalog& catalog,
                          const RegistryLimits& limits) noexcept
        : store_{store}, catalog_{catalog}, state_{catalog, store, limits} {}

    Awaitable<Answer<Document>> get(std::string name) override;
    Awaitable<Answer<std::uint64_t>> put(RequestId id, DocumentWrite write) override;
    Awaitable<Answer<void>> remove(RequestId id, std::string name,
                                   DocumentExpectation expected) override;
    Awaitable<Answer<DocumentPage>> list(std::string prefix, std::string after,
                                         std::uint32_t count_max) override;
    std::shared_ptr<void> watch(std::string prefix,
                                std::function<void(const std::string& name)> changed) override;

private:
    cas::Store& store_;
    Catalog& catalog_;
    AppliedState state_;
};

}  // namespace orbitalreg::engine
