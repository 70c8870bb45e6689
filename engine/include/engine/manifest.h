#pragma once
// Manifest is what the registry must know of a manifest's bytes: its kind, what it refers to, its
// subject. The bytes themselves are stored and served as they came, never written anew
// (DIST-MAN-01).
//
// Accepted: OCI image manifest and index, Docker schema 2 manifest and list (DIST-MAN-05 to 22,
// SEC-13 to SEC-19). Parsed by events, not into a tree: duplicate keys must be seen, and memory
// stays in proportion to what is kept.

#include "base/bytes.h"
#include "base/digest.h"
#include "engine/errors.h"
#include "engine/options.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace orbitalreg::engine {

// The values are those of the catalog's records.
enum class ManifestKind : std::uint8_t {
    oci_image = 1,
    oci_index = 2,
    docker_image = 3,
    docker_list = 4
};

std::string_view media_type_of(ManifestKind kind) noexcept;
// Of a media type without parameters; nothing for any other type.
std::optional<ManifestKind> manifest_kind_of(std::string_view media_type) noexcept;
constexpr bool is_index(ManifestKind kind) noexcept {
    return kind == ManifestKind::oci_index || kind == ManifestKind::docker_list;
}

struct Descriptor {
    std::string media_type;
    Digest digest;
    std::uint64_t size_bytes = 0;

    friend bool operator==(const Descriptor&, const Descriptor&) = default;
};

// ManifestEdge is one thing a manifest refers to, each digest once.
struct ManifestEdge {
    Descriptor descriptor;
    bool to_manifest =
        false;  // looked up among the image name's manifests, else among its blobs (DIST-MAN-15)
    bool foreign = false;  // non-distributable layer with urls: need not exist (DIST-MAN-14)

    friend bool operator==(const ManifestEdge&, const ManifestEdge&) = default;
};

using Annotations =
    std::vector<std::pair<std::string, std::string>>;  // in the order of the document

class Manifest {
public:
    // `content_type` as the client sent it, parameters and all; empty when there was none.
    // Errc::manifest_invalid with a message that says where, Errc::too_large.
    static Answer<Manifest> parse(ByteView bytes, std::string_view content_type,
                                  const RegistryLimits& limits);

    ManifestKind kind() const noexcept { return kind_; }
    std::string_view media_type() const noexcept { return media_type_of(kind_); }
    std::uint64_t size_bytes() const noexcept { return size_bytes_; }
    // Config, layers, children: each distinct digest once, in the order of the document.
    const std::vector<ManifestEdge>& edges() const noexcept { return edges_; }
    // Never set for Docker kinds (DIST-MAN-22).
    const std::optional<Digest>& subject() const noexcept { return subject_; }
    // As a referrers listing shows it (DIST-REF-03): its artifactType, else an image's config media
    // type, else empty.
    const std::string& artifact_type() const noexcept { return artifact_type_; }
    // Its own annotations; kept only where there is a subject.
    const Annotations& annotations() const noexcept { return annotations_; }

private:
    friend class ManifestBuilder;
    Manifest() = default;

    ManifestKind kind_ = ManifestKind::oci_image;
    std::uint64_t size_bytes_ = 0;
    std::vector<ManifestEdge> edges_;
    std::optional<Digest> subject_;
    std::string artifact_type_;
    Annotations annotations_;
};

}  // namespace orbitalreg::engine
