#pragma once
// Universe is the finite world of one seed: the blobs, manifests, image names, tags and documents that its clients deal
// with. So small that any state of the registry fits into a few bytes, and that clients meet each other all the time.

#include "base/digest.h"
#include "engine/manifest.h"
#include "engine/names.h"
#include "engine/registry_store.h"
#include "support/sim_random.h"

#include <cstdint>
#include <string>
#include <vector>

namespace orbitalreg::sim {

struct SimBlob {
    Digest digest;
    std::vector<std::byte> bytes;
};

struct SimManifest {
    Digest digest;
    std::vector<std::byte> bytes;
    engine::Manifest parsed;
    std::uint32_t blobs = 0;      // that it refers to, a bit each
    std::uint32_t manifests = 0;  // children of an index, a bit each
    int subject = -1;             // of a referrer
};

struct Universe {
    static constexpr std::size_t kImages = 3;
    static constexpr std::size_t kTags = 3;
    static constexpr std::size_t kBlobs = 10;
    static constexpr std::size_t kManifests = 8;
    static constexpr std::size_t kDocuments = 2;
    static constexpr std::size_t kDocumentValues = 5;

    Universe(SimRandom& random, std::uint64_t inline_size_max);

    std::vector<SimBlob> blobs;
    std::vector<SimManifest> manifests;
    std::vector<engine::ImageName> images;
    std::vector<engine::Tag> tags;

    engine::PushTarget target(std::size_t image) const;
    static std::string document_name(std::size_t document) {
        return "sim/" + std::to_string(document);
    }
    static std::vector<std::byte> document_bytes(std::size_t value);
};

}  // namespace orbitalreg::sim
