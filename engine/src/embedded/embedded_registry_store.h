#pragma once
// EmbeddedRegistryStore does each operation of RegistryStore in one frame of the journal: it plans
// keys and records, the sequencer checks them in their turn, the catalog applies them. Look-ups
// read the catalog in memory.

#include "embedded/checks.h"
#include "engine/registry_store.h"

namespace orbitalreg::engine {

class EmbeddedRegistryStore final : public RegistryStore {
public:
    // `inline_size_max_bytes`: larger manifests go through a BlobWriter first.
    EmbeddedRegistryStore(cas::Store& store, Catalog& catalog, const RegistryLimits& limits,
                          std::uint64_t inline_size_max_bytes) noexcept
        : store_{store},
          catalog_{catalog},
          state_{catalog, store, limits},
          inline_size_max_bytes_{inline_size_max_bytes} {}

    StoreCapabilities capabilities() const noexcept override { return {false, true}; }
    std::array<std::byte, 32> derive_key(std::string_view label) const noexcept override;
    std::uint64_t store_time_ms() const noexcept override;

    Awaitable<Answer<std::unique_ptr<UploadWriter>>> open_upload(PushTarget target,
                                                                 UploadStart start) override;
    Awaitable<Answer<std::unique_ptr<UploadWriter>>> begin_blob(
        PushTarget target, DigestAlgorithm algorithm,
        std::optional<std::uint64_t> size_hint) override;
    bool uploads_full() const noexcept override { return store_.uploads_full(); }
    Awaitable<Answer<UploadStatus>> upload_status(SessionId session) override;
    Awaitable<Answer<void>> cancel_upload(UploadStart start) override;

    Awaitable<Answer<BlobInfo>> stat_blob(ImageName image, Digest digest) override;
    Awaitable<Answer<std::unique_ptr<BlobStream>>> read_blob(ImageName image,
                                                             Digest digest) override;
    Awaitable<Answer<BlobInfo>> mount(RequestId id, PushTarget target, Digest digest,
                                      ImageName source) override;
    Awaitable<Answer<std::vector<ImageName>>> find_links(Digest digest,
                                                         std::uint32_t count_max) override;
    Awaitable<Answer<void>> delete_link(RequestId id, ImageName image, Digest digest) override;

    Awaitable<Answer<ManifestInfo>> put_manifest(RequestId id, ManifestPut put) override;
    Awaitable<Answer<ManifestInfo>> resolve(ImageName image, Reference reference) override;
    Awaitable<Answer<std::unique_ptr<BlobStream>>> read_manifest(ImageName image,
                                                                 Digest digest) override;
    Awaitable<Answer<void>> delete_manifest(RequestId id, ImageName image, Digest digest) override;
    Awaitable<Answer<void>> set_tag(RequestId id, ImageName image, Tag tag, Digest digest,
                                    TagExpectation expected) override;
    Awaitable<Answer<void>> delete_tag(RequestId id, ImageName image, Tag tag,
                                       TagExpectation expected) override;

    Awaitable<Answer<Page<std::string>>> list_tags(ImageName image, std::string after,
                                                   std::uint32_t count_max) override;
    Awaitable<Answer<Page<std::string>>> list_images(std::string after,
                                                     std::uint32_t count_max) override;
    Awaitable<Answer<Page<Referrer>>> referrers(ImageName image, ReferrersQuery query) override;

    Awaitable<Answer<RepositoryObject>> find_repository(RepositoryName name) override;
    RegistryStoreStats stats() const override;

private:
    struct PlannedManifest;
    PlannedManifest plan(const RequestId& id, ManifestPut put) const;
    // For manifests above the inline limit.
    Awaitable<Answer<void>> write_and_commit(PlannedManifest& planned, RequestId id);
    std::optional<ManifestInfo> find_manifest(const ImageName& image, const Digest& digest) const;
    std::optional<ManifestInfo> find_tagged(const ImageName& image, const Tag& tag) const;

    cas::Store& store_;
    Catalog& catalog_;
    AppliedState state_;
    std::uint64_t inline_size_max_bytes_;
};

}  // namespace orbitalreg::engine
