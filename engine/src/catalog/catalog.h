#pragma once
// Catalog is the registry's state in memory: a deterministic state machine that the journal feeds.
// What it holds is a pure function of the records applied; look-ups see applied state only.
//
// Threads  verify() from any; apply(), forget() and requests() on the sequencer's thread; look-ups
//          from any.
// Locks    image shard, then manifest table; each table locks itself. None is held across a call
//          into another layer, except of the reference sink, which takes no lock of ours.

#include "cas/journal.h"
#include "catalog/catalog_records.h"
#include "catalog/document_table.h"
#include "catalog/image_table.h"
#include "catalog/manifest_table.h"
#include "catalog/request_table.h"
#include "engine/options.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <vector>

namespace orbitalreg::engine {

class Catalog final : public cas::CatalogMachine {
public:
    explicit Catalog(const RegistryLimits& limits) : requests_{limits} {}

    // --- CatalogMachine ---
    Result<void> verify(const cas::CatalogRecordView& record) const noexcept override;
    void apply(const cas::FrameContext& frame, std::span<const cas::CatalogRecordView> group,
               cas::ReferenceSink& references) noexcept override;
    void forget(cas::BlobId blob, const Digest& digest) noexcept override;
    std::uint64_t link_count(cas::BlobId blob) const override { return images_.owner_count(blob); }
    void visit_references(const std::function<void(cas::BlobId)>& edge) const override;
    std::vector<cas::CheckpointTable*> checkpoint_tables() override;
    void blobs_loaded(cas::BlobId end) noexcept override {
        manifests_.expect_blobs_below(end.value);
        images_.expect_blobs_below(end.value);
    }
    std::vector<cas::CheckpointTable*> recount_tables() override;
    void visit_row_references(std::uint16_t table, ByteView row,
                              const std::function<void(cas::BlobId)>& edge) const override;
    std::unique_ptr<cas::CatalogSalvage> salvage(cas::SalvagedBlobs& blobs) override;
    std::uint64_t fingerprint() const override;

    // --- look-ups ---
    const ImageTable& images() const noexcept { return images_; }
    // For a rebuild.
    ImageTable& images() noexcept { return images_; }
    const ManifestTable& manifests() const noexcept { return manifests_; }
    const DocumentTable& documents() const noexcept { return documents_; }
    std::optional<RepositoryObject> find_repository(const RepositoryName& name) const;
    // A manifest of this image name that refers to the blob.
    std::optional<Digest> find_user_in(std::string_view image, cas::BlobId blob) const;
    RegistryStoreStats stats() const;

    // Sequencer only.
    RequestTable& requests() noexcept { return requests_; }

    // `changed` is called after each applied change of a document under `prefix`, while the handle
    // lives.
    std::shared_ptr<void> watch_documents(std::string prefix,
                                          std::function<void(const std::string&)> changed);

    // Manifest and image tables against each other and in themselves. Not beside apply().
    void check_invariants() const;

private:
    struct Watch {
        std::string prefix;
        std::function<void(const std::string&)> changed;
    };
    struct RepositoryRows {
        using Key = RepositoryName;
        Catalog* catalog;

        std::optional<Key> next(const std::optional<Key>& after) const;
        void encode(const Key& name, std::vector<std::byte>& row) const;
        Result<void> load(ByteView row) const;
        Result<void> loaded() const { return ok(); }
    };

    void apply_record(const cas::FrameContext& frame, const ManifestPutRecord& record,
                      cas::ReferenceSink& references);
    void apply_record(const cas::FrameContext& frame, const TagSetRecord& record,
                      cas::ReferenceSink& references);
    void apply_record(const cas::FrameContext& frame, const TagDeleteRecord& record,
                      cas::ReferenceSink& references);
    void apply_record(const cas::FrameContext& frame, const ManifestDeleteRecord& record,
                      cas::ReferenceSink& references);
    void apply_record(const cas::FrameContext& frame, const LinkAddRecord& record,
                      cas::ReferenceSink& references);
    void apply_record(const cas::FrameContext& frame, const LinkDeleteRecord& record,
                      cas::ReferenceSink& references);
    void apply_record(const cas::FrameContext& frame, const RepositoryPutRecord& record,
                      cas::ReferenceSink& references);
    void apply_record(const cas::FrameContext& frame, const DocumentPutRecord& record,
                      cas::ReferenceSink& references);
    void apply_record(const cas::FrameContext& frame, const DocumentDeleteRecord& record,
                      cas::ReferenceSink& references);
    void apply_record(const cas::FrameContext& frame, const PullTimesRecord& record,
                      cas::ReferenceSink& references);
    void note_pull(const ImageName& image, const PullNote& pull, cas::BlobId manifest,
                   std::uint32_t pulled_s);
    void tell_watchers(const std::string& name);

    ManifestTable manifests_;
    ImageTable images_{manifests_};
    DocumentTable documents_;
    RequestTable requests_;

    mutable std::shared_mutex repositories_mutex_;
    std::map<RepositoryName, RepositoryObject> repositories_;
    cas::WalkedTable<RepositoryRows> repository_rows_{number_of(TableNumber::repositories), {this}};

    std::mutex watches_mutex_;
    std::vector<std::weak_ptr<Watch>> watches_;
};

}  // namespace orbitalreg::engine
