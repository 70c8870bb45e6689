// What the sequencer and recovery pay for a frame, device excluded: sealing, checking, finding the next.

#include "base/assert.h"
#include "format/frame.h"
#include "format/page_buffer.h"
#include "format/record.h"

#include <benchmark/benchmark.h>

#include <vector>

namespace orbitalreg::cas {
namespace {

constexpr std::uint64_t kOffset = 4096;

AddressSeed seed() {
    AddressSeed::Secret secret{};
    secret[0] = std::byte{1};
    return AddressSeed{secret};
}

FrameHeader header_of(std::int64_t frame_size) {
    FrameHeader header;
    header.record_count = 32;
    header.payload_bytes = static_cast<std::uint32_t>(frame_size - 128);
    header.segment = 7;
    header.lsn = 42;
    header.incarnation = 99;
    return header;
}

// One page: a commit at low load. 64 KiB: some 100 small records. 4 MiB: a frame closed for its size.
void frame_sizes(benchmark::internal::Benchmark* benchmark) {
    benchmark->Arg(4 << 10)->Arg(64 << 10)->Arg(4 << 20);
}

void BM_FrameSeal(benchmark::State& state) {
    const AddressSeed place = seed();
    PageBuffer frame{static_cast<std::size_t>(state.range(0))};
    FrameHeader header = header_of(state.range(0));
    for (auto _ : state) {
        header.prev = seal_frame(header, place, kOffset, frame.bytes());
    }
    state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_FrameSeal)->Apply(frame_sizes);

// One group commit: so many pushes of 4 KiB, laid behind each other and sealed.
void BM_FrameEncode(benchmark::State& state) {
    const AddressSeed place = seed();
    PageBuffer frame{kFrameSizeMax};
    const GroupRecord push{static_cast<std::uint16_t>(RecordType::blob_commit),
                           RecordOwner::cas,
                           BlobId{7},
                           0,
                           std::vector<std::byte>(120),
                           std::vector<std::byte>(4096)};
    for (auto _ : state) {
        PayloadWriter writer{frame.bytes()};
        for (std::int64_t i = 0; i < state.range(0); ++i) writer.add({&push, 1});
        writer.finish();
        FrameHeader header = header_of(0);
        header.record_count = writer.record_count();
        header.payload_bytes = writer.payload_bytes();
        benchmark::DoNotOptimize(
            seal_frame(header, place, kOffset, frame.bytes().first(header.size_bytes())));
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_FrameEncode)->Arg(1)->Arg(32)->Arg(500);

// Recovery: header decoded under its place, payload checked, chained to the next.
void BM_FrameReplay(benchmark::State& state) {
    const AddressSeed place = seed();
    PageBuffer frame{static_cast<std::size_t>(state.range(0))};
    FrameHeader sealed = header_of(state.range(0));
    seal_frame(sealed, place, kOffset, frame.bytes());
    for (auto _ : state) {
        const auto header = decode_frame_header(frame.first(kFrameHeaderSize), sealed.segment,
                                                kOffset, sealed.uuid, place);
        ORB_ASSERT(header && frame_payload_intact(header.value(), frame.bytes()));
        benchmark::DoNotOptimize(frame_chain_checksum(frame.bytes()));
    }
    state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_FrameReplay)->Apply(frame_sizes);

}  // namespace
}  // namespace orbitalreg::cas
