#pragma once
// LogTail is the writing end of the log: it lays one frame into its buffer, seals it for its place
// in the chain and writes it durably, and goes on to the next segment when the current one is full.
//
// Life     open() -> { reserve() -> begin() -> room() -> seal() -> write() }*.
// Threads  use from one, the sequencer.
// Errors   Errc::no_space: no next segment could be made, nothing changed. Any other error is
//          final: the store must turn read-only, and write() is not to be called again.
// I1       a page is free behind the last frame of a segment until its segment_end is written.
// I2       the successor of the last frame written is written exactly at position().

#include "base/clock.h"
#include "base/metrics.h"
#include "base/result.h"
#include "format/page_buffer.h"
#include "io/io_scheduler.h"
#include "log/frame_scanner.h"
#include "log/group.h"
#include "log/log_segment.h"
#include "log/store_time.h"

#include <cstdint>
#include <memory>

namespace orbitalreg::cas {

// Bounds of what goes into one frame, from the options and the segment's size.
struct FrameLimits {
    std::uint64_t target_bytes = 0;  // a frame with that much payload takes no further group
    std::uint64_t group_bytes = 0;   // encoded, at most
    std::uint32_t records = 0;

    static FrameLimits of(const StoreOptions& options, std::uint64_t segment_size_bytes) noexcept;
    // Of the whole frame; at most half a segment and kFrameSizeMax.
    std::uint64_t frame_bytes() const noexcept {
        return round_up(kFrameHeaderSize + target_bytes + group_bytes, kPageSize);
    }
};

class LogTail {
public:
    LogTail(Io& io, Clock& clock, Metrics& metrics, const SegmentPlan& plan, SegmentSpares& spares,
            StoreTime& time, IoScheduler& scheduler, std::uint64_t frame_bytes_max);

    // Writes go on behind `end`, where a segment exists.
    Result<void> open(const ChainEnd& end);
    // `opened` exactly at the tail position, segment_end first where only that fits.
    Result<void> write_opened();
    // Makes room for a frame of `frame_bytes`, in the next segment if need be.
    Result<void> reserve(std::uint64_t frame_bytes);

    // What the frame to be written next will say of itself.
    FrameContext begin() noexcept;
    // Buffer for that frame, as far as the segment has room.
    MutableByteView room() const noexcept;
    // Header and checksums; payload and padding are in the buffer.
    ScannedFrame seal(FrameKind kind, std::uint32_t payload_bytes,
                      std::uint32_t record_count) noexcept;
    // Durable when it returns success. The sealed frame stays readable until the next begin().
    Result<void> write(const ScannedFrame& frame);
    // A frame without payload, in a place of its own; the next segment takes it when only
    // segment_end fits.
    Result<void> write_bare(FrameKind kind);

    const ChainEnd& end() const noexcept { return end_; }
    // Of frames, since open().
    std::uint64_t bytes_written() const noexcept { return bytes_written_; }
    // Whether a segment_end followed the last data frame.
    FrameKind last_kind() const noexcept { return end_.kind; }

private:
    bool fits(std::uint64_t frame_bytes) const noexcept;
    Result<void> settle();
    Result<void> roll();
    Result<void> write_without_payload(FrameKind kind);

    Io& io_;
    Clock& clock_;
    const SegmentPlan plan_;
    SegmentSpares& spares_;
    StoreTime& time_;
    IoScheduler& scheduler_;
    DurationHistogram& write_seconds_;
    Counter& bytes_;

    PageBuffer buffer_;
    std::unique_ptr<File> file_;
    ChainEnd end_;
    std::uint64_t store_time_ms_ = 0;  // of the frame begun
    std::uint64_t bytes_written_ = 0;
};

}  // namespace orbitalreg::cas
