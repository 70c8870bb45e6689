#include "support/model_registry_store.h"

#include <algorithm>

namespace orbitalreg::engine {

namespace {

bool is_document_name(const std::string& name) {
    return !name.empty() && name.size() <= 255 &&
           std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c <= '~'; });
}

class ModelStream final : public BlobStream {
public:
    ModelStream(const Digest& digest, std::vector<std::byte> bytes)
        : digest_{digest},
          bytes_{std::make_shared<const std::vector<std::byte>>(std::move(bytes))} {}
    const Digest& digest() const noexcept override { return digest_; }
    std::uint64_t size_bytes() const noexcept override { return bytes_->size(); }
    Awaitable<Answer<BlobPiece>> read(std::uint64_t offset, std::uint64_t length_max) override {
        const auto rest = ByteView{*bytes_}.subspan(offset);
        co_return BlobPiece{rest.first(std::min<std::uint64_t>(rest.size(), length_max)), bytes_};
    }

private:
    Digest digest_;
    std::shared_ptr<const std::vector<std::byte>> bytes_;
};

class ModelFollowed final : public FollowedUpload {
public:
    std::uint64_t readable_bytes() const noexcept override { return bytes.size(); }
    Awaitable<Answer<BlobPiece>> read(std::uint64_t offset, std::uint64_t length_max) override {
        const auto rest = ByteView{bytes}.subspan(offset);
        const auto piece = rest.first(std::min<std::uint64_t>(rest.size(), length_max));
        const auto copy = std::make_shared<std::vector<std::byte>>(piece.begin(), piece.end());
        co_return BlobPiece{*copy, copy};
    }

    std::vector<std::byte> bytes;
};

}  // namespace

class ModelWriter final : public UploadWriter {
public:
    ModelWriter(ModelStore& store, PushTarget target, std::optional<SessionId> session)
        : store_{store}, target_{std::move(target)}, session_{session} {
        if (!session_) return;
        auto& known = store_.sessions_[*session_];
        known.busy = true;
        bytes_ = known.marked;
    }
    ~ModelWriter() override {
        const auto known = session_ ? store_.sessions_.find(*session_) : store_.sessions_.end();
        if (known == store_.sessions_.end()) return;
        known->second.busy = false;
        // What was never marked was never heard of.
        if (known->second.state == UploadStatus::State::open && known->second.marked.empty() &&
            !marked_) {
            store_.sessions_.erase(known);
        }
    }

    std::uint64_t offset() const noexcept override { return bytes_.size(); }
    Awaitable<Answer<MutableByteView>> buffer() override {
        room_.resize(4096);
        co_return MutableByteView{room_};
    }
    Awaitable<Answer<void>> advance(std::size_t size) override {
        bytes_.insert(bytes_.end(), room_.begin(),
                      room_.begin() + static_cast<std::ptrdiff_t>(size));
        if (followed_) followed_->bytes = bytes_;
        co_return ok();
    }
    Awaitable<Answer<std::uint64_t>> mark() override {
        if (!session_) co_return refuse(Errc::unsupported);
        store_.sessions_[*session_].marked = bytes_;
        marked_ = true;
        co_return bytes_.size();
    }
    Awaitable<Answer<BlobInfo>> finish(Digest expected) override {
        const bool right = Digest::of(expected.algorithm(), bytes_) == expected;
        if (session_) {
            auto& known = store_.sessions_[*session_];
            known.state = right ? UploadStatus::State::finished : UploadStatus::State::cancelled;
            if (right) known.digest = expected;
        }
        if (!right) co_return refuse(Errc::digest_mismatch);
        const BlobInfo info{expected, bytes_.size()};
        store_.blobs_[expected] = bytes_;
        store_.link(target_, expected);
        co_return info;
    }
    Awaitable<Answer<std::shared_ptr<FollowedUpload>>> follow() override {
        followed_ = std::make_shared<ModelFollowed>();
        followed_->bytes = bytes_;
        co_return followed_;
    }
    Awaitable<Answer<void>> cancel() override {
        if (session_) store_.sessions_[*session_].state = UploadStatus::State::cancelled;
        co_return ok();
    }

private:
    ModelStore& store_;
    PushTarget target_;
    std::optional<SessionId> session_;
    std::vector<std::byte> bytes_;
    std::vector<std::byte> room_;
    std::shared_ptr<ModelFollowed> followed_;
    bool marked_ = false;
};

std::array<std::byte, 32> ModelStore::derive_key(std::string_view label) const noexcept {
    std::array<std::byte, 32> key;
    const auto digest = Digest::of(DigestAlgorithm::sha256, as_bytes(label));
    std::copy(digest.hash().begin(), digest.hash().end(), key.begin());
    return key;
}

template <class What>
Answer<std::uint64_t> ModelStore::once(RequestId id, What what) {
    const auto known = outcomes_.find(id);
    if (known != outcomes_.end() &&
        known->second.first + static_cast<std::uint64_t>(limits_.request_outcome_keep_ms) >
            now_ms_) {
        return known->second.second;
    }
    Answer<std::uint64_t> outcome = what();
    outcomes_.insert_or_assign(id, std::pair{now_ms_, outcome});
    return outcome;
}

// --- state ---

ModelStore::Image* ModelStore::find(const ImageName& image) {
    const auto found = images_.find(image.text());
    return found == images_.end() ? nullptr : &found->second;
}

bool ModelStore::links(const ImageName& image, const Digest& digest) {
    const auto* known = find(image);
    return known != nullptr && known->links.contains(digest);
}

bool ModelStore::holds(const ImageName& image, const Digest& digest) {
    const auto* known = find(image);
    return known != nullptr && known->manifests.contains(digest);
}

Refusal ModelStore::unknown_in(const ImageName& image, Errc otherwise) {
    return find(image) == nullptr ? Errc::name_unknown : otherwise;
}

void ModelStore::make_repository(const PushTarget& target) {
    if (target.create_repository)
        repositories_.try_emplace(target.repository.name, target.repository);
}

void ModelStore::link(const PushTarget& target, const Digest& digest) {
    make_repository(target);
    images_[target.image.text()].links.insert(digest);
}

void ModelStore::drop_if_empty(const ImageName& image) {
    const auto* known = find(image);
    if (known != nullptr && known->links.empty() && known->manifests.empty())
        images_.erase(image.text());
}

// --- uploads ---

Awaitable<Answer<std::unique_ptr<UploadWriter>>> ModelStore::open_upload(PushTarget target,
                                                                         UploadStart start) {
    const auto known = sessions_.find(start.session);
    if (known != sessions_.end() && known->second.state != UploadStatus::State::open) {
        co_return refuse(Errc::upload_unknown);
    }
    if (known != sessions_.end() && known->second.busy) co_return refuse(Errc::offset_mismatch);
    co_return std::make_unique<ModelWriter>(*this, std::move(target), start.session);
}

Awaitable<Answer<std::unique_ptr<UploadWriter>>> ModelStore::begin_blob(
    PushTarget target, DigestAlgorithm, std::optional<std::uint64_t>) {
    co_return std::make_unique<ModelWriter>(*this, std::move(target), std::nullopt);
}

Awaitable<Answer<UploadStatus>> ModelStore::upload_status(SessionId session) {
    const auto known = sessions_.find(session);
    if (known == sessions_.end()) co_return UploadStatus{};
    const auto& s = known->second;
    const bool unheard = s.state == UploadStatus::State::open && s.marked.empty();
    co_return UploadStatus{unheard ? UploadStatus::State::unknown : s.state, s.marked.size(),
                           s.digest, s.busy};
}

Awaitable<Answer<void>> ModelStore::cancel_upload(UploadStart start) {
    auto& session = sessions_[start.session];
    if (session.busy) co_return refuse(Errc::offset_mismatch);
    if (session.state != UploadStatus::State::open) co_return refuse(Errc::upload_unknown);
    session = {UploadStatus::State::cancelled, {}, {}, false};
    co_return ok();
}

// --- blobs ---

Awaitable<Answer<BlobInfo>> ModelStore::stat_blob(ImageName image, Digest digest) {
    if (!links(image, digest)) co_return refuse(Errc::blob_unknown);
    co_return BlobInfo{digest, blobs_.at(digest).size()};
}

Awaitable<Answer<std::unique_ptr<BlobStream>>> ModelStore::read_blob(ImageName image,
                                                                     Digest digest) {
    if (!links(image, digest)) co_return refuse(Errc::blob_unknown);
    co_return std::make_unique<ModelStream>(digest, blobs_.at(digest));
}

Awaitable<Answer<BlobInfo>> ModelStore::mount(RequestId id, PushTarget target, Digest digest,
                                              ImageName source) {
    const auto done = once(id, [&]() -> Answer<std::uint64_t> {
        if (!links(source, digest)) return refuse(Errc::blob_unknown);
        link(target, digest);
        return 0u;
    });
    if (!done) co_return refuse(done.error());
    co_return BlobInfo{digest, blobs_.at(digest).size()};
}

Awaitable<Answer<std::vector<ImageName>>> ModelStore::find_links(Digest digest,
                                                                 std::uint32_t count_max) {
    std::vector<ImageName> names;
    for (const auto& [name, image] : images_) {
        if (image.links.contains(digest) && names.size() < count_max)
            names.push_back(ImageName::parse(name).value());
    }
    co_return names;
}

Awaitable<Answer<void>> ModelStore::delete_link(RequestId id, ImageName image, Digest digest) {
    const auto done = once(id, [&]() -> Answer<std::uint64_t> {
        if (!links(image, digest)) return refuse(unknown_in(image, Errc::blob_unknown));
        for (const auto& [user, manifest] : find(image)->manifests) {
            if (manifest.children.contains(digest)) return refuse({Errc::in_use, "", {user}});
        }
        find(image)->links.erase(digest);
        drop_if_empty(image);
        return 0u;
    });
    if (!done) co_return refuse(done.error());
    co_return ok();
}

// --- manifests ---

Answer<void> ModelStore::check_tag(const ImageName& image, const Tag& tag,
                                   const TagExpectation& expected) {
    const auto* known = find(image);
    const bool exists = known != nullptr && known->tags.contains(tag.text());
    switch (expected.kind) {
        case TagExpectation::Kind::anything:
            return ok();
        case TagExpectation::Kind::absent:
            if (!exists) return ok();
            break;
        case TagExpectation::Kind::absent_or_digest:
            if (!exists) return ok();
            [[fallthrough]];
        case TagExpectation::Kind::digest:
            if (exists && known->tags.at(tag.text()) == expected.digest) return ok();
            break;
    }
    return refuse(Errc::precondition_failed);
}

Answer<void> ModelStore::check_put(const ManifestPut& put) {
    const auto& image = put.target.image;
    for (const auto& tag : put.tags) {
        ORB_TRY(check_tag(image, tag, put.expected));
    }
    std::vector<Digest> missing;
    bool wrong_size = false;
    for (const auto& edge : put.manifest.edges()) {
        const auto& digest = edge.descriptor.digest;
        const bool here = edge.to_manifest ? holds(image, digest) : links(image, digest);
        const bool needed = !edge.foreign && !put.fetched &&
                            !(put.children_may_be_missing && is_index(put.manifest.kind()));
        if (!here && needed) missing.push_back(digest);
        if (here && blobs_.at(digest).size() != edge.descriptor.size_bytes) wrong_size = true;
    }
    if (!missing.empty()) return refuse({Errc::child_missing, "", std::move(missing)});
    if (wrong_size) return refuse(Errc::manifest_invalid);
    if (put.manifest.subject() && put.referrers_per_subject_max > 0 && !holds(image, put.digest)) {
        std::uint32_t count = 0;
        if (const auto* known = find(image)) {
            for (const auto& [digest, m] : known->manifests)
                count += m.subject == put.manifest.subject() ? 1 : 0;
        }
        if (count >= put.referrers_per_subject_max) return refuse(Errc::denied);
    }
    for (const auto& document : put.documents) {
        ORB_TRY(check_document(document));
    }
    return ok();
}

Awaitable<Answer<ManifestInfo>> ModelStore::put_manifest(RequestId id, ManifestPut put) {
    ManifestInfo info{put.digest, put.manifest.kind(), put.manifest.size_bytes(), {}};
    const auto done = once(id, [&]() -> Answer<std::uint64_t> {
        ORB_TRY(check_put(put));
        make_repository(put.target);
        blobs_[put.digest] = put.bytes;
        auto& image = images_[put.target.image.text()];
        HeldManifest held{
            {put.digest, info.kind, info.size_bytes, "", {}}, {}, put.manifest.subject()};
        if (held.subject) {
            held.described.artifact_type = put.manifest.artifact_type();
            held.described.annotations = put.manifest.annotations();
        }
        for (const auto& edge : put.manifest.edges()) held.children.insert(edge.descriptor.digest);
        image.manifests.insert_or_assign(put.digest, std::move(held));
        for (const auto& tag : put.tags) {
            const auto known = image.tags.find(tag.text());
            info.tags_were.push_back(known == image.tags.end() ? std::nullopt
                                                               : std::optional{known->second});
            image.tags.insert_or_assign(tag.text(), put.digest);
        }
        for (const auto& document : put.documents) write_document(document);
        return 0u;
    });
    if (!done) co_return refuse(done.error());
    co_return info;
}

Awaitable<Answer<ManifestInfo>> ModelStore::resolve(ImageName image, Reference reference) {
    const auto* known = find(image);
    if (known == nullptr) co_return refuse(Errc::name_unknown);
    Digest digest;
    if (const auto* tag = std::get_if<Tag>(&reference)) {
        const auto found = known->tags.find(tag->text());
        if (found == known->tags.end()) co_return refuse(Errc::manifest_unknown);
        digest = found->second;
    } else {
        digest = std::get<Digest>(reference);
    }
    const auto held = known->manifests.find(digest);
    if (held == known->manifests.end()) co_return refuse(Errc::manifest_unknown);
    const auto& described = held->second.described;
    co_return ManifestInfo{digest, described.kind, described.size_bytes};
}

Awaitable<Answer<std::unique_ptr<BlobStream>>> ModelStore::read_manifest(ImageName image,
                                                                         Digest digest) {
    if (!holds(image, digest)) co_return refuse(unknown_in(image, Errc::manifest_unknown));
    co_return std::make_unique<ModelStream>(digest, blobs_.at(digest));
}

Awaitable<Answer<void>> ModelStore::delete_manifest(RequestId id, ImageName image, Digest digest) {
    const auto done = once(id, [&]() -> Answer<std::uint64_t> {
        if (!holds(image, digest)) return refuse(unknown_in(image, Errc::manifest_unknown));
        auto* known = find(image);
        known->manifests.erase(digest);
        std::erase_if(known->tags, [&](const auto& tag) { return tag.second == digest; });
        drop_if_empty(image);
        return 0u;
    });
    if (!done) co_return refuse(done.error());
    co_return ok();
}

Awaitable<Answer<void>> ModelStore::set_tag(RequestId id, ImageName image, Tag tag, Digest digest,
                                            TagExpectation expected) {
    const auto done = once(id, [&]() -> Answer<std::uint64_t> {
        if (!holds(image, digest)) return refuse(unknown_in(image, Errc::manifest_unknown));
        ORB_TRY(check_tag(image, tag, expected));
        find(image)->tags.insert_or_assign(tag.text(), digest);
        return 0u;
    });
    if (!done) co_return refuse(done.error());
    co_return ok();
}

Awaitable<Answer<void>> ModelStore::delete_tag(RequestId id, ImageName image, Tag tag,
                                               TagExpectation expected) {
    const auto done = once(id, [&]() -> Answer<std::uint64_t> {
        auto* known = find(image);
        if (known == nullptr || !known->tags.contains(tag.text())) {
            return refuse(unknown_in(image, Errc::manifest_unknown));
        }
        ORB_TRY(check_tag(image, tag, expected));
        known->tags.erase(tag.text());
        return 0u;
    });
    if (!done) co_return refuse(done.error());
    co_return ok();
}

// --- listings ---

Awaitable<Answer<Page<std::string>>> ModelStore::list_tags(ImageName image, std::string after,
                                                           std::uint32_t count_max) {
    const auto* known = find(image);
    if (known == nullptr || known->manifests.empty()) co_return refuse(Errc::name_unknown);
    Page<std::string> page;
    for (const auto& [tag, digest] : known->tags) {
        if (tag <= after) continue;
        if (page.items.size() == count_max) {
            page.more = true;
            break;
        }
        page.items.push_back(tag);
    }
    co_return page;
}

Awaitable<Answer<Page<std::string>>> ModelStore::list_images(std::string after,
                                                             std::uint32_t count_max) {
    Page<std::string> page;
    for (const auto& [name, image] : images_) {
        if (name <= after || image.manifests.empty()) continue;
        if (page.items.size() == count_max) {
            page.more = true;
            break;
        }
        page.items.push_back(name);
    }
    co_return page;
}

Awaitable<Answer<Page<Referrer>>> ModelStore::referrers(ImageName image, ReferrersQuery query) {
    Page<Referrer> page;
    const auto* known = find(image);
    if (known == nullptr) co_return page;
    for (const auto& [digest, manifest] : known->manifests) {
        const auto& types = query.artifact_types;
        const bool wanted = types.empty() || std::count(types.begin(), types.end(),
                                                        manifest.described.artifact_type) > 0;
        if (manifest.subject != query.subject || !wanted || (query.after && digest <= *query.after))
            continue;
        if (page.items.size() == query.count_max) {
            page.more = true;
            break;
        }
        page.items.push_back(manifest.described);
    }
    co_return page;
}

Awaitable<Answer<RepositoryObject>> ModelStore::find_repository(RepositoryName name) {
    const auto found = repositories_.find(name);
    if (found == repositories_.end()) co_return refuse(Errc::name_unknown);
    co_return found->second;
}

RegistryStoreStats ModelStore::stats() const {
    RegistryStoreStats stats;
    for (const auto& [name, image] : images_) {
        stats.images += image.manifests.empty() ? 0 : 1;
        stats.manifests += image.manifests.size();
        stats.tags += image.tags.size();
        stats.links += image.links.size();
    }
    stats.repositories = repositories_.size();
    stats.documents = documents_.size();
    return stats;
}

// --- documents ---

std::uint64_t ModelStore::live_version(const std::string& name) {
    const auto found = documents_.find(name);
    if (found == documents_.end()) return 0;
    const auto& document = found->second;
    if (document.expires_store_time_ms != 0 && document.expires_store_time_ms <= now_ms_) {
        documents_.erase(found);
        return 0;
    }
    return document.version;
}

Answer<void> ModelStore::check_document(const DocumentWrite& write) {
    if (!is_document_name(write.name)) return refuse(Errc::name_invalid);
    if (write.bytes.size() > limits_.document_size_max_bytes) return refuse(Errc::too_large);
    const auto version = live_version(write.name);
    if (write.expected.kind == DocumentExpectation::Kind::absent && version != 0)
        return refuse(Errc::exists);
    if (write.expected.kind == DocumentExpectation::Kind::version &&
        version != write.expected.version) {
        return refuse(Errc::precondition_failed);
    }
    if (version == 0 && documents_.size() >= limits_.documents_max)
        return refuse(Errc::limit_reached);
    return ok();
}

std::uint64_t ModelStore::write_document(const DocumentWrite& write) {
    const auto expires = write.keep_ms == 0 ? 0 : now_ms_ + write.keep_ms;
    documents_.insert_or_assign(write.name, Document{write.name, ++version_, expires, write.bytes});
    for (const auto& [prefix, weak] : watches_) {
        const auto changed = weak.lock();
        if (changed && write.name.starts_with(prefix)) (*changed)(write.name);
    }
    return version_;
}

Awaitable<Answer<Document>> ModelStore::get(std::string name) {
    if (live_version(name) == 0) co_return refuse(Errc::document_unknown);
    co_return documents_.at(name);
}

Awaitable<Answer<std::uint64_t>> ModelStore::put(RequestId id, DocumentWrite write) {
    co_return once(id, [&]() -> Answer<std::uint64_t> {
        ORB_TRY(check_document(write));
        return write_document(write);
    });
}

Awaitable<Answer<void>> ModelStore::remove(RequestId id, std::string name,
                                           DocumentExpectation expected) {
    const auto done = once(id, [&]() -> Answer<std::uint64_t> {
        if (!is_document_name(name)) return refuse(Errc::name_invalid);
        const auto version = live_version(name);
        if (version == 0) return refuse(Errc::document_unknown);
        if (expected.kind == DocumentExpectation::Kind::absent) return refuse(Errc::exists);
        if (expected.kind == DocumentExpectation::Kind::version && version != expected.version) {
            return refuse(Errc::precondition_failed);
        }
        documents_.erase(name);
        for (const auto& [prefix, weak] : watches_) {
            const auto changed = weak.lock();
            if (changed && name.starts_with(prefix)) (*changed)(name);
        }
        return 0u;
    });
    if (!done) co_return refuse(done.error());
    co_return ok();
}

Awaitable<Answer<DocumentPage>> ModelStore::list(std::string prefix, std::string after,
                                                 std::uint32_t count_max) {
    DocumentPage page;
    std::vector<std::string> names;
    for (const auto& [name, document] : documents_) names.push_back(name);
    for (const auto& name : names) {
        if (!name.starts_with(prefix) || name <= after || live_version(name) == 0) continue;
        if (page.documents.size() == count_max) {
            page.more = true;
            break;
        }
        page.documents.push_back(documents_.at(name));
    }
    co_return page;
}

std::shared_ptr<void> ModelStore::watch(std::string prefix,
                                        std::function<void(const std::string& name)> changed) {
    auto kept = std::make_shared<std::function<void(const std::string&)>>(std::move(changed));
    watches_.emplace_back(std::move(prefix), kept);
    return kept;
}

}  // namespace orbitalreg::engine
