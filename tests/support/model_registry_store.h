#pragma once
// ModelStore is RegistryStore and DocumentStore as plain maps: what the real ones must agree with.
// It is the oracle of tests/contract/registry_store_test.cc and of the simulator: written for being
// obviously right, not for speed.
//
// Threads  one. Every operation is done when it is first resumed.

#include "engine/document_store.h"
#include "engine/registry_store.h"

#include <map>
#include <set>

namespace orbitalreg::engine {

class ModelStore final : public RegistryStore, public DocumentStore {
public:
    explicit ModelStore(const RegistryLimits& limits) : limits_{limits} {}

    // Time passes only here.
    void advance_ms(std::uint64_t by) { now_ms_ += by; }

    // --- RegistryStore ---
    StoreCapabilities capabilities() const noexcept override { return {false, true}; }
    std::array<std::byte, 32> derive_key(std::string_view label) const noexcept override;
    std::uint64_t store_time_ms() const noexcept override { return now_ms_; }

    Awaitable<Answer<std::unique_ptr<UploadWriter>>> open_upload(PushTarget target,
                                                                 UploadStart start) override;
    Awaitable<Answer<std::unique_ptr<UploadWriter>>> begin_blob(
        PushTarget target, DigestAlgorithm algorithm,
        std::optional<std::uint64_t> size_hint) override;
    bool uploads_full() const noexcept override { return false; }
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

    // --- DocumentStore ---
    Awaitable<Answer<Document>> get(std::string name) override;
    Awaitable<Answer<std::uint64_t>> put(RequestId id, DocumentWrite write) override;
    Awaitable<Answer<void>> remove(RequestId id, std::string name,
                                   DocumentExpectation expected) override;
    Awaitable<Answer<DocumentPage>> list(std::string prefix, std::string after,
                                         std::uint32_t count_max) override;
    std::shared_ptr<void> watch(std::string prefix,
                                std::function<void(const std::string& name)> changed) override;

private:
    friend class ModelWriter;
    using Bytes = std::vector<std::byte>;

    struct HeldManifest {
        Referrer described;
        std::set<Digest> children;
        std::optional<Digest> subject;
    };
    struct Image {
        std::set<Digest> links;
        std::map<Digest, HeldManifest> manifests;
        std::map<std::string, Digest> tags;
    };
    struct Session {
        UploadStatus::State state = UploadStatus::State::open;
        Bytes marked;
        std::optional<Digest> digest;
        bool busy = false;
    };

    Image* find(const ImageName& image);
    bool links(const ImageName& image, const Digest& digest);
    bool holds(const ImageName& image, const Digest& digest);
    Refusal unknown_in(const ImageName& image, Errc otherwise);
    void link(const PushTarget& target, const Digest& digest);
    void make_repository(const PushTarget& target);
    void drop_if_empty(const ImageName& image);
    Answer<void> check_tag(const ImageName& image, const Tag& tag, const TagExpectation& expected);
    Answer<void> check_put(const ManifestPut& put);
    Answer<void> check_document(const DocumentWrite& write);
    std::uint64_t live_version(const std::string& name);
    std::uint64_t write_document(const DocumentWrite& write);

    // Does `what` once for each id; asked again it gives the first outcome.
    template <class What>
    Answer<std::uint64_t> once(RequestId id, What what);

    RegistryLimits limits_;
    std::uint64_t now_ms_ = 1'000'000;
    std::uint64_t version_ = 0;
    std::map<Digest, Bytes> blobs_;
    std::map<std::string, Image> images_;
    std::map<RepositoryName, RepositoryObject> repositories_;
    std::map<SessionId, Session> sessions_;
    std::map<std::string, Document> documents_;
    std::map<RequestId, std::pair<std::uint64_t, Answer<std::uint64_t>>>
        outcomes_;  // when, and how it ended
    std::vector<std::pair<std::string, std::weak_ptr<std::function<void(const std::string&)>>>>
        watches_;
};

}  // namespace orbitalreg::engine
