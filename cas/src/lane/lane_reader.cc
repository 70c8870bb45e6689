#include "lane/lane_reader.h"

#include "base/assert.h"
#include "base/checksum.h"
#include "base/errors.h"
#include "base/planted_bug.h"
#include "cas/errors.h"

#include <algorithm>
#include <cerrno>

namespace orbitalreg::cas {
namespace {

constexpr std::uint64_t kReadAhead = 4_MiB;  // four to eight pieces

// Number of the page that has the sum of a chunk: 0 the descriptor, n the table page n - 1.
std::uint64_t sum_page_number(std::uint64_t chunk) noexcept {
    if (chunk < kDescriptorSumsMax) return 0;
    return (chunk - kDescriptorSumsMax) / kTableSumsMax + 1;
}

}  // namespace

// A wide buffer if there is use for one, but never more of them than half of the share: each reader
// shall have a chunk.
std::shared_ptr<Buffer> LaneReader::take_buffer(std::uint64_t wanted) {
    const std::size_t wide = rooms_->wide_buffers->buffer_size();
    const std::uint64_t half = rooms_->ledger.limit(MemoryShare::pull_buffers) / 2;
    if (wanted > kChunkSize && (rooms_->wide_buffers->buffers_lent() + 1) * wide <= half) {
        if (auto buffer = rooms_->wide_buffers->take()) {
            return std::make_shared<Buffer>(std::move(*buffer));
        }
    }
    if (own_.use_count() == 1) return own_;
    // The last piece is still on its way to the client.
    auto buffer = rooms_->pull_buffers->take();
    return buffer ? std::make_shared<Buffer>(std::move(*buffer)) : nullptr;
}

Awaitable<Result<BlobPiece>> LaneReader::read(std::uint64_t offset, std::uint64_t length_max) {
    ORB_ASSERT(offset < size_bytes());
    ORB_ASSERT(length_max > 0);
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    IoQueue& queue = rooms_->queue_of(executor);
    Span span;
    span.begin = round_down(offset, kChunkSize);
    const std::uint64_t end = std::min(size_bytes(), offset + std::min(length_max, size_bytes()));
    const std::shared_ptr<Buffer> buffer = take_buffer(end - span.begin);
    if (buffer == nullptr) co_return fail(Errc::overloaded);
    const MutableByteView bytes = buffer->bytes();
    const std::uint64_t whole = std::min(round_up(end, kChunkSize), size_bytes());
    span.size = static_cast<std::size_t>(std::min<std::uint64_t>(whole - span.begin, bytes.size()));
    ORB_CO_TRY(co_await load_sums(queue, span));
    ORB_CO_TRY(co_await read_span(queue, span, bytes));
    const auto skipped = static_cast<std::size_t>(offset - span.begin);
    const std::uint64_t length = std::min<std::uint64_t>(span.size - skipped, end - offset);
    co_return BlobPiece{bytes.subspan(skipped, static_cast<std::size_t>(length)), buffer};
}

// A single chunk is no stream; the first piece of one is not kept waiting behind more than itself.
void LaneReader::read_ahead(File& file, Span span) {
    const std::uint64_t end = span.begin + span.size;
    if (!cold_ || span.size <= kChunkSize) return;
    const std::uint64_t until = std::min(end + kReadAhead, size_bytes());
    const std::uint64_t begin = std::max(end, ahead_until_);
    if (begin >= until || (begin > end + kReadAhead / 2 && until < size_bytes())) return;
    file.read_ahead(extent().lane_payload_offset_bytes() + begin, until - begin);
    ahead_until_ = until;
}

Awaitable<Result<void>> LaneReader::read_span(IoQueue& queue, Span span, MutableByteView to) {
    const std::uint64_t offset = extent().lane_payload_offset_bytes() + span.begin;
    if (file_ != nullptr) read_ahead(*file_, span);
    const auto first = co_await read_file(queue, Way::cached, offset, to.first(span.size));
    if (!first) co_return fail(first.error());
    if (first.value() == span.size && agrees(span, to)) co_return ok();
    // The payload is padded to a page on the disk.
    const auto pages = static_cast<std::size_t>(round_up(span.size, kPageSize));
    const auto second = co_await read_file(queue, Way::direct, offset, to.first(pages));
    if (!second) co_return fail(second.error());
    if (second.value() >= span.size && agrees(span, to)) co_return ok();
    co_return fail(damaged());
}

Awaitable<Result<std::size_t>> LaneReader::read_file(IoQueue& queue, Way way, std::uint64_t offset,
                                                     MutableByteView to) {
    std::shared_ptr<File> file = file_;
    if (way == Way::direct || file == nullptr) {
        auto opened = way == Way::direct ? rooms_->files.direct(extent().file)
                                         : rooms_->files.buffered(extent().file);
        if (!opened) {
            rooms_->environment.log.error(
                "cannot open a lane",
                {{"lane", extent().file}, {"error", opened.error().message()}});
            co_return fail(Errc::io_error);
        }
        file = std::move(opened).value();
        if (way == Way::cached) file_ = file;
    }
    if (way == Way::cached) {
        const auto now = queue.read_now(*file, offset, to);
        if (now && now.value() == to.size()) co_return now.value();
        cold_ = true;
    }
    // A read that the device refused is tried once more; that is no damage.
    Result<std::size_t> read = fail(Errc::io_error);
    for (int attempt = 0; attempt < 2; ++attempt) {
        read = co_await async_read(queue, *file, offset, to, IoClass::read);
        if (read) co_return read;
    }
    rooms_->environment.log.error(
        "a read from a lane failed",
        {{"lane", extent().file}, {"offset", offset}, {"error", read.error().message()}});
    co_return fail(ORB_PLANTED(eio_marks_damaged) ? damaged() : Errc::io_error);
}

Errc LaneReader::damaged() noexcept {
    rooms_->report_damage(blob_.blob);
    return Errc::blob_damaged;
}

bool LaneReader::decodes(std::uint64_t number, PageView page) const noexcept {
    if (number != 0) {
        const auto table = static_cast<std::uint32_t>(number - 1);
        return decode_table_page(page, extent().uid, table, size_bytes()).has_value();
    }
    const std::uint64_t at = descriptor_page_number(extent().position, size_bytes());
    const auto found = decode_descriptor(page, extent().file, at, rooms_->identity);
    // The row is what is trusted; the page has to agree with it.
    return found && found.value().uid == extent().uid && found.value().size_bytes == size_bytes() &&
           found.value().base_page == extent().position && found.value().digest == digest();
}

Awaitable<Result<ClockCache::Bytes>> LaneReader::sum_page(IoQueue& queue, std::uint64_t number) {
    const ClockCache::Key key{extent().uid, number};
    if (auto cached = rooms_->sum_pages.find(key)) co_return cached;
    const std::uint64_t at = number == 0
                                 ? descriptor_page_number(extent().position, size_bytes())
                                 : table_page_number(extent().position, size_bytes(), number - 1);
    const auto page = std::make_unique<Page>();
    for (const Way way : {Way::cached, Way::direct}) {
        ORB_CO_TRY(const std::size_t size,
                   co_await read_file(queue, way, at * kPageSize, page->bytes));
        if (size != kPageSize || !decodes(number, *page)) continue;
        auto bytes =
            std::make_shared<const std::vector<std::byte>>(page->bytes.begin(), page->bytes.end());
        rooms_->sum_pages.insert(key, bytes);
        co_return bytes;
    }
    co_return fail(damaged());
}

// All pages that have a sum of the span: at most two, and the descriptor, which is always looked
// at.
Awaitable<Result<void>> LaneReader::load_sums(IoQueue& queue, Span span) {
    const std::uint64_t first = sum_page_number(span.begin / kChunkSize);
    const std::uint64_t last = sum_page_number((span.begin + span.size - 1) / kChunkSize);
    std::erase_if(pages_, [&](const auto& page) {
        return page.first != 0 && (page.first < first || page.first > last);
    });
    for (std::uint64_t number = 0; number <= last; number = std::max(number + 1, first)) {
        if (pages_.contains(number)) continue;
        ORB_CO_TRY(pages_[number], co_await sum_page(queue, number));
    }
    co_return ok();
}

std::uint64_t LaneReader::sum_of(std::uint64_t chunk) const noexcept {
    const std::uint64_t number = sum_page_number(chunk);
    const ClockCache::Bytes& bytes = pages_.find(number)->second;
    const PageView page{bytes->data(), kPageSize};
    if (number == 0) return descriptor_sum(page, static_cast<std::uint32_t>(chunk));
    return table_sum(page,
                     static_cast<std::uint32_t>((chunk - kDescriptorSumsMax) % kTableSumsMax));
}

bool LaneReader::agrees(Span span, ByteView bytes) const noexcept {
    for (std::size_t at = 0; at < span.size; at += kChunkSize) {
        const std::uint64_t chunk = (span.begin + at) / kChunkSize;
        const ByteView one = bytes.subspan(at, std::min<std::size_t>(kChunkSize, span.size - at));
        if (ORB_PLANTED(ignore_chunk_seed)) continue;
        if (checksum64(one, chunk_seed(extent().uid, chunk)) != sum_of(chunk)) return false;
    }
    return true;
}

}  // namespace orbitalreg::cas
