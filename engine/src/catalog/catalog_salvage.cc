#include "catalog/catalog_salvage.h"

#include "base/fields.h"

#include <algorithm>

namespace orbitalreg::engine {

namespace {

// What was stored was accepted once, perhaps under larger limits than today's defaults.
constexpr std::uint64_t kManifestSizeMax = 64_MiB;
constexpr std::uint32_t kImagesPerPage = 1000;

RegistryLimits wide_limits() {
    RegistryLimits limits;
    limits.manifest_size_max_bytes = kManifestSizeMax;
    limits.manifest_references_max = UINT32_MAX;
    limits.manifest_annotations_max = UINT32_MAX;
    limits.referrer_annotations_max_bytes = kManifestSizeMax;
    return limits;
}

std::string_view noun_of(std::uint16_t table) noexcept {
    switch (static_cast<TableNumber>(table)) {
        case TableNumber::manifests:
            return "manifests";
        case TableNumber::image_names:
            return "image names";
        case TableNumber::held_manifests:
            return "manifests under image names";
        case TableNumber::tags:
            return "tags";
        case TableNumber::links:
            return "links to blobs";
        case TableNumber::documents:
            return "documents";
        case TableNumber::repositories:
            return "repositories";
        case TableNumber::awaited_children:
            return "content that manifests await";
        case TableNumber::times:
            return "times of pushes and pulls";
    }
    return "unknown rows";
}

}  // namespace

void CatalogSalvageOfRows::add(std::uint16_t table, ByteView row) {
    bool restored = false;
    switch (static_cast<TableNumber>(table)) {
        case TableNumber::manifests:
            restored = add_manifest(row);
            break;
        case TableNumber::image_names:
            restored = add_name(row);
            break;
        case TableNumber::held_manifests:
            restored = add_held(row);
            break;
        case TableNumber::tags:
            restored = add_tag(row);
            break;
        case TableNumber::links:
            restored = add_link(row);
            break;
        case TableNumber::documents:
            restored = add_document(row);
            break;
        case TableNumber::repositories:
            restored = add_repository(row);
            break;
        case TableNumber::awaited_children:
            restored = add_awaited(row);
            break;
        case TableNumber::times:
            restored = add_times(row);
            break;
    }
    counts_[table].add(restored);
}

// Store time 0: nothing has expired.
void CatalogSalvageOfRows::apply(const CatalogChange& change, std::uint64_t lsn) {
    const auto record = encode(change);
    const cas::CatalogRecordView view{record.type, record.body, record.raw};
    if (!catalog_.verify(view)) return;
    catalog_.apply({cas::Lsn{lsn}, 0}, {&view, 1}, blobs_.references());
}

const ImageName* CatalogSalvageOfRows::name_of(std::uint32_t number) const {
    const auto found = names_.find(number);
    return found == names_.end() ? nullptr : &found->second;
}

// A manifest's own row knows its digest where that of the blob is lost.
std::optional<Digest> CatalogSalvageOfRows::digest_of(std::uint32_t blob) const {
    const auto manifest = manifests_.find(blob);
    if (manifest != manifests_.end()) return manifest->second.digest;
    return blobs_.digest_of_row(cas::BlobId{blob});
}

std::optional<Manifest> CatalogSalvageOfRows::read(const Digest& digest) {
    const auto bytes = blobs_.read(digest, kManifestSizeMax);
    if (!bytes) return std::nullopt;
    auto manifest = Manifest::parse(bytes.value(), {}, wide_limits());
    return manifest ? std::optional{std::move(manifest).value()} : std::nullopt;
}

bool CatalogSalvageOfRows::holds(const ImageName& image, const Digest& digest) const {
    const auto blob = blobs_.references().find(digest);
    return blob && catalog_.images().find_manifest(image.text(), *blob).has_value();
}

// --- rows ---

bool CatalogSalvageOfRows::add_manifest(ByteView row) {
    FieldReader fields{row};
    const auto manifest = fields.number<std::uint32_t>();
    const auto count = fields.number<std::uint32_t>();
    fields.number<std::uint64_t>();  // its size, which the blob has too
    const auto digest = fields.digest();
    if (!digest) return false;
    Known known{*digest, {}};
    for (std::uint32_t i = 0; i < count && !fields.failed(); ++i)
        known.children.push_back(fields.number<std::uint32_t>());
    if (!fields.done()) return false;
    manifests_.insert_or_assign(manifest, std::move(known));
    return blobs_.references().find(*digest).has_value();
}

bool CatalogSalvageOfRows::add_name(ByteView row) {
    FieldReader fields{row};
    const auto number = fields.number<std::uint32_t>();
    const auto name = ImageName::parse(as_text(fields.rest()));
    if (name) names_.insert_or_assign(number, name.value());
    return name.has_value();
}

// Nothing where a child is not known.
std::optional<std::vector<RecordEdge>> CatalogSalvageOfRows::edges_of_row(
    std::uint32_t manifest) const {
    const auto known = manifests_.find(manifest);
    if (known == manifests_.end()) return std::nullopt;
    std::vector<RecordEdge> edges;
    for (const auto child : known->second.children) {
        const auto digest = digest_of(child);
        if (!digest) return std::nullopt;
        edges.push_back({*digest, true});
    }
    return edges;
}

bool CatalogSalvageOfRows::add_held(ByteView row) {
    FieldReader fields{row};
    const auto* image = name_of(fields.number<std::uint32_t>());
    const auto manifest = fields.number<std::uint32_t>();
    const auto kind = static_cast<ManifestKind>(fields.number<std::uint8_t>());
    const bool refers = fields.number<std::uint8_t>() == 1;
    const auto digest = digest_of(manifest);
    if (image == nullptr || !digest || fields.failed()) return false;
    ManifestPutRecord record{*image, *digest, kind, 0, {}, {}, {}, {}, {}, {}};
    if (refers) {
        record.subject = fields.digest();
        fields.digest();  // its own
        fields.number<std::uint64_t>();
        record.artifact_type = fields.text();
        for (auto left = fields.number<std::uint32_t>(); left > 0 && !fields.failed(); --left) {
            const auto key = fields.text();
            record.annotations.emplace_back(key, fields.text());
        }
    }
    if (!fields.done()) return false;
    return put(std::move(record), edges_of_row(manifest));
}

bool CatalogSalvageOfRows::put(ManifestPutRecord record,
                               const std::optional<std::vector<RecordEdge>>& edges) {
    const auto blob = blobs_.references().find(record.digest);
    if (!blob) return false;
    if (edges) {
        record.edges = *edges;
    } else if (const auto manifest = read(record.digest)) {
        for (const auto& edge : manifest->edges())
            record.edges.push_back({edge.descriptor.digest, true});
    }
    if (const auto size = blobs_.size_of(record.digest)) record.size_bytes = *size;
    apply(record);
    return holds(record.image, record.digest);
}

// All that a held row would have said, from the manifest's bytes.
bool CatalogSalvageOfRows::put_again(const ImageName& image, const Digest& digest) {
    const auto manifest = read(digest);
    if (!manifest) return false;
    ManifestPutRecord record{image, digest, manifest->kind(), 0, {}, manifest->subject(), {}, {},
                             {},    {}};
    if (manifest->subject()) {
        record.artifact_type = manifest->artifact_type();
        record.annotations = manifest->annotations();
    }
    std::vector<RecordEdge> edges;
    for (const auto& edge : manifest->edges()) edges.push_back({edge.descriptor.digest, true});
    return put(std::move(record), edges);
}

bool CatalogSalvageOfRows::add_tag(ByteView row) {
    FieldReader fields{row};
    const auto* image = name_of(fields.number<std::uint32_t>());
    const auto digest = digest_of(fields.number<std::uint32_t>());
    const auto tag = Tag::parse(as_text(fields.rest()));
    if (image == nullptr || !digest || !tag) return false;
    if (!holds(*image, *digest) && !put_again(*image, *digest)) return false;
    apply(TagSetRecord{*image, tag.value(), *digest, {}});
    return true;
}

bool CatalogSalvageOfRows::add_link(ByteView row) {
    FieldReader fields{row};
    const auto digest = digest_of(fields.number<std::uint32_t>());
    const auto* image = name_of(fields.number<std::uint32_t>());
    if (image == nullptr || !digest || !blobs_.references().find(*digest)) return false;
    apply(LinkAddRecord{*image, *digest, {}});
    return true;
}

bool CatalogSalvageOfRows::add_document(ByteView row) {
    FieldReader fields{row};
    const auto version = fields.number<std::uint64_t>();
    DocumentPutRecord record;
    record.expires_store_time_ms = fields.number<std::uint64_t>();
    record.name = fields.text();
    if (fields.failed() || !is_document_name(record.name)) return false;
    const auto bytes = fields.rest();
    record.bytes.assign(bytes.begin(), bytes.end());
    apply(record, version);
    return true;
}

bool CatalogSalvageOfRows::add_repository(ByteView row) {
    FieldReader fields{row};
    RepositoryPutRecord record;
    const auto type = fields.number<std::uint8_t>();
    record.object.sparse_index_allowed = fields.number<std::uint8_t>() == 1;
    record.object.name.project = fields.text();
    record.object.name.repository = fields.text();
    const bool sane = fields.done() && type >= 1 && type <= 3 &&
                      ImageName::parse(record.object.name.text()).has_value();
    if (!sane) return false;
    record.object.type = static_cast<RepositoryType>(type);
    apply(record);
    return true;
}

// What a manifest awaits stands in its bytes too: finish() puts it again.
bool CatalogSalvageOfRows::add_awaited(ByteView row) {
    FieldReader fields{row};
    const auto digest = digest_of(fields.number<std::uint32_t>());
    fields.digest();
    if (!digest || !fields.done()) return false;
    awaiting_.insert(*digest);
    return true;
}

bool CatalogSalvageOfRows::add_times(ByteView bytes) {
    const auto row = ImageTable::read_times_row(bytes);
    if (!row) return false;
    auto& images = catalog_.images();
    if (row->image == 0) {
        images.begin_history(row->history_s);
        return true;
    }
    const auto* image = name_of(row->image);
    if (image == nullptr) return false;
    if (row->manifest == 0) return images.restore_times(image->text(), row->tag, row->of_tag);
    const auto digest = digest_of(row->manifest);
    const auto blob = digest ? blobs_.references().find(*digest) : std::nullopt;
    return blob && images.restore_times(image->text(), *blob, row->of_manifest);
}

// --- what held manifests imply ---

// Where an index may name children that its image name never held, nothing follows from it; nor where that is not known.
bool CatalogSalvageOfRows::sparse_allowed(const ImageName& image) const {
    if (image.component_count() < 2) return true;
    const RepositoryName name{std::string{image.component(0)}, std::string{image.component(1)}};
    const auto repository = catalog_.find_repository(name);
    return !repository || repository->sparse_index_allowed;
}

void CatalogSalvageOfRows::complete(const ImageName& image, const Digest& digest, bool rows_whole) {
    const auto manifest = read(digest);
    if (!manifest) return;
    const bool children = !rows_whole && !sparse_allowed(image);
    for (const auto& edge : manifest->edges()) {
        const auto& child = edge.descriptor.digest;
        const auto blob = blobs_.references().find(child);
        if (!blob) continue;
        if (edge.to_manifest) {
            if (!children || holds(image, child) || !put_again(image, child)) continue;
            ++implied_manifests_;
            complete(image, child, rows_whole);
        } else if (!edge.foreign && !catalog_.images().has_link(image.text(), *blob)) {
            apply(LinkAddRecord{image, child, {}});
            ++implied_links_;
        }
    }
}

void CatalogSalvageOfRows::finish(bool rows_whole) {
    std::string after;
    for (bool more = true; more;) {
        const auto page = catalog_.images().list_images(after, kImagesPerPage);
        for (const auto& text : page.items) {
            const auto image = ImageName::parse(text);
            if (!image) continue;
            for (const auto blob : catalog_.images().manifests(text)) {
                const auto known = catalog_.manifests().find(blob);
                if (!known) continue;
                if (awaiting_.contains(known->digest)) put_again(image.value(), known->digest);
                complete(image.value(), known->digest, rows_whole);
            }
        }
        more = page.more && !page.items.empty();
        if (more) after = page.items.back();
    }
}

std::vector<cas::SalvageCount> CatalogSalvageOfRows::counts() const {
    std::vector<cas::SalvageCount> counts;
    for (const auto& [table, count] : counts_)
        counts.push_back({std::string{noun_of(table)}, count.restored, count.lost});
    counts.push_back({"manifests by an index", implied_manifests_, 0});
    counts.push_back({"links by a manifest", implied_links_, 0});
    return counts;
}

}  // namespace orbitalreg::engine
