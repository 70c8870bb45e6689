#pragma once
// The typed changes of the catalog, and their encoding as records of the journal
// (engine/schema/catalog.fbs).
//
// decode(encode(x)) == x. decode() accepts nothing that apply could stumble over: every name, tag
// and digest in a decoded change is within its grammar.

#include "cas/journal.h"
#include "engine/manifest.h"
#include "engine/names.h"
#include "engine/options.h"
#include "engine/registry_store.h"
#include "engine/request_id.h"
#include "engine/retention_store.h"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace orbitalreg::engine {

// The numbers stand in the log: never reused, never changed.
enum class RecordType : std::uint16_t {
    manifest_put = 1,
    tag_set = 2,
    tag_delete = 3,
    manifest_delete = 4,
    link_add = 5,
    link_delete = 6,
    repository_put = 7,
    document_put = 8,
    document_delete = 9,
    pull_times = 10,
};

struct RecordEdge {
    Digest digest;
    bool only_if_present = false;

    friend bool operator==(const RecordEdge&, const RecordEdge&) = default;
};

struct ManifestPutRecord {
    ImageName image;
    Digest digest;
    ManifestKind kind = ManifestKind::oci_image;
    std::uint64_t size_bytes = 0;
    std::vector<RecordEdge> edges;
    std::optional<Digest> subject;
    std::string artifact_type;
    Annotations annotations;
    std::vector<Tag> tags;
    RequestId request;

    friend bool operator==(const ManifestPutRecord&, const ManifestPutRecord&) = default;
};

struct TagSetRecord {
    ImageName image;
    Tag tag;
    Digest digest;
    RequestId request;

    friend bool operator==(const TagSetRecord&, const TagSetRecord&) = default;
};

struct TagDeleteRecord {
    ImageName image;
    Tag tag;
    RequestId request;

    friend bool operator==(const TagDeleteRecord&, const TagDeleteRecord&) = default;
};

struct ManifestDeleteRecord {
    ImageName image;
    Digest digest;
    RequestId request;

    friend bool operator==(const ManifestDeleteRecord&, const ManifestDeleteRecord&) = default;
};

struct LinkAddRecord {
    ImageName image;
    Digest digest;
    RequestId request;

    friend bool operator==(const LinkAddRecord&, const LinkAddRecord&) = default;
};

struct LinkDeleteRecord {
    ImageName image;
    Digest digest;
    RequestId request;

    friend bool operator==(const LinkDeleteRecord&, const LinkDeleteRecord&) = default;
};

struct RepositoryPutRecord {
    RepositoryObject object;
    RequestId request;

    friend bool operator==(const RepositoryPutRecord&, const RepositoryPutRecord&) = default;
};

struct DocumentPutRecord {
    std::string name;
    std::vector<std::byte> bytes;
    std::uint64_t expires_store_time_ms = 0;
    RequestId request;

    friend bool operator==(const DocumentPutRecord&, const DocumentPutRecord&) = default;
};

struct DocumentDeleteRecord {
    std::string name;
    RequestId request;

    friend bool operator==(const DocumentDeleteRecord&, const DocumentDeleteRecord&) = default;
};

// Last pulls, many at once. Of an index they count for its children, and the other way round.
struct PullTimesRecord {
    std::vector<ImagePulls> images;
    RequestId request;

    friend bool operator==(const PullTimesRecord&, const PullTimesRecord&) = default;
};

using CatalogChange =
    std::variant<ManifestPutRecord, TagSetRecord, TagDeleteRecord, ManifestDeleteRecord,
                 LinkAddRecord, LinkDeleteRecord, RepositoryPutRecord, DocumentPutRecord,
                 DocumentDeleteRecord, PullTimesRecord>;

cas::CatalogRecord encode(const CatalogChange& change);
// cas::Errc::catalog_unreadable.
Result<CatalogChange> decode(const cas::CatalogRecordView& record);

RecordType type_of(const CatalogChange& change) noexcept;
std::string_view to_string(RecordType type) noexcept;
RequestId request_of(const CatalogChange& change) noexcept;

// 1 to 255 bytes of printable ASCII without space.
bool is_document_name(std::string_view name) noexcept;

}  // namespace orbitalreg::engine
