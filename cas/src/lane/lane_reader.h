#pragma once
// LaneReader reads a blob out of its lane: whole chunks through the page cache, each compared with
// its sum; what fails is read once more past the page cache, and what fails again is damage. Once a piece was not in memory, the
// device is told what comes behind it, inside the blob.
//
// Memory   one chunk's buffer of its own; pieces up to 1 MiB as long as wide buffers take no more
//          than half of the share.

#include "cas/blob_reader.h"
#include "lane/lane_rooms.h"

#include <cstdint>
#include <map>
#include <memory>

namespace orbitalreg::cas {

class LaneReader final : public BlobReader {
public:
    LaneReader(std::shared_ptr<LaneRooms> rooms, PinnedBlob blob, Buffer own)
        : rooms_{std::move(rooms)},
          blob_{std::move(blob)},
          own_{std::make_shared<Buffer>(std::move(own))} {}

    const Digest& digest() const noexcept override { return blob_.blob.digest; }
    std::uint64_t size_bytes() const noexcept override { return blob_.blob.extent.size_bytes; }
    Awaitable<Result<BlobPiece>> read(std::uint64_t offset, std::uint64_t length_max) override;

private:
    enum class Way : std::uint8_t { cached, direct };

    struct Span {  // of the payload, from a chunk's start
        std::uint64_t begin = 0;
        std::size_t size = 0;
    };

    const Extent& extent() const noexcept { return blob_.blob.extent; }
    std::shared_ptr<Buffer> take_buffer(std::uint64_t wanted);
    Awaitable<Result<void>> read_span(IoQueue& queue, Span span, MutableByteView to);
    // Reads into `to`, a page's multiple; what lies behind the file's end stays as it was.
    Awaitable<Result<std::size_t>> read_file(IoQueue& queue, Way way, std::uint64_t offset,
                                             MutableByteView to);
    void read_ahead(File& file, Span span);
    Awaitable<Result<void>> load_sums(IoQueue& queue, Span span);
    Awaitable<Result<ClockCache::Bytes>> sum_page(IoQueue& queue, std::uint64_t number);
    bool decodes(std::uint64_t number, PageView page) const noexcept;
    bool agrees(Span span, ByteView bytes) const noexcept;
    std::uint64_t sum_of(std::uint64_t chunk) const noexcept;
    Errc damaged() noexcept;

    std::shared_ptr<LaneRooms> rooms_;
    PinnedBlob blob_;
    std::shared_ptr<Buffer> own_;
    std::shared_ptr<File> file_;
    bool cold_ = false;              // a piece had to be waited for
    std::uint64_t ahead_until_ = 0;  // of the payload: what the device has been told of
    std::map<std::uint64_t, ClockCache::Bytes>
        pages_;  // for the span that is read; 0 is the descriptor
};

}  // namespace orbitalreg::cas
