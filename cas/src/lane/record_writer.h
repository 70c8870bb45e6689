#pragma once
// RecordWriter streams one record into its lane: payload and then trailer, in whole aligned buffers
// past the page cache, several writes in flight. A page is written once, when it is full.
//
// Life     create() -> { room() -> filled() -> make_room() }* -> flush() -> sync(); close() at the
//          end, after which the object lives until the kernel has completed what is in flight: it
//          co-owns the buffers.
// Threads  the reactor of its queue.
// Memory   two buffers of its own, more while the pool has some, up to
//          StoreOptions::lane_writes_in_flight_max.
// Errors   the first one stays and ends all later calls: Errc::no_space, or Errc::io_error and the
//          lane is poisoned.
// I1       every byte below aligned_bytes() was submitted; the tail behind it is in the current
//          buffer.

#include "base/event.h"
#include "cas/io.h"
#include "io/buffer_pool.h"
#include "lane/lane_pool.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace orbitalreg::cas {

class BulkGate;
class FollowedRecord;
struct LaneRooms;

class RecordWriter : public std::enable_shared_from_this<RecordWriter> {
public:
    // `size_hint`: of the whole payload, 0 when unknown. Errc::overloaded without two buffers.
    static Result<std::shared_ptr<RecordWriter>> create(std::shared_ptr<LaneRooms> rooms,
                                                        IoQueue& queue, LaneLease lease,
                                                        std::uint64_t size_hint);
    RecordWriter(std::shared_ptr<LaneRooms> rooms, IoQueue& queue, LaneLease lease,
                 std::uint64_t size_hint);

    std::uint32_t lane() const noexcept { return lease_.lane; }
    std::uint32_t base_page() const noexcept { return lease_.base_page; }
    File& file() const noexcept { return *lease_.file; }
    // The stream goes on at `aligned_bytes`, a page boundary: what is below is in the lane, header
    // included.
    void resume_at(std::uint64_t aligned_bytes) noexcept;
    // Written before the payload; a resumed record has its own already.
    void set_header(const RecordHeader& header) noexcept;

    // It is told how far the device has come.
    void set_follower(std::shared_ptr<FollowedRecord> follower);

    // What is left of the current buffer; empty when it is full.
    MutableByteView room() const noexcept;
    void filled(std::size_t size) noexcept;
    // Sends the current buffer off when it is full and waits for another one.
    Awaitable<Result<void>> make_room();
    // Copies `bytes` into the stream.
    Awaitable<Result<void>> append(ByteView bytes);
    // Zeros up to the next page boundary.
    void pad_to_page() noexcept;
    // Every full page written and completed; the tail stays in memory.
    Awaitable<Result<void>> flush();
    // And the record header, even where no page is full yet: for a mark, which the record outlives.
    Awaitable<Result<void>> flush_with_header();
    // Makes durable what flush() completed.
    Awaitable<Result<void>> sync();

    std::uint64_t aligned_bytes() const noexcept;
    ByteView tail() const noexcept;
    // All bytes so far, as long as nothing was sent off.
    ByteView unsent() const noexcept;
    bool started() const noexcept { return started_; }
    // End of the pages that were or may have been written.
    std::uint32_t end_page() const noexcept { return end_page_; }

    // Nothing more will be written, for now: what was allocated ahead is given back if asked. `closed` is called, here or later on the reactor, when the
    // kernel is done with the buffers and the lane was synced.
    void close(bool give_back_ahead, std::function<void()> closed) noexcept;

private:
    struct Slot {
        Buffer buffer;
        std::uint64_t start = 0;  // in the stream
        std::size_t filled = 0;   // bytes
        std::size_t sent = 0;     // whole pages, submitted
        std::uint64_t gated = 0;  // bytes of the write in flight that passed the gate
        bool in_flight = false;
        IoOperation operation;
        std::shared_ptr<RecordWriter> keeper;  // while in flight
    };

    std::size_t capacity(const Slot& slot) const noexcept;
    std::uint64_t file_offset(std::uint64_t stream_offset) const noexcept;
    std::uint64_t completed_bytes() const noexcept;
    Awaitable<Result<void>> send();
    void submit_header() noexcept;
    Awaitable<Result<void>> allocate_to(std::uint64_t end);
    Awaitable<Result<void>> wait_for_slot();
    Slot* idle_slot() noexcept;
    void submit(Slot& slot, std::uint64_t offset, std::byte* data, std::size_t size) noexcept;
    static void completed(IoOperation& operation, std::int64_t result) noexcept;
    void on_write_done(Slot& slot, std::int64_t result) noexcept;
    void give_back(Slot& slot) noexcept;
    ErrorCode record_error(ErrorCode error) noexcept;
    void finish_close() noexcept;
    void submit_closing(IoOperation::Kind kind, std::uint64_t offset, std::uint64_t size) noexcept;

    std::shared_ptr<LaneRooms> rooms_;
    IoQueue& queue_;
    BulkGate& gate_;
    LaneLease lease_;
    const std::uint64_t size_hint_;
    std::vector<std::unique_ptr<Slot>> slots_;
    Slot* current_ = nullptr;
    Slot header_;  // its data is header_page_, not a buffer
    std::unique_ptr<Page> header_page_;
    bool header_due_ = false;
    bool started_ = false;
    bool dirty_ = false;  // written since the last sync
    std::uint32_t end_page_ = 0;
    std::uint64_t allocated_ = 0;  // file offset up to which space was asked for
    std::uint64_t step_ = 0;
    std::size_t in_flight_ = 0;
    Event progress_;
    ErrorCode error_;
    std::shared_ptr<FollowedRecord> follower_;
    std::function<void()> closed_;
    bool give_back_ahead_ = false;
    IoOperation closing_operation_;
    std::shared_ptr<RecordWriter> closing_keeper_;
};

}  // namespace orbitalreg::cas
