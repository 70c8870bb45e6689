#include "embedded/embedded_registry_store.h"

#include "embedded/embedded_streams.h"
#include "embedded/keys.h"
#include "embedded/translate.h"
#include "embedded/turn.h"

#include <cstring>

namespace orbitalreg::engine {

std::array<std::byte, 32> EmbeddedRegistryStore::derive_key(std::string_view label) const noexcept {
    return store_.derive_key(label);
}

std::uint64_t EmbeddedRegistryStore::store_time_ms() const noexcept {
    return store_.store_time_ms();
}

// --- uploads ---

namespace {

cas::UploadStart to_cas(const UploadStart& start, const ImageName& owner) {
    const auto text = as_bytes(owner.text());
    return {start.session,
            start.issued_store_time_s,
            {text.begin(), text.end()},
            start.algorithm,
            start.size_hint_bytes};
}

}  // namespace

Awaitable<Answer<std::unique_ptr<UploadWriter>>> EmbeddedRegistryStore::open_upload(
    PushTarget target, UploadStart start) {
    auto session = to_cas(start, target.image);
    auto writer = co_await store_.open_upload(std::move(session));
    if (!writer) {
        auto refusal = translate(writer.error());
        if (refusal.code == Errc::offset_mismatch) {
            refusal.message = "another request is writing to this upload";
            refusal.offset_bytes = store_.upload_status(start.session).offset;
        }
        co_return refuse(std::move(refusal));
    }
    co_return std::make_unique<EmbeddedUploadWriter>(state_, std::move(target), true,
                                                     std::move(writer).value());
}

Awaitable<Answer<std::unique_ptr<UploadWriter>>> EmbeddedRegistryStore::begin_blob(
    PushTarget target, DigestAlgorithm algorithm, std::optional<std::uint64_t> size_hint) {
    auto writer = co_await store_.begin_blob(algorithm, size_hint);
    if (!writer) co_return refuse(translate(writer.error()));
    co_return std::make_unique<EmbeddedUploadWriter>(state_, std::move(target), false,
                                                     std::move(writer).value());
}

Awaitable<Answer<UploadStatus>> EmbeddedRegistryStore::upload_status(SessionId session) {
    const auto status = store_.upload_status(session);
    UploadStatus answer{UploadStatus::State::unknown, status.offset, status.digest, status.busy};
    switch (status.state) {
        case cas::UploadStatus::State::unknown:
            break;
        case cas::UploadStatus::State::open:
            answer.state = UploadStatus::State::open;
            break;
        case cas::UploadStatus::State::finished:
            answer.state = UploadStatus::State::finished;
            break;
        case cas::UploadStatus::State::cancelled:
            answer.state = UploadStatus::State::cancelled;
            break;
    }
    co_return answer;
}

Awaitable<Answer<void>> EmbeddedRegistryStore::cancel_upload(UploadStart start) {
    cas::UploadStart cancelled{start.session, start.issued_store_time_s, {}, start.algorithm, {}};
    const auto done = co_await store_.cancel_upload(std::move(cancelled));
    if (!done) co_return refuse(translate(done.error()));
    co_return ok();
}

// --- blobs ---

Awaitable<Answer<BlobInfo>> EmbeddedRegistryStore::stat_blob(ImageName image, Digest digest) {
    if (!state_.linked_blob(image, digest)) co_return refuse(Errc::blob_unknown);
    const auto confirmed = co_await store_.confirm(digest);
    if (!confirmed) co_return refuse(translate(confirmed.error()));
    // The link may have gone while the lease was written.
    const auto found = state_.linked_blob(image, digest);
    if (!found) co_return refuse(Errc::blob_unknown);
    co_return BlobInfo{digest, found->size_bytes};
}

Awaitable<Answer<std::unique_ptr<BlobStream>>> EmbeddedRegistryStore::read_blob(ImageName image,
                                                                                Digest digest) {
    // Pinned first, so that what is found linked is what is read.
    auto reader = store_.open_blob(digest);
    if (!reader) co_return refuse(translate(reader.error()));
    if (!state_.linked_blob(image, digest)) co_return refuse(Errc::blob_unknown);
    co_return std::make_unique<EmbeddedBlobStream>(std::move(reader).value());
}

Awaitable<Answer<BlobInfo>> EmbeddedRegistryStore::mount(RequestId id, PushTarget target,
                                                         Digest digest, ImageName source) {
    cas::Change change;
    change.keys.shared = {repository_key(target.image), cas::digest_key(digest),
                          image_digest_key(source, digest)};
    change.keys.exclusive = {image_digest_key(target.image, digest)};
    change.records.push_back(encode(LinkAddRecord{target.image, digest, id}));
    change.confirmed.push_back(digest);
    TurnCheck check = [state = state_, target, digest, source](
                          cas::Change& self, const cas::FrameContext&) -> Answer<void> {
        if (!state.linked_blob(source, digest)) return refuse(Errc::blob_unknown);
        ensure_repository(state, target, self);
        return ok();
    };
    const auto committed =
        co_await commit(store_, catalog_, id, std::move(change), std::move(check));
    if (!committed) co_return refuse(committed.error());
    const auto found = store_.find(digest);
    if (!found) co_return refuse(Errc::blob_unknown);
    co_return BlobInfo{digest, found->size_bytes};
}

Awaitable<Answer<std::vector<ImageName>>> EmbeddedRegistryStore::find_links(
    Digest digest, std::uint32_t count_max) {
    std::vector<ImageName> images;
    const auto found = store_.find(digest);
    if (!found || found->damaged) co_return images;
    for (const auto& text : catalog_.images().owners(found->id, count_max)) {
        auto image = ImageName::parse(text);
        if (image) images.push_back(std::move(image).value());
    }
    co_return images;
}

Awaitable<Answer<void>> EmbeddedRegistryStore::delete_link(RequestId id, ImageName image,
                                                           Digest digest) {
    cas::Change change;
    change.keys.shared = {repository_key(image), cas::digest_key(digest)};
    change.keys.exclusive = {image_digest_key(image, digest)};
    change.records.push_back(encode(LinkDeleteRecord{image, digest, id}));
    TurnCheck check = [state = state_, image, digest](cas::Change&,
                                                      const cas::FrameContext&) -> Answer<void> {
        // A damaged blob may be deleted, too.
        const auto found = state.store.find(digest);
        if (!found || !state.catalog.images().has_link(image.text(), found->id)) {
            return refuse(unknown_in(state, image, Errc::blob_unknown));
        }
        if (const auto user = state.catalog.find_user_in(image.text(), found->id)) {
            return refuse(
                {Errc::in_use, "the blob is used by manifest " + user->to_string(), {*user}});
        }
        return ok();
    };
    const auto committed =
        co_await commit(store_, catalog_, id, std::move(change), std::move(check));
    if (!committed) co_return refuse(committed.error());
    co_return ok();
}

// --- manifests ---

struct EmbeddedRegistryStore::PlannedManifest {
    std::shared_ptr<const ManifestPut>
        put;  // shared with the check, which may outlive the coroutine
    std::vector<std::byte> bytes;
    cas::Change change;
    TurnCheck check;
    std::shared_ptr<std::vector<std::optional<Digest>>> tags_were;  // filled by the check
};

namespace {

cas::KeySet keys_of(const ManifestPut& put) {
    const auto& image = put.target.image;
    cas::KeySet keys;
    keys.shared.push_back(repository_key(image));
    for (const auto& edge : put.manifest.edges()) {
        keys.shared.push_back(cas::digest_key(edge.descriptor.digest));
        keys.shared.push_back(image_digest_key(image, edge.descriptor.digest));
    }
    keys.exclusive = {cas::digest_key(put.digest), image_digest_key(image, put.digest)};
    for (const auto& tag : put.tags) keys.exclusive.push_back(image_tag_key(image, tag));
    for (const auto& document : put.documents)
        keys.exclusive.push_back(document_key(document.name));
    return keys;
}

ManifestPutRecord record_of(const ManifestPut& put, const RequestId& id) {
    const auto& manifest = put.manifest;
    const bool sparse = put.fetched || (put.children_may_be_missing && is_index(manifest.kind()));
    std::vector<RecordEdge> edges;
    edges.reserve(manifest.edges().size());
    for (const auto& edge : manifest.edges())
        edges.push_back({edge.descriptor.digest, sparse || edge.foreign});
    const auto& artifact_type = manifest.subject() ? manifest.artifact_type() : std::string{};
    return {put.target.image, put.digest,
            manifest.kind(),  manifest.size_bytes(),
            std::move(edges), manifest.subject(),
            artifact_type,    manifest.annotations(),
            put.tags,         id};
}

Answer<void> check_put(const AppliedState& state, const ManifestPut& put, cas::Change& change,
                       const cas::FrameContext& frame) {
    for (const auto& tag : put.tags) {
        ORB_TRY(check_tag(state, put.target.image, tag, put.expected));
    }
    ORB_TRY(check_children(state, put));
    ORB_TRY(check_referrers_limit(state, put));
    for (const auto& document : put.documents) {
        ORB_TRY(check_document(state, document, frame.store_time_ms));
    }
    for (const auto& document : put.documents) {
        const auto expires = document.keep_ms == 0 ? 0 : frame.store_time_ms + document.keep_ms;
        change.records.push_back(
            encode(DocumentPutRecord{document.name, document.bytes, expires, {}}));
    }
    ensure_repository(state, put.target, change);
    return ok();
}

// In the turn of the request: nothing moves them meanwhile.
std::vector<std::optional<Digest>> tags_before(const AppliedState& state, const ManifestPut& put) {
    std::vector<std::optional<Digest>> before;
    for (const auto& tag : put.tags) {
        const auto manifest = state.catalog.images().find_tag(put.target.image.text(), tag.text());
        const auto known = manifest ? state.catalog.manifests().find(*manifest) : std::nullopt;
        before.push_back(known ? std::optional{known->digest} : std::nullopt);
    }
    return before;
}

}  // namespace

EmbeddedRegistryStore::PlannedManifest EmbeddedRegistryStore::plan(const RequestId& id,
                                                                   ManifestPut put) const {
    PlannedManifest planned;
    planned.bytes = std::move(put.bytes);
    planned.change.keys = keys_of(put);
    planned.change.records.push_back(encode(record_of(put, id)));
    planned.put = std::make_shared<const ManifestPut>(std::move(put));
    planned.tags_were = std::make_shared<std::vector<std::optional<Digest>>>();
    planned.check = [state = state_, shared = planned.put, were = planned.tags_were](
                        cas::Change& self, const cas::FrameContext& frame) -> Answer<void> {
        *were = tags_before(state, *shared);
        return check_put(state, *shared, self, frame);
    };
    return planned;
}

Awaitable<Answer<ManifestInfo>> EmbeddedRegistryStore::put_manifest(RequestId id, ManifestPut put) {
    auto planned = plan(id, std::move(put));
    const auto& pushed = *planned.put;
    ManifestInfo info{pushed.digest, pushed.manifest.kind(), pushed.manifest.size_bytes(), {}};
    const auto were = planned.tags_were;
    if (planned.bytes.size() > inline_size_max_bytes_) {
        const auto written = co_await write_and_commit(planned, id);
        if (!written) co_return refuse(written.error());
        info.tags_were = *were;
        co_return info;
    }
    planned.change.blobs.push_back({pushed.digest, std::move(planned.bytes)});
    const auto committed =
        co_await commit(store_, catalog_, id, std::move(planned.change), std::move(planned.check));
    if (!committed) co_return refuse(committed.error());
    info.tags_were = *were;
    co_return info;
}

Awaitable<Answer<void>> EmbeddedRegistryStore::write_and_commit(PlannedManifest& planned,
                                                                RequestId id) {
    const auto digest = planned.put->digest;
    auto opened = co_await store_.begin_blob(digest.algorithm(), planned.bytes.size());
    if (!opened) co_return refuse(translate(opened.error()));
    auto& writer = *opened.value();
    ByteView rest = planned.bytes;
    while (!rest.empty()) {
        const auto lent = co_await writer.buffer();
        if (!lent) co_return refuse(translate(lent.error()));
        const auto size = std::min(rest.size(), lent.value().size());
        std::memcpy(lent.value().data(), rest.data(), size);
        const auto advanced = co_await writer.advance(size);
        if (!advanced) co_return refuse(translate(advanced.error()));
        rest = rest.subspan(size);
    }
    auto turn = std::make_shared<Turn>();
    take_turn(planned.change, catalog_, id, std::move(planned.check), turn);
    const auto finished = co_await writer.finish(digest, std::move(planned.change));
    const auto committed =
        finished ? Result<cas::Committed>{finished.value().committed} : fail(finished.error());
    const auto settled = settle(*turn, committed);
    if (!settled) co_return refuse(settled.error());
    co_return ok();
}

std::optional<ManifestInfo> EmbeddedRegistryStore::find_manifest(const ImageName& image,
                                                                 const Digest& digest) const {
    const auto found = store_.find(digest);
    if (!found) return std::nullopt;
    const auto kind = catalog_.images().find_manifest(image.text(), found->id);
    if (!kind || !state_.held_manifest(image, digest)) return std::nullopt;
    return ManifestInfo{digest, *kind, found->size_bytes};
}

std::optional<ManifestInfo> EmbeddedRegistryStore::find_tagged(const ImageName& image,
                                                               const Tag& tag) const {
    // A tag may move while it is followed, and the manifest it left may go: then it is followed
    // again (DIST-TAG-04).
    constexpr int kFollowMax = 16;
    for (int follow = 0; follow < kFollowMax; ++follow) {
        const auto manifest = catalog_.images().find_tag(image.text(), tag.text());
        if (!manifest) return std::nullopt;
        const auto known = catalog_.manifests().find(*manifest);
        const auto kind = catalog_.images().find_manifest(image.text(), *manifest);
        // Checked as a whole once more: also that its bytes are sound.
        if (known && kind && state_.held_manifest(image, known->digest)) {
            return ManifestInfo{known->digest, *kind, known->size_bytes};
        }
    }
    return std::nullopt;
}

Awaitable<Answer<ManifestInfo>> EmbeddedRegistryStore::resolve(ImageName image,
                                                               Reference reference) {
    const auto* tag = std::get_if<Tag>(&reference);
    const auto found = tag != nullptr ? find_tagged(image, *tag)
                                      : find_manifest(image, std::get<Digest>(reference));
    if (!found) co_return refuse(unknown_in(state_, image, Errc::manifest_unknown));
    co_return *found;
}

Awaitable<Answer<std::unique_ptr<BlobStream>>> EmbeddedRegistryStore::read_manifest(ImageName image,
                                                                                    Digest digest) {
    auto reader = store_.open_blob(digest);
    if (!reader) {
        auto refusal = translate(reader.error());
        if (refusal.code == Errc::blob_unknown)
            refusal = unknown_in(state_, image, Errc::manifest_unknown);
        co_return refuse(std::move(refusal));
    }
    if (!state_.held_manifest(image, digest))
        co_return refuse(unknown_in(state_, image, Errc::manifest_unknown));
    co_return std::make_unique<EmbeddedBlobStream>(std::move(reader).value());
}

Awaitable<Answer<void>> EmbeddedRegistryStore::delete_manifest(RequestId id, ImageName image,
                                                               Digest digest) {
    cas::Change change;
    change.keys.shared = {repository_key(image)};
    change.keys.exclusive = {image_digest_key(image, digest)};
    change.records.push_back(encode(ManifestDeleteRecord{image, digest, id}));
    TurnCheck check = [state = state_, image, digest](cas::Change&,
                                                      const cas::FrameContext&) -> Answer<void> {
        const auto found = state.store.find(digest);
        if (found && state.catalog.images().find_manifest(image.text(), found->id)) return ok();
        return refuse(unknown_in(state, image, Errc::manifest_unknown));
    };
    const auto committed =
        co_await commit(store_, catalog_, id, std::move(change), std::move(check));
    if (!committed) co_return refuse(committed.error());
    co_return ok();
}

Awaitable<Answer<void>> EmbeddedRegistryStore::set_tag(RequestId id, ImageName image, Tag tag,
                                                       Digest digest, TagExpectation expected) {
    cas::Change change;
    change.keys.shared = {repository_key(image)};
    change.keys.exclusive = {image_tag_key(image, tag), image_digest_key(image, digest)};
    change.records.push_back(encode(TagSetRecord{image, tag, digest, id}));
    TurnCheck check = [state = state_, image, tag, digest, expected](
                          cas::Change&, const cas::FrameContext&) -> Answer<void> {
        if (!state.held_manifest(image, digest))
            return refuse(unknown_in(state, image, Errc::manifest_unknown));
        return check_tag(state, image, tag, expected);
    };
    const auto committed =
        co_await commit(store_, catalog_, id, std::move(change), std::move(check));
    if (!committed) co_return refuse(committed.error());
    co_return ok();
}

Awaitable<Answer<void>> EmbeddedRegistryStore::delete_tag(RequestId id, ImageName image, Tag tag,
                                                          TagExpectation expected) {
    cas::Change change;
    change.keys.shared = {repository_key(image)};
    change.keys.exclusive = {image_tag_key(image, tag)};
    change.records.push_back(encode(TagDeleteRecord{image, tag, id}));
    TurnCheck check = [state = state_, image, tag, expected](
                          cas::Change&, const cas::FrameContext&) -> Answer<void> {
        if (!state.catalog.images().find_tag(image.text(), tag.text())) {
            return refuse(unknown_in(state, image, Errc::manifest_unknown));
        }
        return check_tag(state, image, tag, expected);
    };
    const auto committed =
        co_await commit(store_, catalog_, id, std::move(change), std::move(check));
    if (!committed) co_return refuse(committed.error());
    co_return ok();
}

// --- listings ---

Awaitable<Answer<Page<std::string>>> EmbeddedRegistryStore::list_tags(ImageName image,
                                                                      std::string after,
                                                                      std::uint32_t count_max) {
    auto page = catalog_.images().list_tags(image.text(), after, count_max);
    if (!page) co_return refuse(Errc::name_unknown);
    co_return std::move(*page);
}

Awaitable<Answer<Page<std::string>>> EmbeddedRegistryStore::list_images(std::string after,
                                                                        std::uint32_t count_max) {
    co_return catalog_.images().list_images(after, count_max);
}

Awaitable<Answer<Page<Referrer>>> EmbeddedRegistryStore::referrers(ImageName image,
                                                                   ReferrersQuery query) {
    co_return catalog_.images().referrers(image.text(), query);
}

Awaitable<Answer<RepositoryObject>> EmbeddedRegistryStore::find_repository(RepositoryName name) {
    auto found = catalog_.find_repository(name);
    if (!found) co_return refuse(Errc::name_unknown);
    co_return std::move(*found);
}

RegistryStoreStats EmbeddedRegistryStore::stats() const { return catalog_.stats(); }

}  // namespace orbitalreg::engine
