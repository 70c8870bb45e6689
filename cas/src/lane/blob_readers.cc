#include "lane/blob_readers.h"

#include "base/assert.h"
#include "base/planted_bug.h"
#include "cas/errors.h"
#include "lane/lane_reader.h"

#include <algorithm>

namespace orbitalreg::cas {
namespace {

// InlineReader reads a small blob out of its frame, past the page cache, verifies it by its digest
// and keeps it in the cache of small blobs.
class InlineReader final : public BlobReader {
public:
    InlineReader(std::shared_ptr<LaneRooms> rooms, PinnedBlob blob)
        : rooms_{std::move(rooms)}, blob_{std::move(blob)} {}

    const Digest& digest() const noexcept override { return blob_.blob.digest; }
    std::uint64_t size_bytes() const noexcept override { return blob_.blob.extent.size_bytes; }

    Awaitable<Result<BlobPiece>> read(std::uint64_t offset, std::uint64_t length_max) override {
        ORB_ASSERT(offset < size_bytes());
        ORB_ASSERT(length_max > 0);
        if (bytes_ == nullptr) bytes_ = rooms_->small_blobs.find(key());
        if (bytes_ == nullptr) {
            ORB_CO_TRY(bytes_, co_await load());
            rooms_->small_blobs.insert(key(), bytes_);
        }
        const std::uint64_t length = std::min(length_max, size_bytes() - offset);
        co_return BlobPiece{ByteView{*bytes_}.subspan(static_cast<std::size_t>(offset),
                                                      static_cast<std::size_t>(length)),
                            bytes_};
    }

private:
    ClockCache::Key key() const noexcept { return {blob_.blob.extent.uid, 0}; }

    Awaitable<Result<ClockCache::Bytes>> load() {
        const asio::any_io_executor executor = co_await asio::this_coro::executor;
        IoQueue& queue = rooms_->queue_of(executor);
        const Extent& extent = blob_.blob.extent;
        auto bytes =
            std::make_shared<std::vector<std::byte>>(static_cast<std::size_t>(extent.size_bytes));
        bool failed_device = false;
        for (int attempt = 0; attempt < 2; ++attempt) {
            const auto read =
                co_await rooms_->log->read(queue, extent.file, extent.log_offset_bytes(), *bytes);
            failed_device = !read;
            if (failed_device) continue;
            if (Digest::of(digest().algorithm(), *bytes) == digest()) co_return bytes;
        }
        if (failed_device && !ORB_PLANTED(eio_marks_damaged)) co_return fail(Errc::io_error);
        rooms_->report_damage(blob_.blob);
        co_return fail(Errc::blob_damaged);
    }

    std::shared_ptr<LaneRooms> rooms_;
    PinnedBlob blob_;
    ClockCache::Bytes bytes_;
};

}  // namespace

Result<std::unique_ptr<BlobReader>> make_blob_reader(std::shared_ptr<LaneRooms> rooms,
                                                     PinnedBlob blob) {
    if (rooms->log == nullptr) return fail(Errc::stopped);
    if (!blob.blob.extent.in_lane) {
        return std::make_unique<InlineReader>(std::move(rooms), std::move(blob));
    }
    auto own = rooms->pull_buffers->take();
    if (!own) return fail(Errc::overloaded);
    return std::make_unique<LaneReader>(std::move(rooms), std::move(blob), std::move(*own));
}

}  // namespace orbitalreg::cas
