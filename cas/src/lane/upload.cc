#include "lane/upload.h"

#include "base/assert.h"
#include "base/planted_bug.h"
#include "cas/errors.h"

#include <algorithm>
#include <cstring>

namespace orbitalreg::cas {

Upload::Upload(std::shared_ptr<LaneRooms> rooms, IoQueue& queue, std::uint64_t uid,
               DigestAlgorithm algorithm, std::optional<std::uint64_t> size_hint,
               std::optional<Session> session)
    : rooms_{std::move(rooms)},
      queue_{queue},
      uid_{uid},
      size_hint_{size_hint},
      session_{std::move(session)},
      hasher_{algorithm},
      sums_{uid} {
    rooms_->begin_work();
}

// Whether all bytes so far are still in memory and few enough for a frame.
bool Upload::may_be_inline() const noexcept {
    if (marked_in_lane_ || received_ > rooms_->options.inline_size_max_bytes) return false;
    return record_ == nullptr || !record_->started();
}

ByteView Upload::inline_bytes() const noexcept {
    if (record_ != nullptr) return record_->unsent();
    if (!first_) return {};
    return first_->bytes().first(static_cast<std::size_t>(received_));
}

Awaitable<Result<MutableByteView>> Upload::buffer() {
    if (failed_) co_return fail(failed_);
    const std::uint64_t inline_max = rooms_->options.inline_size_max_bytes;
    const bool large = size_hint_.value_or(0) > inline_max || received_ >= inline_max;
    if (record_ == nullptr && large) {
        ORB_CO_TRY(co_await enter_lane());
    }
    if (record_ != nullptr) {
        const auto room = co_await record_->make_room();
        if (!room) {
            failed_ = room.error();
            co_return fail(failed_);
        }
        co_return record_->room();
    }
    if (!first_) first_ = rooms_->first_buffers->take();
    if (!first_) co_return fail(Errc::overloaded);
    const auto begin = static_cast<std::size_t>(received_);
    co_return first_->bytes().subspan(begin, static_cast<std::size_t>(inline_max) - begin);
}

RecordHeader Upload::record_header() const noexcept {
    RecordHeader header;
    header.lane = record_->lane();
    header.base_page = record_->base_page();
    header.uid = uid_;
    if (session_) header.session = session_->id;
    header.incarnation = rooms_->log->incarnation();
    header.store_time_ms = rooms_->log->store_time_ms();
    return header;
}

// Past inline_size_max: the upload needs a lane of its own and two buffers.
Awaitable<Result<void>> Upload::enter_lane() {
    ORB_CO_TRY(LaneLease lease, co_await rooms_->pool->lease());
    const std::uint32_t lane = lease.lane;
    const std::uint32_t previous = lease.previous_base_page;
    auto record = RecordWriter::create(rooms_, queue_, std::move(lease), size_hint_.value_or(0));
    if (!record) {
        rooms_->pool->release(lane, 0, 0);
        co_return fail(record.error());
    }
    record_ = std::move(record).value();
    RecordHeader header = record_header();
    header.previous_base_page = previous;
    record_->set_header(header);
    if (followed_) record_->set_follower(followed_);
    if (first_) {
        const ByteView bytes = first_->bytes().first(static_cast<std::size_t>(received_));
        const auto copied = co_await record_->append(bytes);
        if (!copied) {
            failed_ = copied.error();
            co_return fail(failed_);
        }
        first_.reset();
    }
    co_return ok();
}

Awaitable<Result<void>> Upload::advance(std::size_t size) {
    if (failed_) co_return fail(failed_);
    if (size > rooms_->options.blob_size_max_bytes - received_) {
        failed_ = Errc::blob_too_large;
        co_return fail(failed_);
    }
    MutableByteView bytes;
    if (record_ != nullptr) {
        bytes = record_->room().first(size);
    } else {
        ORB_ASSERT(first_.has_value());
        bytes = first_->bytes().subspan(static_cast<std::size_t>(received_), size);
    }
    hasher_.update(bytes);
    sums_.update(bytes);
    if (record_ != nullptr) record_->filled(size);
    received_ += size;
    rooms_->upload_bytes->add(size);
    if (followed_) tell_follower();
    if (session_ && received_ - marked_ >= rooms_->options.mark_interval_bytes) {
        ORB_CO_TRY(co_await write_mark());
    }
    co_return ok();
}

// Before a mark: it forgets what it has put into the log.
void Upload::tell_follower() {
    const auto known = followed_->sums() - sums_.first();
    followed_->add_sums(sums_.filled().subspan(static_cast<std::size_t>(known)));
}

Awaitable<Result<std::shared_ptr<FollowedBlob>>> Upload::follow() {
    if (failed_) co_return fail(failed_);
    followed_ = std::make_shared<FollowedRecord>(rooms_, uid_);
    std::vector<std::uint64_t> marked(sums_.first());
    SumReader sums{mark_reader(), parts_, sums_.first(), {}};
    ORB_CO_TRY(co_await sums.read(marked));
    followed_->add_sums(marked);
    tell_follower();
    if (record_ != nullptr) record_->set_follower(followed_);
    co_return followed_;
}

Awaitable<Result<std::uint64_t>> Upload::mark() {
    ORB_ASSERT(session_.has_value());
    if (failed_) co_return fail(failed_);
    if (received_ != marked_) {
        ORB_CO_TRY(co_await write_mark());
    }
    co_return marked_;
}

// The order is the promise: writes completed, lane synced, then the frame.
Awaitable<Result<void>> Upload::write_mark() {
    MarkRecord mark;
    mark.session = session_->id;
    mark.issued_store_time_s = session_->issued_store_time_s;
    if (!any_mark_) mark.owner = session_->owner;
    mark.offset = received_;
    mark.open_chunk_sum = sums_.open_sum();
    std::vector<std::byte> raw;
    if (may_be_inline()) {
        const ByteView fresh = inline_bytes().subspan(static_cast<std::size_t>(marked_));
        raw.assign(fresh.begin(), fresh.end());
        // A chunk that is just full is no longer open, but the sum is to vouch for all inline
        // bytes.
        if (!sums_.filled().empty()) mark.open_chunk_sum = sums_.filled().front();
        co_return co_await commit_mark(std::move(mark), std::move(raw));
    }
    ORB_ASSERT(record_ != nullptr);
    const bool ahead = ORB_PLANTED(mark_ahead_of_bytes);
    if (!ahead) {
        Result<void> stored = co_await record_->flush_with_header();
        if (stored) stored = co_await record_->sync();
        if (!stored) {
            failed_ = stored.error();
            co_return fail(failed_);
        }
    }
    mark.lane = record_->lane();
    mark.base_page = record_->base_page();
    mark.aligned_bytes = round_down(received_, kPageSize);
    mark.first_sum = sums_.first();
    for (const std::uint64_t sum : sums_.filled()) {
        raw.resize(raw.size() + 8);
        store_le(raw.data() + raw.size() - 8, sum);
    }
    const auto tail_size = static_cast<std::size_t>(received_ - mark.aligned_bytes);
    const ByteView tail = record_->tail().last(tail_size);
    raw.insert(raw.end(), tail.begin(), tail.end());
    if (ORB_PLANTED(tail_dropped_at_mark)) {
        std::fill(raw.end() - static_cast<std::ptrdiff_t>(tail_size), raw.end(), std::byte{0});
    }
    co_return co_await commit_mark(std::move(mark), std::move(raw));
}

Awaitable<Result<void>> Upload::commit_mark(MarkRecord mark, std::vector<std::byte> raw) {
    const std::vector<std::byte> state = hasher_.save();
    mark.hash_state = state;
    Group group;
    group.keys.exclusive.push_back(session_key(session_->id));
    group.records.push_back(encode_record(mark, uid_, std::move(raw)));
    group.check = [rooms = rooms_, session = session_->id](Group&,
                                                           const FrameContext&) -> Result<void> {
        const UploadStatus status = rooms->uploads.status(session);
        if (status.state == UploadStatus::State::open) return ok();
        if (status.state != UploadStatus::State::unknown) return fail(Errc::upload_closed);
        return rooms->uploads_full() ? Result<void>{fail(Errc::overloaded)} : ok();
    };
    const auto committed = co_await rooms_->log->commit(std::move(group));
    if (!committed) {
        // Whether it was written is not known: nothing may follow it.
        if (committed.error() == Errc::outcome_unknown) failed_ = committed.error();
        co_return fail(committed.error());
    }
    marked_ = mark.offset;
    any_mark_ = true;
    if (mark.lane != 0) {
        marked_in_lane_ = true;
        sums_.forget_filled();
    }
    if (const auto row = rooms_->uploads.row(session_->id)) parts_ = row->parts;
    co_return ok();
}

// Called by the handle's destructor, and at the end of finish() and cancel().
void Upload::end() noexcept {
    if (ended_) return;
    ended_ = true;
    if (in_call_) {
        // Only a reactor that is torn down destroys a request in the middle of a call: what the
        // call submitted may still happen, so session and lane stay taken until the next start.
        rooms_->end_work();
        return;
    }
    if (session_) rooms_->uploads.set_draining(session_->id);
    first_.reset();
    if (record_ == nullptr) {
        release();
        return;
    }
    // A parked lane stays with its upload, for a day maybe: what was allocated ahead is of use to others.
    const auto row = session_ ? rooms_->uploads.row(session_->id) : std::nullopt;
    const bool parks = row && row->lane == record_->lane();
    record_->close(parks, [self = shared_from_this()] { self->release(); });
}

void Upload::release() noexcept {
    if (record_ != nullptr) {
        const std::uint32_t lane = record_->lane();
        std::uint32_t end_page = record_->end_page();
        std::uint32_t last_base = record_->started() ? record_->base_page() : 0;
        const auto row = session_ ? rooms_->uploads.row(session_->id) : std::nullopt;
        if (row && row->lane == lane) {
            rooms_->pool->park(lane, end_page);
        } else {
            const bool reuse = ORB_PLANTED(lane_offset_reused_after_cancel);
            if (reuse && !committed_) end_page = last_base = 0;
            rooms_->release_lane(lane, end_page, last_base);
        }
        record_.reset();
    }
    if (session_) rooms_->uploads.release(session_->id);
    rooms_->end_work();
}

}  // namespace orbitalreg::cas
