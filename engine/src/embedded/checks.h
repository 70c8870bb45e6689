#pragma once
// The checks that requests make in their turn, as functions of applied state. They run on the
// sequencer: no waiting, no I/O.

#include "cas/store.h"
#include "catalog/catalog.h"
#include "engine/errors.h"
#include "engine/options.h"
#include "engine/registry_store.h"

#include <vector>

namespace orbitalreg::engine {

// AppliedState is what a check may look at.
struct AppliedState {
    const Catalog& catalog;
    const cas::Store& store;
    const RegistryLimits& limits;

    // A sound blob that is linked under the image name.
    std::optional<cas::BlobStat> linked_blob(const ImageName& image, const Digest& digest) const;
    // A sound manifest that the image name holds.
    std::optional<cas::BlobStat> held_manifest(const ImageName& image, const Digest& digest) const;
};

Answer<void> check_children(const AppliedState& state, const ManifestPut& put);
Answer<void> check_referrers_limit(const AppliedState& state, const ManifestPut& put);
// Errc::precondition_failed.
Answer<void> check_tag(const AppliedState& state, const ImageName& image, const Tag& tag,
                       const TagExpectation& expected);
Answer<void> check_document(const AppliedState& state, const DocumentWrite& write,
                            std::uint64_t now_store_time_ms);
Answer<void> check_document_removal(const AppliedState& state, const std::string& name,
                                    const DocumentExpectation& expected,
                                    std::uint64_t now_store_time_ms);
// Errc::name_unknown or `otherwise` for an image name, by whether it holds anything.
Refusal unknown_in(const AppliedState& state, const ImageName& image, Errc otherwise);
// Adds the record that makes the repository object, unless it is there.
void ensure_repository(const AppliedState& state, const PushTarget& target, cas::Change& change);

}  // namespace orbitalreg::engine
