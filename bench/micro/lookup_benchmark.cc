// Look-ups of a request: a blob by its digest, a manifest by its tag, a page of tags or of image names. Each asks for another one,
// so that what is found is not in the processor's caches already.

#include "base/assert.h"
#include "filled_tables.h"

#include <benchmark/benchmark.h>

#include <map>
#include <memory>
#include <string>
#include <utility>

namespace orbitalreg {
namespace {

constexpr std::uint32_t kPage = 100;
constexpr std::uint64_t kStride = 7919;  // a prime: every number comes once before one comes again

std::string image_name(std::uint64_t number) {
    return "project/repository/image" + std::to_string(number);
}
std::string tag_name(std::uint64_t number) { return "v1." + std::to_string(number); }

// So many image names with so many tags each, a manifest of its own for every tag.
const State& filled(std::uint64_t images, std::uint64_t tags) {
    static std::map<std::pair<std::uint64_t, std::uint64_t>, std::unique_ptr<State>> made;
    auto& state = made[{images, tags}];
    if (state) return *state;
    state = std::make_unique<State>();
    for (std::uint64_t i = 0; i < images * tags; ++i) {
        const auto id = state->blobs.allocate_id();
        state->blobs.insert(id, numbered(i), {true, 1, id.value, 2000, id.value}, 1);
        apply(*state,
              engine::ManifestPutRecord{engine::ImageName::parse(image_name(i / tags)).value(),
                                        numbered(i),
                                        engine::ManifestKind::oci_image,
                                        2000,
                                        {},
                                        {},
                                        "",
                                        {},
                                        {engine::Tag::parse(tag_name(i % tags)).value()},
                                        {}});
    }
    return *state;
}

void BM_FindBlob(benchmark::State& bench) {
    const auto count = static_cast<std::uint64_t>(bench.range(0));
    const State& state = filled(1, count);
    std::vector<Digest> digests;
    for (std::uint64_t i = 0; i < count; ++i) digests.push_back(numbered(i * kStride % count));
    std::size_t next = 0;
    for (auto _ : bench) {
        const auto found = state.blobs.find(digests[next++ % count]);
        ORB_ASSERT(found);
        benchmark::DoNotOptimize(found);
    }
}
BENCHMARK(BM_FindBlob)->Arg(1'000)->Arg(100'000);

// What EmbeddedRegistryStore does for a tag: the tag, its manifest, the bytes.
void BM_FindTagged(benchmark::State& bench) {
    const auto images = static_cast<std::uint64_t>(bench.range(0));
    const auto tags = static_cast<std::uint64_t>(bench.range(1));
    const State& state = filled(images, tags);
    std::vector<std::pair<std::string, std::string>> asked;
    for (std::uint64_t i = 0; i < images * tags; ++i) {
        const auto number = i * kStride % (images * tags);
        asked.emplace_back(image_name(number / tags), tag_name(number % tags));
    }
    std::size_t next = 0;
    for (auto _ : bench) {
        const auto& [image, tag] = asked[next++ % asked.size()];
        const auto manifest = state.catalog.images().find_tag(image, tag);
        ORB_ASSERT(manifest);
        const auto known = state.catalog.manifests().find(*manifest);
        const auto kind = state.catalog.images().find_manifest(image, *manifest);
        ORB_ASSERT(known && kind);
        benchmark::DoNotOptimize(state.blobs.find(known->digest));
    }
}
BENCHMARK(BM_FindTagged)
    ->ArgNames({"images", "tags"})
    ->Args({1, 1'000})
    ->Args({1, 100'000})
    ->Args({1'000, 1})
    ->Args({100'000, 1});

void BM_PageOfTags(benchmark::State& bench) {
    const auto count = static_cast<std::uint64_t>(bench.range(0));
    const State& state = filled(1, count);
    std::uint64_t next = 0;
    for (auto _ : bench) {
        const auto after = tag_name(next++ * kStride % count);
        benchmark::DoNotOptimize(state.catalog.images().list_tags(image_name(0), after, kPage));
    }
}
BENCHMARK(BM_PageOfTags)->Arg(1'000)->Arg(100'000);

void BM_PageOfImages(benchmark::State& bench) {
    const auto count = static_cast<std::uint64_t>(bench.range(0));
    const State& state = filled(count, 1);
    std::uint64_t next = 0;
    for (auto _ : bench) {
        const auto after = image_name(next++ * kStride % count);
        benchmark::DoNotOptimize(state.catalog.images().list_images(after, kPage));
    }
}
BENCHMARK(BM_PageOfImages)->Arg(1'000)->Arg(100'000);

}  // namespace
}  // namespace orbitalreg
