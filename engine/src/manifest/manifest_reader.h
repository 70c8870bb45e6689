#pragma once
// ManifestReader turns the JSON text of a manifest into a RawManifest by events: every key is seen,
// so that duplicates and keys that another parser would fold into a known field are refused
// (SEC-14), and nothing unknown is kept.
//
// Limits   RegistryLimits::manifest_*. Memory: 8 bytes a key of the open objects, beside what
//          RawManifest keeps.

#include "base/bytes.h"
#include "base/digest.h"
#include "engine/errors.h"
#include "engine/manifest.h"
#include "engine/options.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orbitalreg::engine {

struct RawDescriptor {
    Descriptor descriptor;
    bool has_urls = false;
};

// What the text says, before it is known which kind of manifest it is.
struct RawManifest {
    std::optional<std::string> media_type;
    std::string artifact_type;
    bool has_layers = false;
    bool has_manifests = false;
    std::optional<RawDescriptor> config;
    std::vector<RawDescriptor> layers;
    std::vector<RawDescriptor> manifests;
    std::optional<RawDescriptor> subject;
    Annotations annotations;
};

// Errc::manifest_invalid, with what is wrong.
Answer<RawManifest> read_manifest_text(ByteView text, const RegistryLimits& limits);

}  // namespace orbitalreg::engine
