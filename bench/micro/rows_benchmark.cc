// What a checkpoint's rows cost, device and compression excluded: a slice of the walk between two frames, and loading
// all rows at a start. Ten blobs a manifest, one tag and one image name for fifty manifests, nothing
// shared: about what a registry of builds looks like.

#include "base/assert.h"
#include "filled_tables.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <malloc.h>
#include <memory>
#include <string>
#include <vector>

namespace orbitalreg {
namespace {

constexpr std::uint32_t kBlobsPerManifest = 10;
constexpr std::uint32_t kManifestsPerImage = 50;
constexpr std::uint32_t kSliceRows = 128;

void push(State& state, std::uint64_t number) {
    const auto image = engine::ImageName::parse("project/repository/image" +
                                                std::to_string(number / kManifestsPerImage));
    engine::ManifestPutRecord put{image.value(),
                                  numbered(number * kBlobsPerManifest),
                                  engine::ManifestKind::oci_image,
                                  2000,
                                  {},
                                  {},
                                  "",
                                  {},
                                  {engine::Tag::parse("v" + std::to_string(number)).value()},
                                  {}};
    for (std::uint32_t i = 0; i < kBlobsPerManifest; ++i) {
        const auto digest = numbered(number * kBlobsPerManifest + i);
        const auto id = state.blobs.allocate_id();
        state.blobs.insert(id, digest, {true, 1, id.value, 100'000, id.value}, 1);
        if (i == 0) continue;
        put.edges.push_back({digest, false});
        apply(state, engine::LinkAddRecord{image.value(), digest, {}});
    }
    apply(state, put);
}

std::unique_ptr<State> made(std::uint64_t blobs) {
    auto state = std::make_unique<State>();
    for (std::uint64_t i = 0; i < blobs / kBlobsPerManifest; ++i) push(*state, i);
    return state;
}

double heap_bytes() {
    const auto info = mallinfo2();
    return static_cast<double>(info.uordblks + info.hblkhd);
}

using Batches = std::vector<std::vector<cas::RowBatch>>;  // by table

// Slices as the sequencer runs them, with the longest of them and the one that 1 in 1000 exceeds.
Batches walk(State& state, benchmark::State* bench) {
    Batches written;
    std::vector<double> slices_us;
    for (auto* table : state.tables()) table->begin_walk();
    for (auto* table : state.tables()) {
        auto& batches = written.emplace_back(1);
        for (bool more = true; more;) {
            if (batches.back().bytes().size() > 256_KiB) batches.emplace_back();
            const auto start = std::chrono::steady_clock::now();
            more = table->walk(batches.back(), kSliceRows, 256_KiB + 1);
            const std::chrono::duration<double, std::micro> took =
                std::chrono::steady_clock::now() - start;
            slices_us.push_back(took.count());
        }
    }
    if (bench != nullptr) {
        std::sort(slices_us.begin(), slices_us.end());
        bench->counters["slice_us_p50"] = slices_us[slices_us.size() / 2];
        bench->counters["slice_us_p999"] = slices_us[slices_us.size() * 999 / 1000];
        bench->counters["slice_us_max"] = slices_us.back();
    }
    return written;
}

void load(State& state, const Batches& written, benchmark::State& bench) {
    const auto tables = state.tables();
    auto start = std::chrono::steady_clock::now();
    const auto note = [&](const std::string& what) {
        const std::chrono::duration<double, std::milli> took =
            std::chrono::steady_clock::now() - start;
        bench.counters["ms_" + what] = took.count();
        start = std::chrono::steady_clock::now();
    };
    for (std::size_t i = 0; i < tables.size(); ++i) {
        for (const auto& batch : written[i]) {
            ByteView rest = batch.bytes();
            while (!rest.empty()) {
                const auto size = load_le<std::uint32_t>(rest.data());
                ORB_ASSERT(tables[i]->load(rest.subspan(cas::RowBatch::kPrefixSize, size)));
                rest = rest.subspan(round_up(cas::RowBatch::kPrefixSize + size, 8));
            }
        }
        note("table_" + std::to_string(tables[i]->number()));
        ORB_ASSERT(tables[i]->loaded());
        note("loaded_" + std::to_string(tables[i]->number()));
    }
    state.catalog.visit_references(
        [&](cas::BlobId blob) { ORB_ASSERT(state.blobs.load_reference(blob)); });
    note("references");
    state.blobs.derive();
    note("derived");
}

void BM_RowsWalk(benchmark::State& bench) {
    const auto state = made(static_cast<std::uint64_t>(bench.range(0)));
    for (auto _ : bench) {
        std::size_t bytes = 0;
        for (const auto& batches : walk(*state, &bench)) {
            for (const auto& batch : batches) bytes += batch.bytes().size();
        }
        bench.counters["bytes_per_blob"] =
            static_cast<double>(bytes) / static_cast<double>(bench.range(0));
    }
}
BENCHMARK(BM_RowsWalk)->Arg(100'000)->Arg(1'000'000)->Iterations(1)->Unit(benchmark::kMillisecond);

void BM_RowsLoad(benchmark::State& bench) {
    Batches written;
    {
        const auto state = made(static_cast<std::uint64_t>(bench.range(0)));
        written = walk(*state, nullptr);
    }
    malloc_trim(0);
    const double before = heap_bytes();
    auto loaded = std::make_unique<State>();
    for (auto _ : bench) load(*loaded, written, bench);
    const auto blobs = static_cast<double>(bench.range(0));
    bench.counters["memory_per_blob"] = (heap_bytes() - before) / blobs;
    bench.counters["estimated_per_blob"] =
        static_cast<double>(loaded->catalog.stats().catalog_memory_bytes) / blobs + 71;
}
BENCHMARK(BM_RowsLoad)->Arg(100'000)->Arg(1'000'000)->Iterations(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace orbitalreg
