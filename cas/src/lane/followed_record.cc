#include "lane/followed_record.h"

#include "base/assert.h"
#include "base/checksum.h"
#include "cas/errors.h"

#include <algorithm>

namespace orbitalreg::cas {

std::uint64_t FollowedRecord::sums() const noexcept {
    const std::lock_guard lock{mutex_};
    return sums_.size();
}

void FollowedRecord::add_sums(std::span<const std::uint64_t> sums) {
    const std::lock_guard lock{mutex_};
    sums_.insert(sums_.end(), sums.begin(), sums.end());
}

void FollowedRecord::set_place(std::uint32_t lane, std::uint32_t base_page) noexcept {
    const std::lock_guard lock{mutex_};
    lane_ = lane;
    base_page_ = base_page;
}

void FollowedRecord::set_completed(std::uint64_t bytes) noexcept {
    const std::lock_guard lock{mutex_};
    completed_ = std::max(completed_, bytes);
}

std::uint64_t FollowedRecord::readable() const noexcept {
    if (lane_ == 0) return 0;
    return std::min(round_down(completed_, kChunkSize), sums_.size() * kChunkSize);
}

std::uint64_t FollowedRecord::readable_bytes() const noexcept {
    const std::lock_guard lock{mutex_};
    return readable();
}

FollowedRecord::Chunk FollowedRecord::chunk_at(std::uint64_t number) const {
    const std::lock_guard lock{mutex_};
    ORB_ASSERT((number + 1) * kChunkSize <= readable());
    return {lane_, (std::uint64_t{base_page_} + 1) * kPageSize + number * kChunkSize,
            sums_[number]};
}

Awaitable<Result<void>> FollowedRecord::read_chunk(IoQueue& queue, Chunk chunk, std::uint64_t seed,
                                                   MutableByteView to) {
    // Through the page cache, since many read the same; what does not agree is read past it once more.
    for (const bool cached : {true, false}) {
        auto file = cached ? rooms_->files.buffered(chunk.lane) : rooms_->files.direct(chunk.lane);
        if (!file) co_return fail(Errc::io_error);
        if (cached) {
            const auto now = queue.read_now(*file.value(), chunk.file_offset, to);
            const bool whole = now && now.value() == to.size();
            if (whole && checksum64(to, seed) == chunk.sum) co_return ok();
        }
        const auto read =
            co_await async_read(queue, *file.value(), chunk.file_offset, to, IoClass::read);
        const bool whole = read && read.value() == to.size();
        if (whole && checksum64(to, seed) == chunk.sum) co_return ok();
    }
    co_return fail(Errc::io_error);
}

Awaitable<Result<BlobPiece>> FollowedRecord::read(std::uint64_t offset, std::uint64_t length_max) {
    ORB_ASSERT(length_max > 0);
    const std::uint64_t number = offset / kChunkSize;
    const Chunk chunk = chunk_at(number);
    auto taken = rooms_->pull_buffers->take();
    if (!taken) co_return fail(Errc::overloaded);
    const auto buffer = std::make_shared<Buffer>(std::move(*taken));
    const MutableByteView bytes = buffer->bytes().first(kChunkSize);
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    ORB_CO_TRY(
        co_await read_chunk(rooms_->queue_of(executor), chunk, chunk_seed(uid_, number), bytes));
    const auto skipped = static_cast<std::size_t>(offset % kChunkSize);
    const auto length = std::min<std::uint64_t>(kChunkSize - skipped, length_max);
    co_return BlobPiece{bytes.subspan(skipped, static_cast<std::size_t>(length)), buffer};
}

}  // namespace orbitalreg::cas
