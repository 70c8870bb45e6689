#include "catalog/catalog.h"

#include "base/assert.h"
#include "base/checksum.h"
#include "base/planted_bug.h"

#include <algorithm>

namespace orbitalreg::engine {

namespace {

constexpr std::size_t kPartsMax = 64;  // indexes inside of one that is pulled

std::uint32_t seconds_of(const cas::FrameContext& frame) noexcept {
    return static_cast<std::uint32_t>(
        std::min<std::uint64_t>(frame.store_time_ms / 1000, UINT32_MAX));
}

}  // namespace

Result<void> Catalog::verify(const cas::CatalogRecordView& record) const noexcept {
    ORB_TRY(decode(record));
    return ok();
}

void Catalog::apply(const cas::FrameContext& frame, std::span<const cas::CatalogRecordView> group,
                    cas::ReferenceSink& references) noexcept {
    for (const auto& view : group) {
        const auto change = decode(view);
        ORB_ASSERT(change.has_value());  // verified when read, or encoded by this process
        std::visit([&](const auto& record) { apply_record(frame, record, references); },
                   change.value());
        requests_.note(request_of(change.value()), {frame.lsn.value, nullptr}, frame.store_time_ms);
    }
}

void Catalog::apply_record(const cas::FrameContext& frame, const ManifestPutRecord& record,
                           cas::ReferenceSink& references) {
    const auto manifest = references.find(record.digest);
    // Its blob is in the same group, or was live when the request was checked.
    if (!manifest) return;
    const Referrer described{record.digest, record.kind, record.size_bytes, record.artifact_type,
                             record.annotations};
    const auto& image = record.image.text();
    // References first: a reader that sees the manifest finds its row.
    if (!images_.find_manifest(image, *manifest)) {
        manifests_.add(*manifest, record.digest, record.size_bytes, references);
    }
    for (const auto& edge : record.edges) {
        if (const auto child = references.find(edge.digest)) {
            manifests_.add_child(*manifest, *child, references);
        } else {
            manifests_.await_child(*manifest, edge.digest);
        }
    }
    manifests_.arrive(*manifest, record.digest, references);
    images_.put_manifest(image, *manifest, described, record.subject, record.tags,
                         seconds_of(frame));
}

void Catalog::apply_record(const cas::FrameContext& frame, const TagSetRecord& record,
                           cas::ReferenceSink& references) {
    if (const auto manifest = references.find(record.digest)) {
        images_.set_tag(record.image.text(), record.tag.text(), *manifest, seconds_of(frame));
    }
}

void Catalog::apply_record(const cas::FrameContext& frame, const TagDeleteRecord& record,
                           cas::ReferenceSink&) {
    images_.remove_tag(record.image.text(), record.tag.text(), seconds_of(frame));
}

void Catalog::apply_record(const cas::FrameContext&, const ManifestDeleteRecord& record,
                           cas::ReferenceSink& references) {
    const auto manifest = references.find(record.digest);
    if (!manifest || !images_.remove_manifest(record.image.text(), *manifest)) return;
    manifests_.remove(*manifest, references);
}

void Catalog::apply_record(const cas::FrameContext&, const LinkAddRecord& record,
                           cas::ReferenceSink& references) {
    const auto blob = references.find(record.digest);
    if (!blob) return;
    images_.add_link(record.image.text(), *blob);
    manifests_.arrive(*blob, record.digest, references);
}

void Catalog::apply_record(const cas::FrameContext&, const LinkDeleteRecord& record,
                           cas::ReferenceSink& references) {
    if (const auto blob = references.find(record.digest))
        images_.remove_link(record.image.text(), *blob);
}

void Catalog::apply_record(const cas::FrameContext&, const RepositoryPutRecord& record,
                           cas::ReferenceSink&) {
    std::unique_lock lock{repositories_mutex_};
    repository_rows_.before_change(record.object.name);
    repositories_.insert_or_assign(record.object.name, record.object);
}

void Catalog::apply_record(const cas::FrameContext& frame, const DocumentPutRecord& record,
                           cas::ReferenceSink&) {
    documents_.put({record.name, frame.lsn.value, record.expires_store_time_ms, record.bytes},
                   frame.store_time_ms);
    tell_watchers(record.name);
}

void Catalog::apply_record(const cas::FrameContext& frame, const DocumentDeleteRecord& record,
                           cas::ReferenceSink&) {
    documents_.remove(record.name, frame.store_time_ms);
    tell_watchers(record.name);
}

// The first one begins the history of pulls, also where it holds none.
void Catalog::apply_record(const cas::FrameContext& frame, const PullTimesRecord& record,
                           cas::ReferenceSink& references) {
    const auto now_s = seconds_of(frame);
    images_.begin_history(now_s);
    if (ORB_PLANTED(pull_times_lost_at_flush)) return;
    for (const auto& [image, pulls] : record.images) {
        for (const auto& pull : pulls) {
            const auto manifest = references.find(pull.digest);
            if (manifest) note_pull(image, pull, *manifest, std::min(pull.pulled_s, now_s));
        }
    }
}

// A pull of an index counts for its children, one of a child by its digest for every index that has it.
void Catalog::note_pull(const ImageName& image, const PullNote& pull, cas::BlobId manifest,
                        std::uint32_t pulled_s) {
    const auto& name = image.text();
    const auto* tag = pull.tag ? &pull.tag->text() : nullptr;
    const auto kind = images_.note_pull(name, manifest, tag, pulled_s);
    if (!kind) return;
    if (tag == nullptr) {
        for (const auto user : manifests_.users(manifest, SIZE_MAX))
            images_.note_pull(name, user, nullptr, pulled_s);
    }
    if (!is_index(*kind)) return;
    std::vector<cas::BlobId> parts{manifest};
    for (std::size_t i = 0; i < parts.size() && parts.size() < kPartsMax; ++i) {
        for (const auto child : manifests_.children(parts[i])) {
            const auto of_child = images_.note_pull(name, child, nullptr, pulled_s);
            if (of_child && is_index(*of_child)) parts.push_back(child);
        }
    }
}

void Catalog::forget(cas::BlobId blob, const Digest&) noexcept {
    if (ORB_PLANTED(id_reused_under_weak_edge)) return;
    images_.forget(blob);
}

void Catalog::visit_references(const std::function<void(cas::BlobId)>& edge) const {
    images_.visit_manifests(edge);
    manifests_.visit_children(edge);
}

std::uint64_t Catalog::fingerprint() const {
    auto sum = images_.fingerprint();
    sum = mix64(sum, manifests_.fingerprint());
    sum = mix64(sum, documents_.fingerprint());
    std::shared_lock lock{repositories_mutex_};
    for (const auto& [name, object] : repositories_) {
        sum = mix64(sum,
                    checksum64(as_bytes(name.text()), static_cast<std::uint64_t>(object.type) * 2 +
                                                          (object.sparse_index_allowed ? 1 : 0)));
    }
    return sum;
}

std::optional<RepositoryObject> Catalog::find_repository(const RepositoryName& name) const {
    std::shared_lock lock{repositories_mutex_};
    const auto found = repositories_.find(name);
    if (found == repositories_.end()) return std::nullopt;
    return found->second;
}

std::optional<Digest> Catalog::find_user_in(std::string_view image, cas::BlobId blob) const {
    std::optional<cas::BlobId> user;
    // From the side that has fewer: a base layer has thousands of users, an image name rarely.
    if (manifests_.user_count(blob) <= images_.manifest_count(image)) {
        user = manifests_.find_user(
            blob, [&](cas::BlobId m) { return images_.find_manifest(image, m).has_value(); });
    } else {
        for (const auto manifest : images_.manifests(image)) {
            if (!manifests_.is_child(manifest, blob)) continue;
            user = manifest;
            break;
        }
    }
    if (!user) return std::nullopt;
    const auto known = manifests_.find(*user);
    if (!known) return std::nullopt;
    return known->digest;
}

RegistryStoreStats Catalog::stats() const {
    RegistryStoreStats stats;
    images_.count(stats);
    stats.documents = documents_.size();
    stats.catalog_memory_bytes =
        images_.memory_bytes() + manifests_.memory_bytes() + documents_.memory_bytes();
    std::shared_lock lock{repositories_mutex_};
    stats.repositories = repositories_.size();
    return stats;
}

std::shared_ptr<void> Catalog::watch_documents(std::string prefix,
                                               std::function<void(const std::string&)> changed) {
    auto watch = std::make_shared<Watch>(Watch{std::move(prefix), std::move(changed)});
    std::scoped_lock lock{watches_mutex_};
    std::erase_if(watches_, [](const auto& w) { return w.expired(); });
    watches_.push_back(watch);
    return watch;
}

void Catalog::tell_watchers(const std::string& name) {
    std::scoped_lock lock{watches_mutex_};
    for (const auto& weak : watches_) {
        const auto watch = weak.lock();
        if (watch && name.starts_with(watch->prefix)) watch->changed(name);
    }
}

void Catalog::check_invariants() const {
    images_.check_invariants();
    manifests_.check_invariants();
}

}  // namespace orbitalreg::engine
