#include "sim/universe.h"

#include "base/assert.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

namespace orbitalreg::sim {
namespace {

constexpr std::size_t kImageManifests = 6;  // then an index and a referrer

SimBlob make_blob(SimRandom& random, std::uint64_t size) {
    SimBlob blob;
    blob.bytes.resize(size);
    random.fill(blob.bytes);
    blob.digest = Digest::of(random.one_in(5) ? DigestAlgorithm::sha512 : DigestAlgorithm::sha256,
                             blob.bytes);
    return blob;
}

std::string descriptor(std::string_view media_type, const Digest& digest, std::size_t size) {
    return "{\"mediaType\":\"" + std::string{media_type} + "\",\"digest\":\"" + digest.to_string() +
           "\",\"size\":" + std::to_string(size) + "}";
}

// `number` makes manifests of the same blobs differ.
std::string image_manifest(const Universe& universe, const std::vector<std::size_t>& blobs,
                           std::string_view subject, std::size_t number) {
    const SimBlob& config = universe.blobs[blobs.front()];
    std::string text =
        R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":)";
    text +=
        descriptor("application/vnd.oci.image.config.v1+json", config.digest, config.bytes.size());
    text += ",\"layers\":[";
    for (std::size_t i = 1; i < blobs.size(); ++i) {
        if (i > 1) text += ',';
        const SimBlob& layer = universe.blobs[blobs[i]];
        text +=
            descriptor("application/vnd.oci.image.layer.v1.tar", layer.digest, layer.bytes.size());
    }
    text += "]";
    if (!subject.empty()) text += ",\"subject\":" + std::string{subject};
    // Some manifests are larger than what fits inline.
    text += ",\"annotations\":{\"sim\":\"" + std::to_string(number) +
            std::string(number % 3 == 0 ? 1500 : 3, 'a') + "\"}}";
    return text;
}

SimManifest finish(std::string text, std::string_view media_type) {
    auto parsed = engine::Manifest::parse(as_bytes(text), media_type, engine::RegistryLimits{});
    if (!parsed) {
        std::fprintf(stderr, "the simulator's own manifest is refused: %s\n",
                     parsed.error().message.c_str());
        std::abort();
    }
    const ByteView bytes = as_bytes(text);
    return {Digest::of(DigestAlgorithm::sha256, bytes),
            {bytes.begin(), bytes.end()},
            std::move(parsed).value(),
            0,
            0,
            -1};
}

constexpr std::string_view kImageType = "application/vnd.oci.image.manifest.v1+json";
constexpr std::string_view kIndexType = "application/vnd.oci.image.index.v1+json";

std::uint32_t bits_of(const std::vector<std::size_t>& indexes) {
    std::uint32_t bits = 0;
    for (const std::size_t index : indexes) bits |= 1U << index;
    return bits;
}

}  // namespace

Universe::Universe(SimRandom& random, std::uint64_t inline_size_max) {
    const std::array<std::uint64_t, kBlobs> sizes{random.between(1, 200),
                                                  random.between(1, 200),
                                                  inline_size_max,
                                                  inline_size_max + 1,
                                                  random.between(inline_size_max + 2, 6000),
                                                  4096 * random.between(1, 5),
                                                  random.between(5000, 30'000),
                                                  65536,
                                                  random.between(65'537, 140'000),
                                                  random.between(131'000, 200'000)};
    for (const std::uint64_t size : sizes) blobs.push_back(make_blob(random, size));
    for (const char* name : {"p/a/one", "p/a/two", "q/b"})
        images.push_back(engine::ImageName::parse(name).value());
    for (const char* name : {"latest", "v1", "v2"})
        tags.push_back(engine::Tag::parse(name).value());
    for (std::size_t i = 0; i < kImageManifests; ++i) {
        // Small blobs mostly, so that manifests find their children early in a run.
        std::vector<std::size_t> used{i % 3, 2 + random.below(4)};
        if (random.one_in(3)) used.push_back(6 + random.below(4));
        manifests.push_back(finish(image_manifest(*this, used, {}, i), kImageType));
        manifests.back().blobs = bits_of(used);
    }
    std::string index =
        R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[)";
    index += descriptor(kImageType, manifests[0].digest, manifests[0].bytes.size()) + ',';
    index += descriptor(kImageType, manifests[1].digest, manifests[1].bytes.size()) + "]}";
    manifests.push_back(finish(std::move(index), kIndexType));
    manifests.back().manifests = 3;
    const std::string subject =
        descriptor(kImageType, manifests[2].digest, manifests[2].bytes.size());
    manifests.push_back(
        finish(image_manifest(*this, {1, 2}, subject, kImageManifests), kImageType));
    manifests.back().blobs = bits_of({1, 2});
    manifests.back().subject = 2;
    ORB_ASSERT(manifests.size() == kManifests);
}

engine::PushTarget Universe::target(std::size_t image) const {
    const engine::ImageName& name = images[image];
    return {name,
            {{std::string{name.component(0)}, std::string{name.component(1)}},
             engine::RepositoryType::local,
             false}};
}

std::vector<std::byte> Universe::document_bytes(std::size_t value) {
    return std::vector<std::byte>(40 * (value + 1), static_cast<std::byte>('a' + value));
}

}  // namespace orbitalreg::sim
