#include "log/log_tail.h"

#include "base/assert.h"
#include "base/planted_bug.h"
#include "cas/errors.h"

#include <algorithm>

namespace orbitalreg::cas {
namespace {

constexpr std::uint64_t kFrameTargetMax = 4_MiB;

}  // namespace

FrameLimits FrameLimits::of(const StoreOptions& options,
                            std::uint64_t segment_size_bytes) noexcept {
    const std::uint64_t quarter = segment_size_bytes / 4;
    FrameLimits limits;
    // A page less than a quarter, so that a full frame and a last group fit half a segment with
    // header and padding.
    limits.target_bytes = std::min(
        {options.frame_size_target_bytes, quarter - kPageSize, std::uint64_t{kFrameTargetMax}});
    limits.group_bytes = std::min(
        {options.group_size_max_bytes, quarter, std::uint64_t{kFrameTargetMax - kPageSize}});
    limits.records = std::max<std::uint32_t>(options.frame_records_max, 1);
    limits.target_bytes = std::max<std::uint64_t>(limits.target_bytes, 1);
    ORB_ASSERT(limits.frame_bytes() <= segment_size_bytes / 2);
    ORB_ASSERT(limits.frame_bytes() <= kFrameSizeMax);
    return limits;
}

LogTail::LogTail(Io& io, Clock& clock, Metrics& metrics, const SegmentPlan& plan,
                 SegmentSpares& spares, StoreTime& time, IoScheduler& scheduler,
                 std::uint64_t frame_bytes_max)
    : io_{io},
      clock_{clock},
      plan_{plan},
      spares_{spares},
      time_{time},
      scheduler_{scheduler},
      write_seconds_{metrics.histogram("fsync_seconds", "Time of one durable write of a frame.")},
      bytes_{metrics.counter("log_bytes_total", "Bytes of frames written to the log.")},
      buffer_{static_cast<std::size_t>(frame_bytes_max)} {}

Result<void> LogTail::open(const ChainEnd& end) {
    ORB_TRY(file_,
            io_.open(log_segment_path(end.position.segment), {.write = true, .direct = true}));
    ORB_TRY(const auto found, file_->stat());
    if (found.size_bytes < plan_.size_bytes) return fail(Errc::log_corrupt);
    end_ = end;
    return settle();
}

// The last frame may be one whose write failed, or whose writer was killed before it was through: readable now, and gone
// with the power. What is built upon it must not be all that remains. The same bytes are written once more, since a sync
// after a failed one proves nothing.
Result<void> LogTail::settle() {
    // A frame that a checkpoint covers was durable before the checkpoint was made.
    if (plan_.durability == Durability::none || end_.last_bytes == 0) return ok();
    const LogPosition last = end_.last;
    std::unique_ptr<File> before;
    if (last.segment != end_.position.segment) {
        ORB_TRY(before, io_.open(log_segment_path(last.segment), {.write = true, .direct = true}));
    }
    File& file = before ? *before : *file_;
    const PageBuffer pages{static_cast<std::size_t>(end_.last_bytes)};
    const MutableByteView frame = pages.bytes();
    ORB_TRY(const auto count, file.read(last.offset, frame));
    const LogIdentity& identity = plan_.identity;
    const auto header =
        decode_frame_header(frame, last.segment, last.offset, identity.uuid, identity.seed);
    const bool whole = count == frame.size() && header &&
                       frame_chain_checksum(frame) == end_.prev &&
                       frame_payload_intact(header.value(), frame);
    if (!whole) return fail(Errc::io_error);  // it was whole a moment ago
    return file.write_dsync(last.offset, frame);
}

bool LogTail::fits(std::uint64_t frame_bytes) const noexcept {
    return end_.position.offset + round_up(frame_bytes, kPageSize) + kPageSize <= plan_.size_bytes;
}

Result<void> LogTail::reserve(std::uint64_t frame_bytes) {
    if (fits(frame_bytes)) return ok();
    return roll();
}

// The next segment is ready before a segment_end names it.
Result<void> LogTail::roll() {
    const std::uint32_t next = end_.position.segment + 1;
    ORB_TRY(auto file, spares_.take(next));
    ORB_TRY(write_without_payload(FrameKind::segment_end));
    ORB_ASSERT(end_.position.segment == next);
    file_ = std::move(file);
    return ok();
}

FrameContext LogTail::begin() noexcept {
    store_time_ms_ = std::max(time_.now_ms(), end_.store_time_ms);
    return {Lsn{end_.lsn + 1}, store_time_ms_};
}

MutableByteView LogTail::room() const noexcept {
    const std::uint64_t left = plan_.size_bytes - end_.position.offset - kPageSize;
    return buffer_.first(static_cast<std::size_t>(std::min<std::uint64_t>(left, buffer_.size())));
}

ScannedFrame LogTail::seal(FrameKind kind, std::uint32_t payload_bytes,
                           std::uint32_t record_count) noexcept {
    FrameHeader header;
    header.kind = kind;
    header.record_count = record_count;
    header.payload_bytes = payload_bytes;
    header.segment = end_.position.segment;
    header.lsn = end_.lsn + 1;
    header.incarnation = plan_.incarnation;
    header.store_time_ms = store_time_ms_;
    header.wall_ns = clock_.wall_ns();
    header.prev = end_.prev;
    header.uuid = plan_.identity.uuid;
    const MutableByteView bytes = buffer_.first(static_cast<std::size_t>(header.size_bytes()));
    seal_frame(header, plan_.identity.seed, end_.position.offset, bytes);
    return {header, end_.position, bytes};
}

Result<void> LogTail::write(const ScannedFrame& frame) {
    ORB_ASSERT(frame.position == end_.position);
    ORB_ASSERT(frame.position.offset + frame.bytes.size() <= plan_.size_bytes);
    const std::int64_t begun_ns = clock_.steady_ns();
    const bool durable = plan_.durability == Durability::full;
    auto written = durable ? file_->write_dsync(frame.position.offset, frame.bytes)
                           : file_->write(frame.position.offset, frame.bytes);
    if (!written && ORB_PLANTED(retry_failed_fsync))
        written = file_->write(frame.position.offset, frame.bytes);
    if (!written) return fail(written.error());
    const std::int64_t now_ns = clock_.steady_ns();
    write_seconds_.observe_ns(now_ns - begun_ns);
    // A large frame takes longer for no fault of others: 1 GB/s is a nanosecond a byte.
    scheduler_.observe(now_ns, now_ns - begun_ns - static_cast<std::int64_t>(frame.bytes.size()));
    bytes_.add(frame.bytes.size());
    bytes_written_ += frame.bytes.size();
    end_.advance(frame);
    return ok();
}

Result<void> LogTail::write_without_payload(FrameKind kind) {
    const FrameContext context = begin();
    const MutableByteView page = buffer_.first(kPageSize);
    std::fill(page.begin(), page.end(), std::byte{0});
    const ScannedFrame frame = seal(kind, 0, 0);
    ORB_ASSERT(frame.header.lsn == context.lsn.value);
    return write(frame);
}

Result<void> LogTail::write_bare(FrameKind kind) {
    ORB_TRY(reserve(kPageSize));
    return write_without_payload(kind);
}

Result<void> LogTail::write_opened() { return write_bare(FrameKind::opened); }

}  // namespace orbitalreg::cas
