#include "embedded/embedded_retention_store.h"

#include "base/planted_bug.h"
#include "embedded/keys.h"
#include "embedded/translate.h"
#include "embedded/turn.h"

#include <algorithm>
#include <map>
#include <memory>
#include <unordered_map>

namespace orbitalreg::engine {

namespace {

// Readers of a shard hold up its writer for so many entries at most.
constexpr std::uint32_t kSliceMax = 256;

using Fates = std::vector<JudgedFate>;

// What a batch of judged deletions found in its turn. Shared with the check, which may outlive the coroutine.
struct JudgedBatch {
    ImageName image;
    std::vector<JudgedTag> tags;
    std::vector<JudgedManifest> manifests;
    std::function<bool(const ImageName&, const Digest&)> is_waiting;
    Fates fates;
};

// A pull that is not written yet counts for what it will count for then: the parts of an index, and the indexes of a part.
bool is_pulled(const AppliedState& state, const JudgedBatch& batch, const Digest& digest) {
    if (!batch.is_waiting || ORB_PLANTED(recheck_skipped_before_retention_delete)) return false;
    if (batch.is_waiting(batch.image, digest)) return true;
    const auto found = state.store.find(digest);
    if (!found) return false;
    const auto waits = [&](cas::BlobId other) {
        const auto of_other = state.store.digest_of(other);
        return of_other && batch.is_waiting(batch.image, *of_other);
    };
    const auto parts = state.catalog.manifests().children(found->id);
    return std::any_of(parts.begin(), parts.end(), waits) ||
           state.catalog.manifests().find_user(found->id, waits).has_value();
}

bool is_unchanged(const AppliedState& state, const ImageName& image, const JudgedTag& judged) {
    const auto& images = state.catalog.images();
    const auto entry = images.tag_entry(image.text(), judged.tag.text());
    if (!entry) return false;
    if (ORB_PLANTED(recheck_skipped_before_retention_delete)) return true;
    const cas::BlobId manifest{entry->manifest};
    const auto known = state.catalog.manifests().find(manifest);
    const auto held = images.manifest_entry(image.text(), manifest);
    return known && held && known->digest == judged.digest &&
           entry->times.pushed_s == judged.pushed_s &&
           entry->times.pulled_with(held->times) == judged.pulled_s;
}

bool is_unchanged(const AppliedState& state, const ImageName& image, const JudgedManifest& judged) {
    const auto& images = state.catalog.images();
    const auto found = state.store.find(judged.digest);
    const auto held = found ? images.manifest_entry(image.text(), found->id) : std::nullopt;
    if (!held) return false;
    if (ORB_PLANTED(recheck_skipped_before_retention_delete)) return true;
    const auto in_use = [&](cas::BlobId user) {
        return images.find_manifest(image.text(), user).has_value();
    };
    return held->tag_count == 0 && held->times.put_s == judged.put_s &&
           held->times.pulled_s == judged.pulled_s &&
           held->times.untagged_s == judged.untagged_s.value_or(held->times.untagged_s) &&
           !state.catalog.manifests().find_user(found->id, in_use);
}

// One record for each that is as it was.
Answer<void> check_batch(const AppliedState& state, JudgedBatch& batch, const RequestId& id,
                         cas::Change& change) {
    for (const auto& tag : batch.tags) {
        const bool same =
            !is_pulled(state, batch, tag.digest) && is_unchanged(state, batch.image, tag);
        batch.fates.push_back(same ? JudgedFate::deleted : JudgedFate::changed);
        if (same) change.records.push_back(encode(TagDeleteRecord{batch.image, tag.tag, id}));
    }
    for (const auto& manifest : batch.manifests) {
        const bool same =
            !is_pulled(state, batch, manifest.digest) && is_unchanged(state, batch.image, manifest);
        batch.fates.push_back(same ? JudgedFate::deleted : JudgedFate::changed);
        if (same)
            change.records.push_back(
                encode(ManifestDeleteRecord{batch.image, manifest.digest, id}));
    }
    if (change.records.empty()) return refuse(Errc::precondition_failed);
    return ok();
}

Awaitable<Answer<Fates>> commit_batch(cas::Store* store, Catalog* catalog, AppliedState state,
                                      RequestId id, std::shared_ptr<JudgedBatch> batch) {
    cas::Change change;
    const auto& image = batch->image;
    change.keys.shared = {repository_key(image), image_pulls_key(image)};
    for (const auto& tag : batch->tags) {
        change.keys.exclusive.push_back(image_tag_key(image, tag.tag));
        // Nothing else may lose or gain a tag of this manifest meanwhile.
        change.keys.shared.push_back(image_digest_key(image, tag.digest));
    }
    for (const auto& manifest : batch->manifests)
        change.keys.exclusive.push_back(image_digest_key(image, manifest.digest));
    TurnCheck check = [state, batch, id](cas::Change& self,
                                         const cas::FrameContext&) -> Answer<void> {
        return check_batch(state, *batch, id, self);
    };
    const auto committed =
        co_await commit(*store, *catalog, id, std::move(change), std::move(check));
    const bool all_changed = !committed && committed.error().code == Errc::precondition_failed;
    if (!committed && !all_changed) co_return refuse(committed.error());
    // An id that had its turn before: what happened then is not known any more.
    if (batch->fates.empty())
        batch->fates.assign(batch->tags.size() + batch->manifests.size(), JudgedFate::changed);
    co_return std::move(batch->fates);
}

}  // namespace

std::uint32_t EmbeddedRetentionStore::now_s() const noexcept {
    return static_cast<std::uint32_t>(
        std::min<std::uint64_t>(store_.store_time_ms() / 1000, UINT32_MAX));
}

Awaitable<Answer<void>> EmbeddedRetentionStore::note_pulls(RequestId id,
                                                           std::vector<ImagePulls> pulls) {
    cas::Change change;
    for (const auto& each : pulls) change.keys.exclusive.push_back(image_pulls_key(each.image));
    change.records.push_back(encode(PullTimesRecord{std::move(pulls), id}));
    TurnCheck check = [](cas::Change&, const cas::FrameContext&) -> Answer<void> { return ok(); };
    const auto committed =
        co_await commit(store_, catalog_, id, std::move(change), std::move(check));
    if (!committed) co_return refuse(committed.error());
    co_return ok();
}

Awaitable<Answer<Fates>> EmbeddedRetentionStore::delete_judged_tags(RequestId id, ImageName image,
                                                                    std::vector<JudgedTag> tags) {
    if (tags.empty()) co_return Fates{};
    if (tags.size() > kJudgedMax) co_return refuse(Errc::limit_reached);
    auto batch = std::make_shared<JudgedBatch>(
        JudgedBatch{std::move(image), std::move(tags), {}, is_waiting_, {}});
    co_return co_await commit_batch(&store_, &catalog_, state_, id, std::move(batch));
}

Awaitable<Answer<Fates>> EmbeddedRetentionStore::delete_judged_manifests(
    RequestId id, ImageName image, std::vector<JudgedManifest> manifests) {
    if (manifests.empty()) co_return Fates{};
    if (manifests.size() > kJudgedMax) co_return refuse(Errc::limit_reached);
    auto batch = std::make_shared<JudgedBatch>(
        JudgedBatch{std::move(image), {}, std::move(manifests), is_waiting_, {}});
    co_return co_await commit_batch(&store_, &catalog_, state_, id, std::move(batch));
}

// --- snapshots ---

namespace {

using Places = std::unordered_map<std::uint32_t, std::uint32_t>;  // of manifests, by blob

// Nothing for one that has gone meanwhile.
std::optional<HeldManifest> describe(const Catalog& catalog,
                                     const ImageTable::HeldSlice::Manifest& held) {
    const auto known = catalog.manifests().find(held.id);
    if (!known) return std::nullopt;
    const auto& times = held.entry.times;
    return HeldManifest{known->digest, held.entry.kind,   known->size_bytes, times.pushed_s,
                        times.put_s,   times.untagged_s,  times.pulled_s,    {},
                        held.subject,  held.artifact_type};
}

Places add_manifests(const Catalog& catalog, ImageSnapshot& snapshot) {
    Places places;
    std::uint32_t after = 0;
    for (bool more = true; more;) {
        const auto slice = catalog.images().manifests_after(snapshot.image, after, kSliceMax);
        for (const auto& held : slice.manifests) {
            after = held.id.value;
            auto described = describe(catalog, held);
            if (!described) continue;
            places.emplace(held.id.value, static_cast<std::uint32_t>(snapshot.manifests.size()));
            snapshot.manifests.push_back(std::move(*described));
        }
        more = slice.more;
    }
    return places;
}

void add_children(const Catalog& catalog, ImageSnapshot& snapshot, const Places& places) {
    for (const auto& [blob, place] : places) {
        auto& manifest = snapshot.manifests[place];
        if (!is_index(manifest.kind)) continue;
        for (const auto child : catalog.manifests().children(cas::BlobId{blob})) {
            const auto found = places.find(child.value);
            if (found != places.end()) manifest.children.push_back(found->second);
        }
    }
}

// A tag whose manifest was not seen was set meanwhile: it is not judged.
void add_tags(const Catalog& catalog, ImageSnapshot& snapshot, const Places& places) {
    std::string after;
    for (bool more = true; more;) {
        const auto slice = catalog.images().tags_after(snapshot.image, after, kSliceMax);
        for (const auto& named : slice.tags) {
            after = named.tag;
            const auto place = places.find(named.entry.manifest);
            const auto held =
                catalog.images().manifest_entry(snapshot.image, cas::BlobId{named.entry.manifest});
            if (place == places.end() || !held) continue;
            snapshot.tags.push_back({named.tag, place->second, named.entry.times.pushed_s,
                                     named.entry.times.pulled_with(held->times)});
        }
        more = slice.more;
    }
}

}  // namespace

Awaitable<std::optional<ImageSnapshot>> EmbeddedRetentionStore::take_snapshot(
    const EmbeddedRetentionStore* self, ImageName image) {
    ImageSnapshot snapshot;
    snapshot.image = image.text();
    snapshot.taken_s = self->now_s();
    snapshot.history_since_s = self->history_since_s();
    const auto& catalog = self->catalog_;
    const auto places = add_manifests(catalog, snapshot);
    if (snapshot.manifests.empty()) co_return std::nullopt;
    add_children(catalog, snapshot, places);
    add_tags(catalog, snapshot, places);
    co_return snapshot;
}

Awaitable<Answer<ImageSnapshot>> EmbeddedRetentionStore::snapshot(ImageName image) {
    auto taken = co_await asio::co_spawn(background_, take_snapshot(this, std::move(image)),
                                         asio::use_awaitable);
    if (!taken) co_return refuse(Errc::name_unknown);
    co_return std::move(*taken);
}

// --- what would become free ---

Awaitable<ReleasedContent> EmbeddedRetentionStore::release_of(std::vector<ImageManifest> gone) {
    co_return co_await asio::co_spawn(background_, add_up(this, std::move(gone)),
                                      asio::use_awaitable);
}

// References are released as the catalog would: an image name's hold of a manifest is one on its blob, the last hold
// releases the children.
Awaitable<ReleasedContent> EmbeddedRetentionStore::add_up(const EmbeddedRetentionStore* self,
                                                          std::vector<ImageManifest> gone) {
    const auto& manifests = self->catalog_.manifests();
    struct Blob {
        std::uint64_t size_bytes = 0;
        std::uint32_t references = 0;
        std::uint32_t holders = 0;  // image names, of a manifest
    };
    // By digest: an id may be another blob's by the time it is looked up.
    std::map<Digest, Blob> blobs;
    std::unordered_map<std::uint32_t, std::vector<cas::BlobId>> children_of;
    ReleasedContent released;
    const auto look_up = [&](const Digest& digest) -> Blob* {
        const auto known = blobs.find(digest);
        if (known != blobs.end()) return &known->second;
        const auto stat = self->store_.find(digest);
        if (!stat) return nullptr;
        const auto users = static_cast<std::uint32_t>(manifests.user_count(stat->id));
        const auto holders = stat->references - std::min(stat->references, users);
        return &blobs.emplace(digest, Blob{stat->size_bytes, stat->references, holders})
                    .first->second;
    };
    const auto release = [&](Blob& blob) {
        if (blob.references == 0 || --blob.references > 0) return;
        ++released.blobs;
        released.bytes += blob.size_bytes;
    };
    for (const auto& each : gone) {
        const auto stat = self->store_.find(each.digest);
        auto* const own = look_up(each.digest);
        if (!stat || own == nullptr || own->holders == 0) continue;
        release(*own);
        if (--own->holders > 0) continue;
        for (const auto child : manifests.children(stat->id)) {
            const auto digest = self->store_.digest_of(child);
            auto* const blob = digest ? look_up(*digest) : nullptr;
            if (blob != nullptr) release(*blob);
        }
    }
    co_return released;
}

Awaitable<Answer<std::vector<std::byte>>> EmbeddedRetentionStore::read_released(
    Digest digest, std::uint64_t size_max) {
    auto reader = store_.open_blob(digest);
    if (!reader) co_return refuse(translate(reader.error()));
    const auto size = reader.value()->size_bytes();
    if (size > size_max) co_return refuse(Errc::too_large);
    std::vector<std::byte> bytes;
    bytes.reserve(size);
    while (bytes.size() < size) {
        const auto piece = co_await reader.value()->read(bytes.size(), size - bytes.size());
        if (!piece) co_return refuse(translate(piece.error()));
        bytes.insert(bytes.end(), piece.value().bytes.begin(), piece.value().bytes.end());
    }
    co_return bytes;
}

}  // namespace orbitalreg::engine
