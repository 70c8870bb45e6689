#include "catalog/catalog_records.h"

#include "cas/errors.h"
#include "schema/catalog_generated.h"

#include <algorithm>

namespace orbitalreg::engine {

namespace {

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;

schema::DigestValue to_value(const Digest& digest) {
    std::array<std::uint8_t, 64> hash{};
    const auto bytes = digest.hash();
    std::memcpy(hash.data(), bytes.data(), bytes.size());
    return {static_cast<std::uint8_t>(digest.algorithm()),
            flatbuffers::span<const std::uint8_t, 64>{hash.data(), hash.size()}};
}

std::optional<Digest> from_value(const schema::DigestValue& value) {
    const auto algorithm = static_cast<DigestAlgorithm>(value.algorithm());
    if (algorithm != DigestAlgorithm::sha256 && algorithm != DigestAlgorithm::sha512)
        return std::nullopt;
    const ByteView hash{reinterpret_cast<const std::byte*>(value.hash()->Data()), 64};
    const auto size = digest_size_bytes(algorithm);
    if (!all_zero(hash.subspan(size))) return std::nullopt;
    return Digest{algorithm, hash.first(size)};
}

schema::RequestValue to_value(const RequestId& id) { return {id.high, id.low}; }

RequestId request_from(const schema::RequestValue* value) noexcept {
    return value == nullptr ? RequestId{} : RequestId{value->high(), value->low()};
}

std::string_view text_from(const flatbuffers::String* text) noexcept {
    return text == nullptr ? std::string_view{} : std::string_view{text->c_str(), text->size()};
}

// --- encoding: one function a record ---

Offset<schema::ManifestPut> build(FlatBufferBuilder& b, const ManifestPutRecord& r) {
    std::vector<schema::Edge> edges;
    edges.reserve(r.edges.size());
    for (const auto& edge : r.edges) {
        edges.emplace_back(to_value(edge.digest),
                           static_cast<std::uint8_t>(edge.only_if_present ? 2 : 1));
    }
    std::vector<Offset<schema::Annotation>> annotations;
    for (const auto& [key, value] : r.annotations) {
        annotations.push_back(
            schema::CreateAnnotation(b, b.CreateString(key), b.CreateString(value)));
    }
    std::vector<Offset<flatbuffers::String>> tags;
    for (const auto& tag : r.tags) tags.push_back(b.CreateString(tag.text()));
    const auto image = b.CreateString(r.image.text());
    const auto type = r.artifact_type.empty() ? 0 : b.CreateString(r.artifact_type);
    const auto edges_at = edges.empty() ? 0 : b.CreateVectorOfStructs(edges);
    const auto annotations_at = annotations.empty() ? 0 : b.CreateVector(annotations);
    const auto tags_at = tags.empty() ? 0 : b.CreateVector(tags);
    const auto digest = to_value(r.digest);
    const auto subject = r.subject ? to_value(*r.subject) : schema::DigestValue{};
    const auto request = to_value(r.request);
    return schema::CreateManifestPut(b, image, &digest, static_cast<std::uint8_t>(r.kind),
                                     r.size_bytes, edges_at, r.subject ? &subject : nullptr, type,
                                     annotations_at, tags_at, &request);
}

Offset<schema::TagSet> build(FlatBufferBuilder& b, const TagSetRecord& r) {
    const auto image = b.CreateString(r.image.text());
    const auto tag = b.CreateString(r.tag.text());
    const auto digest = to_value(r.digest);
    const auto request = to_value(r.request);
    return schema::CreateTagSet(b, image, tag, &digest, &request);
}

Offset<schema::TagDelete> build(FlatBufferBuilder& b, const TagDeleteRecord& r) {
    const auto image = b.CreateString(r.image.text());
    const auto tag = b.CreateString(r.tag.text());
    const auto request = to_value(r.request);
    return schema::CreateTagDelete(b, image, tag, &request);
}

Offset<schema::ManifestDelete> build(FlatBufferBuilder& b, const ManifestDeleteRecord& r) {
    const auto image = b.CreateString(r.image.text());
    const auto digest = to_value(r.digest);
    const auto request = to_value(r.request);
    return schema::CreateManifestDelete(b, image, &digest, &request);
}

Offset<schema::LinkAdd> build(FlatBufferBuilder& b, const LinkAddRecord& r) {
    const auto image = b.CreateString(r.image.text());
    const auto digest = to_value(r.digest);
    const auto request = to_value(r.request);
    return schema::CreateLinkAdd(b, image, &digest, &request);
}

Offset<schema::LinkDelete> build(FlatBufferBuilder& b, const LinkDeleteRecord& r) {
    const auto image = b.CreateString(r.image.text());
    const auto digest = to_value(r.digest);
    const auto request = to_value(r.request);
    return schema::CreateLinkDelete(b, image, &digest, &request);
}

Offset<schema::RepositoryPut> build(FlatBufferBuilder& b, const RepositoryPutRecord& r) {
    const auto project = b.CreateString(r.object.name.project);
    const auto repository = b.CreateString(r.object.name.repository);
    const auto request = to_value(r.request);
    return schema::CreateRepositoryPut(b, project, repository,
                                       static_cast<std::uint8_t>(r.object.type),
                                       r.object.sparse_index_allowed, &request);
}

Offset<schema::DocumentPut> build(FlatBufferBuilder& b, const DocumentPutRecord& r) {
    const auto name = b.CreateString(r.name);
    const auto bytes =
        b.CreateVector(reinterpret_cast<const std::uint8_t*>(r.bytes.data()), r.bytes.size());
    const auto request = to_value(r.request);
    return schema::CreateDocumentPut(b, name, bytes, r.expires_store_time_ms, &request);
}

Offset<schema::DocumentDelete> build(FlatBufferBuilder& b, const DocumentDeleteRecord& r) {
    const auto name = b.CreateString(r.name);
    const auto request = to_value(r.request);
    return schema::CreateDocumentDelete(b, name, &request);
}

Offset<schema::PullTimes> build(FlatBufferBuilder& b, const PullTimesRecord& r) {
    std::vector<Offset<schema::ImagePulls>> images;
    for (const auto& [image, pulls] : r.images) {
        std::vector<Offset<schema::Pull>> made;
        for (const auto& pull : pulls) {
            const auto tag = pull.tag ? b.CreateString(pull.tag->text()) : 0;
            const auto digest = to_value(pull.digest);
            made.push_back(schema::CreatePull(b, &digest, tag, pull.pulled_s));
        }
        const auto name = b.CreateString(image.text());
        images.push_back(schema::CreateImagePulls(b, name, b.CreateVector(made)));
    }
    const auto images_at = images.empty() ? 0 : b.CreateVector(images);
    const auto request = to_value(r.request);
    return schema::CreatePullTimes(b, images_at, &request);
}

// --- decoding: nothing where something is outside its grammar ---

struct ImageAndDigest {
    ImageName image;
    Digest digest;
};

template <class Table>
std::optional<ImageAndDigest> image_and_digest(const Table& t) {
    auto image = ImageName::parse(text_from(t.image()));
    const auto digest = from_value(*t.digest());
    if (!image || !digest) return std::nullopt;
    return ImageAndDigest{std::move(image).value(), *digest};
}

bool read_edges(const schema::ManifestPut& t, ManifestPutRecord& r) {
    if (t.edges() == nullptr) return true;
    r.edges.reserve(t.edges()->size());
    for (const auto* edge : *t.edges()) {
        const auto digest = from_value(edge->digest());
        if (!digest || edge->holding() < 1 || edge->holding() > 2) return false;
        r.edges.push_back({*digest, edge->holding() == 2});
    }
    return true;
}

bool read_tags(const schema::ManifestPut& t, ManifestPutRecord& r) {
    if (t.tags() == nullptr) return true;
    for (const auto* text : *t.tags()) {
        auto tag = Tag::parse(text_from(text));
        if (!tag) return false;
        r.tags.push_back(std::move(tag).value());
    }
    return true;
}

std::optional<CatalogChange> read(const schema::ManifestPut& t) {
    auto base = image_and_digest(t);
    const auto kind = static_cast<ManifestKind>(t.kind());
    if (!base || media_type_of(kind).empty()) return std::nullopt;
    ManifestPutRecord r{
        std::move(base->image), base->digest, kind, t.size_bytes(), {}, {}, {}, {}, {}, {}};
    if (!read_edges(t, r) || !read_tags(t, r)) return std::nullopt;
    if (t.subject() != nullptr) {
        r.subject = from_value(*t.subject());
        if (!r.subject) return std::nullopt;
    }
    r.artifact_type = text_from(t.artifact_type());
    if (t.annotations() != nullptr) {
        for (const auto* a : *t.annotations()) {
            r.annotations.emplace_back(text_from(a->key()), text_from(a->value()));
        }
    }
    r.request = request_from(t.request());
    return r;
}

std::optional<CatalogChange> read(const schema::TagSet& t) {
    auto base = image_and_digest(t);
    auto tag = Tag::parse(text_from(t.tag()));
    if (!base || !tag) return std::nullopt;
    return TagSetRecord{std::move(base->image), std::move(tag).value(), base->digest,
                        request_from(t.request())};
}

std::optional<CatalogChange> read(const schema::TagDelete& t) {
    auto image = ImageName::parse(text_from(t.image()));
    auto tag = Tag::parse(text_from(t.tag()));
    if (!image || !tag) return std::nullopt;
    return TagDeleteRecord{std::move(image).value(), std::move(tag).value(),
                           request_from(t.request())};
}

std::optional<CatalogChange> read(const schema::ManifestDelete& t) {
    auto base = image_and_digest(t);
    if (!base) return std::nullopt;
    return ManifestDeleteRecord{std::move(base->image), base->digest, request_from(t.request())};
}

std::optional<CatalogChange> read(const schema::LinkAdd& t) {
    auto base = image_and_digest(t);
    if (!base) return std::nullopt;
    return LinkAddRecord{std::move(base->image), base->digest, request_from(t.request())};
}

std::optional<CatalogChange> read(const schema::LinkDelete& t) {
    auto base = image_and_digest(t);
    if (!base) return std::nullopt;
    return LinkDeleteRecord{std::move(base->image), base->digest, request_from(t.request())};
}

std::optional<CatalogChange> read(const schema::RepositoryPut& t) {
    RepositoryObject object;
    object.name = {std::string{text_from(t.project())}, std::string{text_from(t.repository())}};
    if (!ImageName::parse(object.name.text())) return std::nullopt;
    if (t.type() < 1 || t.type() > 3) return std::nullopt;
    object.type = static_cast<RepositoryType>(t.type());
    object.sparse_index_allowed = t.sparse_index_allowed();
    return RepositoryPutRecord{std::move(object), request_from(t.request())};
}

std::optional<CatalogChange> read(const schema::DocumentPut& t) {
    DocumentPutRecord r;
    r.name = text_from(t.name());
    if (!is_document_name(r.name)) return std::nullopt;
    if (t.bytes() != nullptr) {
        const auto* data = reinterpret_cast<const std::byte*>(t.bytes()->data());
        r.bytes.assign(data, data + t.bytes()->size());
    }
    r.expires_store_time_ms = t.expires_store_time_ms();
    r.request = request_from(t.request());
    return r;
}

std::optional<CatalogChange> read(const schema::DocumentDelete& t) {
    if (!is_document_name(text_from(t.name()))) return std::nullopt;
    return DocumentDeleteRecord{std::string{text_from(t.name())}, request_from(t.request())};
}

std::optional<PullNote> read_pull(const schema::Pull& t) {
    const auto digest = from_value(*t.digest());
    if (!digest || t.pulled_s() == 0) return std::nullopt;
    if (t.tag() == nullptr) return PullNote{*digest, {}, t.pulled_s()};
    auto tag = Tag::parse(text_from(t.tag()));
    if (!tag) return std::nullopt;
    return PullNote{*digest, std::move(tag).value(), t.pulled_s()};
}

std::optional<CatalogChange> read(const schema::PullTimes& t) {
    PullTimesRecord r;
    r.request = request_from(t.request());
    if (t.images() == nullptr) return r;
    for (const auto* of_image : *t.images()) {
        auto image = ImageName::parse(text_from(of_image->image()));
        if (!image) return std::nullopt;
        auto& pulls = r.images.emplace_back(std::move(image).value()).pulls;
        if (of_image->pulls() == nullptr) continue;
        for (const auto* each : *of_image->pulls()) {
            auto pull = read_pull(*each);
            if (!pull) return std::nullopt;
            pulls.push_back(std::move(*pull));
        }
    }
    return r;
}

template <class Table>
std::optional<CatalogChange> verify_and_read(ByteView body) {
    const auto* data = reinterpret_cast<const std::uint8_t*>(body.data());
    constexpr flatbuffers::uoffset_t kDepthMax = 8;
    constexpr flatbuffers::uoffset_t kTablesMax =
        20'000;  // annotations and pulls are the only tables inside a table
    flatbuffers::Verifier verifier{data, body.size(), kDepthMax, kTablesMax};
    if (!verifier.VerifyBuffer<Table>(nullptr)) return std::nullopt;
    return read(*flatbuffers::GetRoot<Table>(data));
}

std::optional<CatalogChange> decode_type(RecordType type, ByteView body) {
    switch (type) {
        case RecordType::manifest_put:
            return verify_and_read<schema::ManifestPut>(body);
        case RecordType::tag_set:
            return verify_and_read<schema::TagSet>(body);
        case RecordType::tag_delete:
            return verify_and_read<schema::TagDelete>(body);
        case RecordType::manifest_delete:
            return verify_and_read<schema::ManifestDelete>(body);
        case RecordType::link_add:
            return verify_and_read<schema::LinkAdd>(body);
        case RecordType::link_delete:
            return verify_and_read<schema::LinkDelete>(body);
        case RecordType::repository_put:
            return verify_and_read<schema::RepositoryPut>(body);
        case RecordType::document_put:
            return verify_and_read<schema::DocumentPut>(body);
        case RecordType::document_delete:
            return verify_and_read<schema::DocumentDelete>(body);
        case RecordType::pull_times:
            return verify_and_read<schema::PullTimes>(body);
    }
    return std::nullopt;
}

}  // namespace

RecordType type_of(const CatalogChange& change) noexcept {
    // The alternatives stand in the order of their numbers.
    return static_cast<RecordType>(change.index() + 1);
}

std::string_view to_string(RecordType type) noexcept {
    switch (type) {
        case RecordType::manifest_put:
            return "manifest_put";
        case RecordType::tag_set:
            return "tag_set";
        case RecordType::tag_delete:
            return "tag_delete";
        case RecordType::manifest_delete:
            return "manifest_delete";
        case RecordType::link_add:
            return "link_add";
        case RecordType::link_delete:
            return "link_delete";
        case RecordType::repository_put:
            return "repository_put";
        case RecordType::document_put:
            return "document_put";
        case RecordType::document_delete:
            return "document_delete";
        case RecordType::pull_times:
            return "pull_times";
    }
    return "unknown";
}

RequestId request_of(const CatalogChange& change) noexcept {
    return std::visit([](const auto& record) { return record.request; }, change);
}

cas::CatalogRecord encode(const CatalogChange& change) {
    FlatBufferBuilder builder{512};
    std::visit([&](const auto& record) { builder.Finish(build(builder, record)); }, change);
    const auto* data = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
    return {static_cast<std::uint16_t>(type_of(change)), {data, data + builder.GetSize()}, {}};
}

Result<CatalogChange> decode(const cas::CatalogRecordView& record) {
    // FlatBuffers reads in place and wants its alignment.
    std::optional<CatalogChange> change;
    if (reinterpret_cast<std::uintptr_t>(record.body.data()) % alignof(std::uint64_t) == 0) {
        change = decode_type(static_cast<RecordType>(record.type), record.body);
    } else {
        std::vector<std::uint64_t> aligned(record.body.size() / 8 + 1);
        std::memcpy(aligned.data(), record.body.data(), record.body.size());
        change =
            decode_type(static_cast<RecordType>(record.type),
                        {reinterpret_cast<const std::byte*>(aligned.data()), record.body.size()});
    }
    if (!change) return fail(cas::Errc::catalog_unreadable);
    return std::move(*change);
}

bool is_document_name(std::string_view name) noexcept {
    return !name.empty() && name.size() <= 255 &&
           std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c <= '~'; });
}

}  // namespace orbitalreg::engine
