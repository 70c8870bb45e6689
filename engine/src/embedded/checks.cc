#include "embedded/checks.h"

namespace orbitalreg::engine {

std::optional<cas::BlobStat> AppliedState::linked_blob(const ImageName& image,
                                                       const Digest& digest) const {
    auto found = store.find(digest);
    if (!found || found->damaged || !catalog.images().has_link(image.text(), found->id))
        return std::nullopt;
    // Outside of the sequencer the blob may have gone between the two look-ups, and its id to
    // another one.
    const auto again = store.find(digest);
    if (!again || again->id != found->id) return std::nullopt;
    return found;
}

std::optional<cas::BlobStat> AppliedState::held_manifest(const ImageName& image,
                                                         const Digest& digest) const {
    auto found = store.find(digest);
    if (!found || found->damaged || !catalog.images().find_manifest(image.text(), found->id))
        return std::nullopt;
    const auto again = store.find(digest);
    if (!again || again->id != found->id) return std::nullopt;
    return found;
}

// DIST-MAN-13 to DIST-MAN-16, SEC-16, SEC-17.
Answer<void> check_children(const AppliedState& state, const ManifestPut& put) {
    const auto& image = put.target.image;
    const bool sparse =
        put.fetched || (put.children_may_be_missing && is_index(put.manifest.kind()));
    std::vector<Digest> missing;
    const ManifestEdge* wrong_size = nullptr;
    for (const auto& edge : put.manifest.edges()) {
        const auto& digest = edge.descriptor.digest;
        const auto child = edge.to_manifest ? state.held_manifest(image, digest)
                                            : state.linked_blob(image, digest);
        if (!child) {
            if (!edge.foreign && !sparse) missing.push_back(digest);
        } else if (child->size_bytes != edge.descriptor.size_bytes && wrong_size == nullptr) {
            wrong_size = &edge;
        }
    }
    if (!missing.empty()) {
        return refuse({Errc::child_missing,
                       "the manifest refers to content that is not in this repository",
                       std::move(missing)});
    }
    if (wrong_size != nullptr) {
        return refuse({Errc::manifest_invalid,
                       "a descriptor's size is not that of the stored content",
                       {wrong_size->descriptor.digest}});
    }
    return ok();
}

// SEC-22.
Answer<void> check_referrers_limit(const AppliedState& state, const ManifestPut& put) {
    const auto& subject = put.manifest.subject();
    if (!subject || put.referrers_per_subject_max == 0) return ok();
    if (state.held_manifest(put.target.image, put.digest)) return ok();  // pushed again
    const auto count = state.catalog.images().referrer_count(put.target.image.text(), *subject);
    if (count < put.referrers_per_subject_max) return ok();
    return refuse(
        {Errc::denied, "this subject has as many referrers as the registry allows", {*subject}});
}

Answer<void> check_tag(const AppliedState& state, const ImageName& image, const Tag& tag,
                       const TagExpectation& expected) {
    if (expected.kind == TagExpectation::Kind::anything) return ok();
    const auto manifest = state.catalog.images().find_tag(image.text(), tag.text());
    if (!manifest && expected.kind != TagExpectation::Kind::digest) return ok();
    if (expected.kind == TagExpectation::Kind::absent)
        return refuse({Errc::precondition_failed, "the tag exists"});
    const auto known = manifest ? state.catalog.manifests().find(*manifest) : std::nullopt;
    if (known && known->digest == expected.digest) return ok();
    return refuse({Errc::precondition_failed, "the tag does not point at the expected manifest"});
}

namespace {

Answer<void> check_version(const DocumentExpectation& expected, std::uint64_t version) {
    switch (expected.kind) {
        case DocumentExpectation::Kind::anything:
            return ok();
        case DocumentExpectation::Kind::absent:
            if (version == 0) return ok();
            return refuse({Errc::exists, "the document exists"});
        case DocumentExpectation::Kind::version:
            if (version == expected.version) return ok();
            return refuse({Errc::precondition_failed, "the document has another version"});
    }
    return refuse(Errc::precondition_failed);
}

}  // namespace

Answer<void> check_document(const AppliedState& state, const DocumentWrite& write,
                            std::uint64_t now_store_time_ms) {
    if (!is_document_name(write.name)) return refuse({Errc::name_invalid, "invalid document name"});
    if (write.bytes.size() > state.limits.document_size_max_bytes) {
        return refuse({Errc::too_large, "the document is too large"});
    }
    const auto version = state.catalog.documents().version(write.name, now_store_time_ms);
    ORB_TRY(check_version(write.expected, version));
    if (version == 0 && state.catalog.documents().size() >= state.limits.documents_max) {
        return refuse({Errc::limit_reached, "too many documents"});
    }
    return ok();
}

Answer<void> check_document_removal(const AppliedState& state, const std::string& name,
                                    const DocumentExpectation& expected,
                                    std::uint64_t now_store_time_ms) {
    const auto version = state.catalog.documents().version(name, now_store_time_ms);
    if (version == 0) return refuse(Errc::document_unknown);
    return check_version(expected, version);
}

Refusal unknown_in(const AppliedState& state, const ImageName& image, Errc otherwise) {
    const bool nothing =
        state.catalog.images().presence(image.text()) == ImageTable::Presence::nothing;
    return nothing ? Errc::name_unknown : otherwise;
}

void ensure_repository(const AppliedState& state, const PushTarget& target, cas::Change& change) {
    if (!target.create_repository || state.catalog.find_repository(target.repository.name)) return;
    change.records.insert(change.records.begin(),
                          encode(RepositoryPutRecord{target.repository, {}}));
}

}  // namespace orbitalreg::engine
