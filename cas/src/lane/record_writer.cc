#include "lane/record_writer.h"

#include "base/assert.h"
#include "base/errors.h"
#include "base/planted_bug.h"
#include "lane/followed_record.h"
#include "lane/lane_errors.h"
#include "lane/lane_rooms.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace orbitalreg::cas {

RecordWriter::RecordWriter(std::shared_ptr<LaneRooms> rooms, IoQueue& queue, LaneLease lease,
                           std::uint64_t size_hint)
    : rooms_{std::move(rooms)},
      queue_{queue},
      gate_{rooms_->gate_of(queue)},
      lease_{std::move(lease)},
      size_hint_{size_hint},
      end_page_{lease_.base_page},
      allocated_{std::uint64_t{lease_.base_page} * kPageSize},
      step_{rooms_->options.lane_step_min_bytes} {}

Result<std::shared_ptr<RecordWriter>> RecordWriter::create(std::shared_ptr<LaneRooms> rooms,
                                                           IoQueue& queue, LaneLease lease,
                                                           std::uint64_t size_hint) {
    auto writer =
        std::make_shared<RecordWriter>(std::move(rooms), queue, std::move(lease), size_hint);
    for (int i = 0; i < 2; ++i) {
        auto buffer = writer->rooms_->push_buffers->take();
        if (!buffer) return fail(Errc::overloaded);
        auto slot = std::make_unique<Slot>();
        slot->buffer = std::move(*buffer);
        writer->slots_.push_back(std::move(slot));
    }
    writer->current_ = writer->slots_.front().get();
    return writer;
}

void RecordWriter::resume_at(std::uint64_t aligned_bytes) noexcept {
    ORB_ASSERT(aligned_bytes % kPageSize == 0);
    current_->start = aligned_bytes;
    started_ = true;
    allocated_ = file_offset(aligned_bytes);
    end_page_ = static_cast<std::uint32_t>(allocated_ / kPageSize);
}

void RecordWriter::set_header(const RecordHeader& header) noexcept {
    header_page_ = std::make_unique<Page>();
    encode_record_header(header, rooms_->identity, *header_page_);
    header_due_ = true;
}

// Buffers end at multiples of their size in the stream, wherever they start.
std::size_t RecordWriter::capacity(const Slot& slot) const noexcept {
    const std::size_t size = slot.buffer.bytes().size();
    return size - static_cast<std::size_t>(slot.start % size);
}

std::uint64_t RecordWriter::file_offset(std::uint64_t stream_offset) const noexcept {
    return (std::uint64_t{lease_.base_page} + 1) * kPageSize + stream_offset;
}

void RecordWriter::set_follower(std::shared_ptr<FollowedRecord> follower) {
    follower_ = std::move(follower);
    follower_->set_place(lease_.lane, lease_.base_page);
    follower_->set_completed(completed_bytes());
}

// Of the payload, without a gap.
std::uint64_t RecordWriter::completed_bytes() const noexcept {
    std::uint64_t completed = aligned_bytes();
    for (const auto& slot : slots_) {
        if (slot->in_flight)
            completed = std::min(completed, slot->operation.offset - file_offset(0));
    }
    return completed;
}

MutableByteView RecordWriter::room() const noexcept {
    return current_->buffer.bytes().first(capacity(*current_)).subspan(current_->filled);
}

void RecordWriter::filled(std::size_t size) noexcept {
    ORB_ASSERT(size <= room().size());
    current_->filled += size;
}

std::uint64_t RecordWriter::aligned_bytes() const noexcept {
    return current_->start + current_->sent;
}

ByteView RecordWriter::tail() const noexcept {
    return current_->buffer.bytes().subspan(current_->sent, current_->filled - current_->sent);
}

ByteView RecordWriter::unsent() const noexcept {
    ORB_ASSERT(!started_);
    return current_->buffer.bytes().first(current_->filled);
}

void RecordWriter::pad_to_page() noexcept {
    const std::size_t padding = round_up(current_->filled, kPageSize) - current_->filled;
    const MutableByteView space = room().first(padding);
    std::fill(space.begin(), space.end(), std::byte{0});
    filled(padding);
}

Awaitable<Result<void>> RecordWriter::append(ByteView bytes) {
    while (!bytes.empty()) {
        ORB_CO_TRY(co_await make_room());
        const std::size_t size = std::min(room().size(), bytes.size());
        std::memcpy(room().data(), bytes.data(), size);
        filled(size);
        bytes = bytes.subspan(size);
    }
    co_return ok();
}

Awaitable<Result<void>> RecordWriter::make_room() {
    if (error_) co_return fail(error_);
    if (!room().empty()) co_return ok();
    ORB_CO_TRY(co_await send());
    ORB_CO_TRY(co_await wait_for_slot());
    co_return ok();
}

// Submits the full pages of the current buffer that were not sent yet.
Awaitable<Result<void>> RecordWriter::send() {
    if (error_) co_return fail(error_);
    const std::size_t end = round_down(current_->filled, kPageSize);
    if (end == current_->sent) co_return ok();
    const std::uint64_t offset = file_offset(current_->start);
    ORB_CO_TRY(co_await allocate_to(offset + end));
    // One write of a buffer at a time: the first must be done before the next of the same buffer.
    while (current_->in_flight) {
        progress_.reset();
        co_await progress_.wait();
        if (error_) co_return fail(error_);
    }
    const std::uint64_t bytes = end - current_->sent;
    co_await gate_.enter(bytes);
    if (error_) {
        gate_.leave(bytes);
        co_return fail(error_);
    }
    submit_header();
    current_->gated = bytes;
    const std::size_t begin = std::exchange(current_->sent, end);
    end_page_ = std::max(end_page_, static_cast<std::uint32_t>((offset + end) / kPageSize));
    submit(*current_, offset + begin, current_->buffer.data() + begin, end - begin);
    co_return ok();
}

// The record is on the disk from here on, and cannot be inline any more.
void RecordWriter::submit_header() noexcept {
    started_ = true;
    if (!std::exchange(header_due_, false)) return;
    end_page_ = std::max(end_page_, lease_.base_page + 1);
    submit(header_, std::uint64_t{lease_.base_page} * kPageSize, header_page_->bytes.data(),
           kPageSize);
}

Awaitable<Result<void>> RecordWriter::flush_with_header() {
    if (error_) co_return fail(error_);
    ORB_CO_TRY(co_await allocate_to(file_offset(0)));
    submit_header();
    co_return co_await flush();
}

// Space is asked for in steps that double, never beyond what the hint says the record needs.
Awaitable<Result<void>> RecordWriter::allocate_to(std::uint64_t end) {
    while (allocated_ < end) {
        std::uint64_t length = std::max(step_, end - allocated_);
        const std::uint64_t whole = record_pages(size_hint_) * kPageSize;
        const std::uint64_t record_end = std::uint64_t{lease_.base_page} * kPageSize + whole;
        if (size_hint_ != 0 && allocated_ + length > record_end) {
            length = std::max(record_end, end) - allocated_;
        }
        const auto result =
            co_await async_allocate(queue_, *lease_.file, allocated_, length, IoClass::bulk);
        const bool unsupported =
            !result && result.error() == errno_code(EOPNOTSUPP);  // writes grow the file then
        if (!result && !unsupported) co_return fail(record_error(result.error()));
        allocated_ += length;
        step_ = std::min(step_ * 2, rooms_->options.lane_step_max_bytes);
    }
    co_return ok();
}

RecordWriter::Slot* RecordWriter::idle_slot() noexcept {
    for (const auto& slot : slots_) {
        if (!slot->in_flight && slot->buffer &&
            (slot.get() != current_ || slot->sent == capacity(*slot))) {
            return slot.get();
        }
    }
    // Beyond the two of its own it takes only from the first half of the share: the rest is for
    // those who come next.
    const BufferPool& pool = *rooms_->push_buffers;
    const std::uint64_t half = rooms_->ledger.limit(MemoryShare::push_buffers) / 2;
    if (in_flight_ >= rooms_->options.lane_writes_in_flight_max) return nullptr;
    if ((pool.buffers_lent() + 1) * pool.buffer_size() > half) return nullptr;
    auto buffer = rooms_->push_buffers->take();
    if (!buffer) return nullptr;
    for (const auto& slot : slots_) {
        if (slot->buffer) continue;
        slot->buffer = std::move(*buffer);
        return slot.get();
    }
    slots_.push_back(std::make_unique<Slot>());
    slots_.back()->buffer = std::move(*buffer);
    return slots_.back().get();
}

Awaitable<Result<void>> RecordWriter::wait_for_slot() {
    const std::uint64_t next = current_->start + current_->filled;
    for (;;) {
        if (error_) co_return fail(error_);
        progress_.reset();
        if (Slot* const slot = idle_slot(); slot != nullptr) {
            slot->start = next;
            slot->filled = 0;
            slot->sent = 0;
            current_ = slot;
            co_return ok();
        }
        co_await progress_.wait();
    }
}

void RecordWriter::submit(Slot& slot, std::uint64_t offset, std::byte* data,
                          std::size_t size) noexcept {
    ORB_ASSERT(!slot.in_flight);
    slot.in_flight = true;
    slot.keeper = shared_from_this();
    slot.operation = {.kind = IoOperation::Kind::write,
                      .io_class = IoClass::bulk,
                      .file = lease_.file.get(),
                      .offset = offset,
                      .data = data,
                      .size = size,
                      .complete = &RecordWriter::completed,
                      .context = &slot};
    ++in_flight_;
    dirty_ = true;
    rooms_->bytes_written->add(size);
    queue_.submit(slot.operation);
}

void RecordWriter::completed(IoOperation& operation, std::int64_t result) noexcept {
    auto& slot = *static_cast<Slot*>(operation.context);
    const std::shared_ptr<RecordWriter> self = std::move(slot.keeper);
    self->on_write_done(slot, result);
}

void RecordWriter::on_write_done(Slot& slot, std::int64_t result) noexcept {
    slot.in_flight = false;
    --in_flight_;
    gate_.leave(std::exchange(slot.gated, 0));
    if (result < 0) {
        record_error(errno_code(static_cast<int>(-result)));
    } else if (static_cast<std::uint64_t>(result) != slot.operation.size) {
        record_error(errno_code(EIO));
    }
    if (follower_ && !error_) follower_->set_completed(completed_bytes());
    give_back(slot);
    progress_.set();
    if (in_flight_ == 0 && closed_) finish_close();
}

// Beside the current buffer one idle one is kept; the pool has use for the others.
void RecordWriter::give_back(Slot& slot) noexcept {
    if (&slot == &header_ || &slot == current_) return;
    std::size_t idle = 0;
    for (const auto& other : slots_) {
        if (other.get() != current_ && !other->in_flight && other->buffer) ++idle;
    }
    if (idle > 1) slot.buffer = Buffer{};
}

ErrorCode RecordWriter::record_error(ErrorCode error) noexcept {
    if (error_) return error_;
    error_ = write_error(error);
    rooms_->environment.log.error("a write to a lane failed",
                                  {{"lane", lease_.lane}, {"error", error.message()}});
    if (!is_lack_of_space(error)) rooms_->poison_lane(lease_.lane);
    return error_;
}

Awaitable<Result<void>> RecordWriter::flush() {
    ORB_CO_TRY(co_await send());
    for (;;) {
        progress_.reset();
        if (in_flight_ == 0) break;
        co_await progress_.wait();
    }
    if (error_) co_return fail(error_);
    co_return ok();
}

Awaitable<Result<void>> RecordWriter::sync() {
    if (error_) co_return fail(error_);
    ORB_ASSERT(in_flight_ == 0);
    if (!dirty_) co_return ok();
    dirty_ = false;
    if (!rooms_->sync || ORB_PLANTED(skip_lane_sync)) co_return ok();
    const auto result = co_await async_datasync(queue_, *lease_.file, IoClass::commit);
    if (!result) {
        // Never tried again, and a lack of space is no excuse here: the pages may be gone.
        co_return fail(record_error(errno_code(EIO)));
    }
    co_return ok();
}

void RecordWriter::close(bool give_back_ahead, std::function<void()> closed) noexcept {
    closed_ = std::move(closed);
    give_back_ahead_ = give_back_ahead;
    if (in_flight_ == 0) finish_close();
}

void RecordWriter::submit_closing(IoOperation::Kind kind, std::uint64_t offset,
                                  std::uint64_t size) noexcept {
    closing_keeper_ = shared_from_this();
    closing_operation_ = {.kind = kind,
                          .io_class = IoClass::bulk,
                          .file = lease_.file.get(),
                          .offset = offset,
                          .size = size};
    closing_operation_.context = this;
    closing_operation_.complete = [](IoOperation& operation, std::int64_t result) noexcept {
        auto* const writer = static_cast<RecordWriter*>(operation.context);
        const auto self = std::move(writer->closing_keeper_);
        // A step that is not given back takes space until the lane is sealed, no more.
        const bool failed = result < 0 && operation.kind == IoOperation::Kind::datasync;
        if (failed) self->record_error(errno_code(EIO));
        self->finish_close();
    };
    queue_.submit(closing_operation_);
}

// A descriptor is closed only after a sync that followed its last write.
void RecordWriter::finish_close() noexcept {
    if (dirty_ && rooms_->sync && !error_) {
        dirty_ = false;
        return submit_closing(IoOperation::Kind::datasync, 0, 0);
    }
    const std::uint64_t end = std::uint64_t{end_page_} * kPageSize;
    if (std::exchange(give_back_ahead_, false) && allocated_ > end && !error_) {
        return submit_closing(IoOperation::Kind::punch, end, allocated_ - end);
    }
    if (const auto stat = lease_.file->stat()) {
        rooms_->pool->set_allocated(lease_.lane, stat.value().allocated_bytes);
    }
    slots_.clear();
    current_ = nullptr;
    lease_.file.reset();
    const auto closed = std::exchange(closed_, nullptr);
    closed();
}

}  // namespace orbitalreg::cas
