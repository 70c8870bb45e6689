// How an upload goes on at its last mark.

#include "base/assert.h"
#include "base/planted_bug.h"
#include "cas/errors.h"
#include "lane/sum_reader.h"
#include "lane/upload.h"

#include <algorithm>
#include <cstring>

namespace orbitalreg::cas {

Awaitable<Result<void>> Upload::resume(UploadRow row) {
    auto hasher = Hasher::restore(row.hash_state);
    ORB_ASSERT(hasher.has_value());  // checked before the mark was applied
    hasher_ = std::move(hasher).value();
    received_ = row.offset;
    marked_ = row.offset;
    any_mark_ = true;
    parts_ = row.parts;
    if (row.lane == 0) {
        ORB_CO_TRY(co_await resume_inline(row));
    }
    if (row.lane != 0) {
        ORB_CO_TRY(co_await resume_in_lane(row));
    }
    co_return ok();
}

Awaitable<Result<void>> Upload::resume_inline(const UploadRow& row) {
    first_ = rooms_->first_buffers->take();
    if (!first_) co_return fail(Errc::overloaded);
    const MutableByteView bytes = first_->bytes();
    std::uint64_t loaded = 0;
    for (const MarkPart& part : row.parts) {
        ORB_CO_TRY(const auto raw, co_await mark_reader().read(part));
        if (part.first != loaded || raw.size() > bytes.size() - loaded)
            co_return fail(Errc::io_error);
        std::memcpy(bytes.data() + loaded, raw.data(), raw.size());
        loaded += raw.size();
    }
    const ByteView all = bytes.first(static_cast<std::size_t>(row.offset));
    const bool agrees =
        loaded == row.offset && checksum64(all, chunk_seed(uid_, 0)) == row.open_chunk_sum;
    if (!agrees) {
        rooms_->environment.log.error("the inline bytes of an upload do not agree with their sum",
                                      {{"uid", uid_}, {"offset", row.offset}});
        co_return fail(Errc::io_error);
    }
    sums_.update(all);
    co_return ok();
}

Awaitable<Result<void>> Upload::resume_in_lane(const UploadRow& row) {
    if (row.unusable) co_return fail(Errc::io_error);
    ORB_CO_TRY(LaneLease lease, rooms_->pool->resume(row.lane, row.base_page));
    auto record = RecordWriter::create(rooms_, queue_, std::move(lease), size_hint_.value_or(0));
    if (!record) {
        rooms_->pool->park(row.lane, 0);
        co_return fail(record.error());
    }
    record_ = std::move(record).value();
    marked_in_lane_ = true;
    record_->resume_at(row.aligned_bytes);
    std::vector<std::byte> tail;
    const auto tail_size = static_cast<std::size_t>(row.offset - row.aligned_bytes);
    if (tail_size != 0) {
        // The last mark has a part, since it has a tail.
        ORB_CO_TRY(tail, co_await mark_reader().read(row.parts.back()));
        if (tail.size() < tail_size) co_return fail(Errc::io_error);
        tail.erase(tail.begin(), tail.end() - static_cast<std::ptrdiff_t>(tail_size));
    }
    ORB_CO_TRY(co_await reopen_chunk(row, tail));
    co_return co_await record_->append(tail);
}

// Reads the open chunk back and compares it with the sum that the socket's bytes had.
Awaitable<Result<void>> Upload::reopen_chunk(const UploadRow& row, ByteView tail) {
    const std::uint64_t begin = round_down(row.offset, kChunkSize);
    const auto stored = static_cast<std::size_t>(std::max(row.aligned_bytes, begin) - begin);
    auto buffer = rooms_->first_buffers->take();
    if (!buffer) co_return fail(Errc::overloaded);
    ORB_ASSERT(stored + tail.size() <= buffer->bytes().size());
    const MutableByteView open = buffer->bytes().first(stored + tail.size());
    if (stored != 0) {
        const std::uint64_t payload = (std::uint64_t{row.base_page} + 1) * kPageSize;
        const auto read = co_await async_read(queue_, record_->file(), payload + begin,
                                              open.first(stored), IoClass::read);
        if (!read) co_return fail(Errc::io_error);
    }
    std::copy(tail.begin(), tail.end(), open.begin() + static_cast<std::ptrdiff_t>(stored));
    sums_.resume(row.offset, open);
    if (sums_.open_sum() != row.open_chunk_sum && !ORB_PLANTED(open_chunk_resummed_at_resume)) {
        rooms_->environment.log.error("the open chunk of an upload does not agree with its sum",
                                      {{"lane", row.lane}, {"uid", uid_}, {"offset", row.offset}});
        co_return fail(Errc::io_error);
    }
    co_return ok();
}

}  // namespace orbitalreg::cas
