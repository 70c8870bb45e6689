// Manifests: no bytes break the parser, and what it accepts keeps its promises.

#include "engine/manifest.h"

#include "base/assert.h"

#include <cstdint>
#include <set>
#include <utility>

using namespace orbitalreg;
using namespace orbitalreg::engine;

namespace {

void check_accepted(const Manifest& manifest, const RegistryLimits& limits) {
    ORB_ASSERT(!manifest.media_type().empty());
    ORB_ASSERT(manifest.edges().size() <= limits.manifest_references_max);
    std::set<std::pair<Digest, bool>> seen;
    for (const auto& edge : manifest.edges()) {
        ORB_ASSERT(seen.emplace(edge.descriptor.digest, edge.to_manifest).second);
        ORB_ASSERT(edge.to_manifest == manifest_kind_of(edge.descriptor.media_type).has_value() ||
                   !is_index(manifest.kind()));
        ORB_ASSERT(edge.descriptor.size_bytes <= INT64_MAX);
    }
    if (!is_index(manifest.kind())) ORB_ASSERT(!manifest.edges().empty());
    if (!manifest.subject()) ORB_ASSERT(manifest.annotations().empty());
    std::uint64_t text_bytes = 0;
    for (const auto& [key, value] : manifest.annotations()) text_bytes += key.size() + value.size();
    ORB_ASSERT(text_bytes <= limits.referrer_annotations_max_bytes);
}

}  // namespace

// The first byte chooses the Content-Type, the rest is the body.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const RegistryLimits limits;
    std::string_view type;
    if (data[0] % 5 != 0) type = media_type_of(static_cast<ManifestKind>(data[0] % 5));
    const ByteView body{reinterpret_cast<const std::byte*>(data + 1), size - 1};
    const auto manifest = Manifest::parse(body, type, limits);
    if (manifest) {
        check_accepted(manifest.value(), limits);
    } else {
        ORB_ASSERT(!manifest.error().message.empty());
    }
    return 0;
}
