// How an upload ends: finish() and cancel().

#include "base/assert.h"
#include "base/planted_bug.h"
#include "cas/errors.h"
#include "index/blob_admission.h"
#include "lane/sum_reader.h"
#include "lane/upload.h"

#include <algorithm>
#include <cstring>

namespace orbitalreg::cas {
namespace {

// One of StoreOptions::rehash_max.
class RehashSlot {
public:
    explicit RehashSlot(LaneRooms& rooms) noexcept : rooms_{rooms} {
        taken_ = rooms_.rehashing.fetch_add(1) < rooms_.options.rehash_max;
    }
    RehashSlot(const RehashSlot&) = delete;
    RehashSlot& operator=(const RehashSlot&) = delete;
    ~RehashSlot() { rooms_.rehashing.fetch_sub(1); }
    explicit operator bool() const noexcept { return taken_; }

private:
    LaneRooms& rooms_;
    bool taken_;
};

}  // namespace

// What the group of a finish does on the sequencer, in a copy of its own.
struct Upload::FinishRequest {
    std::shared_ptr<LaneRooms> rooms;
    Digest digest;
    Extent extent;
    std::vector<std::byte> inline_bytes;
    std::optional<SessionId> session;
    std::optional<GroupRecord> close;
    Change change;
    bool existed = false;

    Result<void> check(Group& group, const FrameContext& frame);
};

Result<void> Upload::FinishRequest::check(Group& group, const FrameContext& frame) {
    if (session && rooms->uploads.closed(*session)) return fail(Errc::upload_closed);
    const auto known = rooms->blobs.find(digest);
    if (known && !known->damaged) change.confirmed.push_back(digest);
    Group admitted;
    ORB_TRY(const std::size_t leases,
            admit_change(rooms->blobs, admitted, change, frame, Grace{rooms->options},
                         [this] { return rooms->next_uid(); }));
    rooms->leases->add(leases);
    // The blob first: the close that follows finds its row.
    existed = !admit_blob(rooms->blobs, group, digest, extent, std::move(inline_bytes));
    if (close) group.records.push_back(std::move(*close));
    for (GroupRecord& record : admitted.records) group.records.push_back(std::move(record));
    return ok();
}

CloseRecord Upload::close_record(UploadOutcome outcome) const {
    CloseRecord close;
    close.session = session_->id;
    close.outcome = outcome;
    close.issued_store_time_s = session_->issued_store_time_s;
    if (record_ != nullptr) {
        close.lane = record_->lane();
        close.end_page = std::max(record_->end_page(), rooms_->pool->next_page(close.lane));
    }
    return close;
}

Awaitable<Result<void>> Upload::commit_cancel() {
    Group group;
    group.keys.exclusive.push_back(session_key(session_->id));
    group.records.push_back(encode_record(close_record(UploadOutcome::cancelled), uid_));
    group.check = [rooms = rooms_, session = session_->id](Group&,
                                                           const FrameContext&) -> Result<void> {
        return rooms->uploads.closed(session) ? Result<void>{fail(Errc::upload_closed)} : ok();
    };
    ORB_CO_TRY(co_await rooms_->log->commit(std::move(group)));
    co_return ok();
}

Awaitable<Result<void>> Upload::cancel() {
    if (failed_ == Errc::outcome_unknown) co_return fail(failed_);
    Result<void> result = ok();
    if (record_ != nullptr && !failed_) {
        // The close says where the lane goes on, so nothing may be on its way behind that.
        result = co_await record_->flush();
    }
    if (session_) result = co_await commit_cancel();
    failed_ = result ? ErrorCode{Errc::upload_closed} : result.error();
    co_return result;
}

Awaitable<Result<BlobInfo>> Upload::finish(Digest expected, Change change) {
    if (failed_) co_return fail(failed_);
    auto digest = co_await digest_in(expected.algorithm());
    if (!digest) co_return fail(digest.error());
    if (digest.value() != expected) {
        if (session_) {
            const auto cancelled = co_await commit_cancel();
            failed_ = Errc::digest_mismatch;
            if (!cancelled) co_return fail(cancelled.error());
        }
        failed_ = Errc::digest_mismatch;
        co_return fail(failed_);
    }
    if (!may_be_inline()) {
        const auto written = co_await write_trailer(expected);
        if (!written) {
            failed_ = written.error();
            co_return fail(failed_);
        }
    }
    auto info = co_await commit_blob(expected, std::move(change));
    committed_ = info.has_value();
    failed_ = info ? ErrorCode{Errc::upload_closed} : info.error();
    co_return info;
}

Awaitable<Result<BlobInfo>> Upload::commit_blob(const Digest& digest, Change change) {
    const auto request = std::make_shared<FinishRequest>();
    request->rooms = rooms_;
    request->digest = digest;
    request->extent.size_bytes = received_;
    request->extent.uid = uid_;
    if (may_be_inline()) {
        const ByteView bytes = inline_bytes();
        request->inline_bytes.assign(bytes.begin(), bytes.end());
    } else {
        request->extent.in_lane = true;
        request->extent.file = record_->lane();
        request->extent.position = record_->base_page();
    }
    if (session_) {
        request->session = session_->id;
        CloseRecord close = close_record(UploadOutcome::finished);
        close.digest = digest;
        request->close = encode_record(close, uid_);
    }
    Group group;
    group.keys = std::move(change.keys);
    group.keys.exclusive.push_back(digest_key(digest));
    if (session_) group.keys.exclusive.push_back(session_key(session_->id));
    request->change = std::move(change);
    group.check = [request](Group& self, const FrameContext& frame) {
        return request->check(self, frame);
    };
    ORB_CO_TRY(const Committed committed, co_await rooms_->log->commit(std::move(group)));
    co_return BlobInfo{.digest = digest,
                       .size_bytes = received_,
                       .existed = request->existed,
                       .committed = committed};
}

// Zero-padded last page, table pages, descriptor; then everything synced.
Awaitable<Result<void>> Upload::write_trailer(const Digest& digest) {
    const std::uint64_t chunks = chunk_count(received_);
    std::vector<std::uint64_t> filled{sums_.filled().begin(), sums_.filled().end()};
    if (received_ % kChunkSize != 0) filled.push_back(sums_.open_sum());
    SumReader sums{mark_reader(), parts_, sums_.first(), std::move(filled)};
    std::vector<std::uint64_t> in_descriptor(descriptor_sums(received_));
    ORB_CO_TRY(co_await sums.read(in_descriptor));
    const auto page = std::make_unique<Page>();
    record_->pad_to_page();
    const std::uint64_t tables = table_pages(received_);
    std::uint64_t next = in_descriptor.size();
    for (std::uint32_t table = 0; table < tables; ++table) {
        std::vector<std::uint64_t> in_table(std::min<std::uint64_t>(kTableSumsMax, chunks - next));
        ORB_CO_TRY(co_await sums.read(in_table));
        next += in_table.size();
        encode_table_page(uid_, table, in_table, *page);
        ORB_CO_TRY(co_await record_->append(page->bytes));
    }
    ORB_ASSERT(next == chunks);
    const RecordDescriptor descriptor{.lane = record_->lane(),
                                      .base_page = record_->base_page(),
                                      .uid = uid_,
                                      .size_bytes = received_,
                                      .digest = digest};
    encode_descriptor(descriptor, in_descriptor, rooms_->identity, *page);
    ORB_CO_TRY(co_await record_->append(page->bytes));
    ORB_CO_TRY(co_await record_->flush());
    ORB_ASSERT(record_->aligned_bytes() / kPageSize + 1 == record_pages(received_));
    ORB_CO_TRY(co_await record_->sync());
    co_return ok();
}

Awaitable<Result<Digest>> Upload::digest_in(DigestAlgorithm algorithm) {
    if (algorithm == hasher_.algorithm()) co_return hasher_.digest();
    if (may_be_inline()) co_return Digest::of(algorithm, inline_bytes());
    co_return co_await rehash(algorithm);
}

// Every byte read back is compared with the sum made from the socket before it is hashed.
Awaitable<Result<Digest>> Upload::rehash(DigestAlgorithm algorithm) {
    const RehashSlot slot{*rooms_};
    if (!slot) co_return fail(Errc::overloaded);
    ORB_CO_TRY(co_await record_->flush());
    auto buffer = rooms_->pull_buffers->take();
    if (!buffer) co_return fail(Errc::overloaded);
    std::vector<std::uint64_t> filled{sums_.filled().begin(), sums_.filled().end()};
    filled.push_back(sums_.open_sum());
    SumReader sums{mark_reader(), parts_, sums_.first(), std::move(filled)};
    Hasher hasher{algorithm};
    const std::uint64_t aligned = record_->aligned_bytes();
    const ByteView tail = record_->tail();
    const std::uint64_t payload = (std::uint64_t{record_->base_page()} + 1) * kPageSize;
    for (std::uint64_t at = 0; at < received_; at += kChunkSize) {
        const auto size = static_cast<std::size_t>(std::min(kChunkSize, received_ - at));
        const MutableByteView chunk = buffer->bytes().first(size);
        const auto stored = static_cast<std::size_t>(
            at < aligned ? std::min<std::uint64_t>(size, aligned - at) : 0);
        if (stored != 0) {
            ORB_CO_TRY(const std::size_t read,
                       co_await async_read(queue_, record_->file(), payload + at,
                                           chunk.first(stored), IoClass::read));
            if (read != stored) co_return fail(Errc::io_error);
        }
        if (stored != size) std::memcpy(chunk.data() + stored, tail.data(), size - stored);
        std::uint64_t sum = 0;
        ORB_CO_TRY(co_await sums.read({&sum, 1}));
        if (checksum64(chunk, chunk_seed(uid_, at / kChunkSize)) != sum) {
            rooms_->environment.log.error(
                "bytes of an upload changed on the disk",
                {{"lane", record_->lane()}, {"uid", uid_}, {"offset", at}});
            co_return fail(Errc::io_error);
        }
        hasher.update(chunk);
    }
    co_return hasher.digest();
}

}  // namespace orbitalreg::cas
