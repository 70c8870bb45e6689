// Hashing, checksums and the grammar of digests: the steps that every pushed or pulled byte, or
// every request, goes through.

#include "base/checksum.h"
#include "base/digest.h"
#include "base/hasher.h"

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

namespace orbitalreg {
namespace {

std::vector<std::byte> pattern(std::size_t size_bytes) {
    std::vector<std::byte> bytes(size_bytes);
    for (std::size_t i = 0; i < size_bytes; ++i) {
        bytes[i] = static_cast<std::byte>(mix64(i, size_bytes));
    }
    return bytes;
}

void count_bytes(benchmark::State& state) {
    state.SetBytesProcessed(state.iterations() * state.range(0));
}

template <DigestAlgorithm algorithm>
void BM_HasherUpdate(benchmark::State& state) {
    const auto bytes = pattern(static_cast<std::size_t>(state.range(0)));
    Hasher hasher{algorithm};
    for (auto _ : state) {
        hasher.update(bytes);
    }
    benchmark::DoNotOptimize(hasher.digest());
    count_bytes(state);
}
BENCHMARK(BM_HasherUpdate<DigestAlgorithm::sha256>)->Arg(4096)->Arg(65536)->Arg(262144);
BENCHMARK(BM_HasherUpdate<DigestAlgorithm::sha512>)->Arg(65536)->Arg(262144);

// What a mark costs of the hash: state out, state in.
void BM_HasherSaveRestore(benchmark::State& state) {
    Hasher hasher{DigestAlgorithm::sha256};
    hasher.update(pattern(1000));
    for (auto _ : state) {
        const auto saved = hasher.save();
        auto restored = Hasher::restore(saved);
        benchmark::DoNotOptimize(restored);
    }
}
BENCHMARK(BM_HasherSaveRestore);

void BM_DigestOfSmallBlob(benchmark::State& state) {
    const auto bytes = pattern(static_cast<std::size_t>(state.range(0)));
    for (auto _ : state) {
        benchmark::DoNotOptimize(Digest::of(DigestAlgorithm::sha256, bytes));
    }
    count_bytes(state);
}
BENCHMARK(BM_DigestOfSmallBlob)->Arg(100)->Arg(4096)->Arg(65536);

// One chunk of a lane (64 KiB), one frame (4 KiB), a full frame (4 MiB).
void BM_Checksum64(benchmark::State& state) {
    const auto bytes = pattern(static_cast<std::size_t>(state.range(0)));
    std::uint64_t seed = 0;
    for (auto _ : state) {
        seed = checksum64(bytes, seed);
    }
    benchmark::DoNotOptimize(seed);
    count_bytes(state);
}
BENCHMARK(BM_Checksum64)->Arg(128)->Arg(4096)->Arg(65536)->Arg(4 << 20);

void BM_Checksum128(benchmark::State& state) {
    const auto bytes = pattern(static_cast<std::size_t>(state.range(0)));
    std::uint64_t seed = 0;
    for (auto _ : state) {
        seed = checksum128(bytes, seed).low;
    }
    benchmark::DoNotOptimize(seed);
    count_bytes(state);
}
BENCHMARK(BM_Checksum128)->Arg(4096)->Arg(4 << 20);

// A chunk that arrives in the pieces a socket gives.
void BM_StreamingChecksum64(benchmark::State& state) {
    const auto bytes = pattern(65536);
    const auto piece = static_cast<std::size_t>(state.range(0));
    StreamingChecksum64 checksum;
    for (auto _ : state) {
        checksum.reset(1);
        for (std::size_t at = 0; at < bytes.size(); at += piece) {
            checksum.update(ByteView{bytes}.subspan(at, std::min(piece, bytes.size() - at)));
        }
        benchmark::DoNotOptimize(checksum.value());
    }
    state.SetBytesProcessed(state.iterations() * 65536);
}
BENCHMARK(BM_StreamingChecksum64)->Arg(1460)->Arg(16384);

void BM_DigestParse(benchmark::State& state) {
    const std::string text = Digest::of(DigestAlgorithm::sha256, as_bytes("x")).to_string();
    for (auto _ : state) {
        auto digest = Digest::parse(text);
        benchmark::DoNotOptimize(digest);
    }
}
BENCHMARK(BM_DigestParse);

void BM_DigestToString(benchmark::State& state) {
    const Digest digest = Digest::of(DigestAlgorithm::sha256, as_bytes("x"));
    for (auto _ : state) {
        benchmark::DoNotOptimize(digest.to_string());
    }
}
BENCHMARK(BM_DigestToString);

}  // namespace
}  // namespace orbitalreg
