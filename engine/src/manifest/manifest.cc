#include "engine/manifest.h"

#include "manifest/manifest_reader.h"

#include <algorithm>
#include <array>
#include <unordered_map>

namespace orbitalreg::engine {

namespace {

struct KindName {
    ManifestKind kind;
    std::string_view media_type;
};

constexpr std::array kKindNames{
    KindName{ManifestKind::oci_image, "application/vnd.oci.image.manifest.v1+json"},
    KindName{ManifestKind::oci_index, "application/vnd.oci.image.index.v1+json"},
    KindName{ManifestKind::docker_image, "application/vnd.docker.distribution.manifest.v2+json"},
    KindName{ManifestKind::docker_list,
             "application/vnd.docker.distribution.manifest.list.v2+json"},
};

// Types whose bytes the registry need not hold (DIST-MAN-14).
constexpr std::array<std::string_view, 4> kForeignTypes{
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
};

Refusal invalid(std::string why) { return {Errc::manifest_invalid, std::move(why)}; }

// The type without parameters and surrounding space, in lower case (DIST-MAN-06).
std::string essence_of(std::string_view content_type) {
    std::string essence{content_type.substr(0, content_type.find(';'))};
    const auto first = essence.find_first_not_of(" \t");
    if (first == std::string::npos) return {};
    essence = essence.substr(first, essence.find_last_not_of(" \t") - first + 1);
    std::transform(essence.begin(), essence.end(), essence.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return essence;
}

Answer<ManifestKind> kind_of_type(std::string_view media_type) {
    if (const auto kind = manifest_kind_of(media_type)) return *kind;
    if (media_type.starts_with("application/vnd.docker.distribution.manifest.v1+")) {
        return refuse(
            invalid("Docker manifest schema 1 is not supported: push schema 2 or an OCI manifest"));
    }
    if (media_type == "application/vnd.oci.artifact.manifest.v1+json") {
        return refuse(invalid(
            "the OCI artifact manifest was withdrawn: push an image manifest with artifactType"));
    }
    return refuse(invalid("this media type is no manifest type the registry accepts"));
}

// DIST-MAN-07, DIST-MAN-08.
Answer<ManifestKind> decide_kind(const RawManifest& raw, std::string_view content_type) {
    const auto essence = essence_of(content_type);
    if (!essence.empty()) {
        ORB_TRY(auto kind, kind_of_type(essence));
        if (raw.media_type && *raw.media_type != essence) {
            return refuse(
                invalid("mediaType in the manifest and Content-Type of the request differ"));
        }
        return kind;
    }
    if (raw.media_type) return kind_of_type(*raw.media_type);
    if (raw.config) return ManifestKind::oci_image;
    if (raw.has_manifests) return ManifestKind::oci_index;
    return refuse(invalid("neither mediaType nor Content-Type says what this is"));
}

// DIST-MAN-09: bytes that one client reads as an image and another as an index.
Answer<void> check_shape(const RawManifest& raw, ManifestKind kind) {
    const bool looks_like_image = raw.config.has_value() || raw.has_layers;
    if (looks_like_image && raw.has_manifests) {
        return refuse(invalid("has both config or layers, and manifests"));
    }
    if (is_index(kind) && looks_like_image)
        return refuse(invalid("an index with config or layers"));
    if (is_index(kind) && !raw.has_manifests) return refuse(invalid("an index without manifests"));
    if (!is_index(kind) && raw.has_manifests)
        return refuse(invalid("an image manifest with manifests"));
    if (!is_index(kind) && !raw.config) return refuse(invalid("an image manifest without config"));
    return ok();
}

bool is_foreign(const RawDescriptor& raw) {
    const auto& type = raw.descriptor.media_type;
    return raw.has_urls &&
           std::find(kForeignTypes.begin(), kForeignTypes.end(), type) != kForeignTypes.end();
}

std::uint64_t size_of(const Annotations& annotations) noexcept {
    std::uint64_t size = 0;
    for (const auto& [key, value] : annotations) size += key.size() + value.size();
    return size;
}

}  // namespace

std::string_view media_type_of(ManifestKind kind) noexcept {
    for (const auto& name : kKindNames) {
        if (name.kind == kind) return name.media_type;
    }
    return {};
}

std::optional<ManifestKind> manifest_kind_of(std::string_view media_type) noexcept {
    for (const auto& name : kKindNames) {
        if (name.media_type == media_type) return name.kind;
    }
    return std::nullopt;
}

// ManifestBuilder gathers the edges of a Manifest, each digest once for each room it is looked up
// in.
class ManifestBuilder {
public:
    Answer<void> add(RawDescriptor raw, bool to_manifest) {
        const bool foreign = is_foreign(raw);
        auto& known = to_manifest ? manifests_ : blobs_;
        const auto [found, inserted] =
            known.try_emplace(raw.descriptor.digest, manifest_.edges_.size());
        if (inserted) {
            manifest_.edges_.push_back({std::move(raw.descriptor), to_manifest, foreign});
            return ok();
        }
        auto& edge = manifest_.edges_[found->second];
        if (edge.descriptor.size_bytes != raw.descriptor.size_bytes) {
            return refuse(invalid("two descriptors of one digest differ in size"));
        }
        edge.foreign = edge.foreign && foreign;
        return ok();
    }

    Answer<void> add_all(RawManifest& raw) {
        if (raw.config) {
            ORB_TRY(add(*raw.config, false));
        }
        for (auto& layer : raw.layers) {
            ORB_TRY(add(std::move(layer), false));
        }
        for (auto& child : raw.manifests) {
            const bool to_manifest = manifest_kind_of(child.descriptor.media_type).has_value();
            ORB_TRY(add(std::move(child), to_manifest));
        }
        return ok();
    }

    Answer<Manifest> build(RawManifest raw, ManifestKind kind, std::uint64_t size_bytes,
                           const RegistryLimits& limits) {
        manifest_.kind_ = kind;
        manifest_.size_bytes_ = size_bytes;
        manifest_.artifact_type_ = std::move(raw.artifact_type);
        if (manifest_.artifact_type_.empty() && !is_index(kind) && raw.config) {
            manifest_.artifact_type_ = raw.config->descriptor.media_type;
        }
        ORB_TRY(add_all(raw));
        const bool docker = kind == ManifestKind::docker_image || kind == ManifestKind::docker_list;
        if (raw.subject && !docker) {
            if (size_of(raw.annotations) > limits.referrer_annotations_max_bytes) {
                return refuse(invalid("the annotations of a manifest with a subject are too long"));
            }
            manifest_.subject_ = raw.subject->descriptor.digest;
            manifest_.annotations_ = std::move(raw.annotations);
        }
        return std::move(manifest_);
    }

private:
    Manifest manifest_;
    std::unordered_map<Digest, std::size_t> blobs_;
    std::unordered_map<Digest, std::size_t> manifests_;
};

Answer<Manifest> Manifest::parse(ByteView bytes, std::string_view content_type,
                                 const RegistryLimits& limits) {
    if (bytes.size() > limits.manifest_size_max_bytes) {
        return refuse({Errc::too_large, "the manifest is larger than this registry accepts"});
    }
    ORB_TRY(auto raw, read_manifest_text(bytes, limits));
    ORB_TRY(auto kind, decide_kind(raw, content_type));
    ORB_TRY(check_shape(raw, kind));
    return ManifestBuilder{}.build(std::move(raw), kind, bytes.size(), limits);
}

}  // namespace orbitalreg::engine
