#pragma once
// FrameScanner walks the chain of frames from a position to the tail. Recovery, fsck and dump all
// read the log with it.
//
// Life     views of a frame are valid until the next call.
// Memory   one window of at most kWindowSize, read past the page cache.
// Errors   Errc::io_error after kReadAttempts failed reads: a page that cannot be read is no tail.
//          Errc::log_corrupt for a segment that the chain needs and that is missing or cut,
//          wrong_store, version_unsupported.

#include "base/result.h"
#include "cas/io.h"
#include "format/frame.h"
#include "format/page_buffer.h"
#include "log/log_segment.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

namespace orbitalreg::cas {

struct LogPosition {
    std::uint32_t segment = 1;
    std::uint64_t offset = kFirstFrameOffset;
    friend bool operator==(const LogPosition&, const LogPosition&) = default;
};

struct ScannedFrame {
    FrameHeader header;
    LogPosition position;
    ByteView bytes;  // header, payload and padding
};

// Where a frame is looked for, and what it must succeed.
struct ChainEnd {
    LogPosition position;
    std::uint64_t lsn = 0;   // of the last frame, 0: none
    std::uint64_t prev = 0;  // chain checksum of the last frame
    std::uint64_t incarnation = 0;
    std::uint64_t store_time_ms = 0;
    std::int64_t wall_ns = 0;
    FrameKind kind = FrameKind::data;
    LogPosition last;              // of the last frame itself
    std::uint64_t last_bytes = 0;  // its size, padding included; 0: a checkpoint covers it

    // `frame` was found or written at `position`.
    void advance(const ScannedFrame& frame) noexcept;
};

// LogSegmentReader reads one segment forward through a window.
class LogSegmentReader {
public:
    static constexpr std::size_t kPieceSize = 1_MiB;
    static constexpr std::size_t kWindowSize = kFrameSizeMax + kPieceSize;
    static constexpr int kReadAttempts = 3;

    explicit LogSegmentReader(Io& io) noexcept : io_{io} {}

    // Errc::log_corrupt when there is no such file.
    Result<void> open(std::uint32_t segment);
    std::uint32_t segment() const noexcept { return segment_; }
    std::uint64_t size_bytes() const noexcept { return size_bytes_; }  // of the file
    // Bytes of the segment, fewer at its end. Valid until the next call. `size` is at most
    // kFrameSizeMax.
    Result<ByteView> read(std::uint64_t offset, std::size_t size);

private:
    Result<void> fill(std::uint64_t offset, std::size_t size);

    Io& io_;
    std::unique_ptr<File> file_;
    std::uint32_t segment_ = 0;
    std::uint64_t size_bytes_ = 0;
    PageBuffer window_;
    std::uint64_t window_offset_ = 0;
    std::size_t window_filled_ = 0;
};

// Why the chain ended where it did.
enum class TailReason : std::uint8_t {
    empty,            // zeros
    header_invalid,   // bytes that are no header written for this place
    not_a_successor,  // a genuine header that does not follow the last frame
    payload_torn,     // the successor's header, but not its payload
    beyond_log_end,   // of a backup's original
};

std::string_view to_string(TailReason reason) noexcept;

class FrameScanner {
public:
    struct Limits {  // of a restored backup; 0: none
        std::uint64_t log_end_lsn = 0;
        std::uint64_t incarnation = 0;  // frames above log_end_lsn count only with this one
    };

    // The first frame is the successor of `start`.
    FrameScanner(Io& io, const LogIdentity& identity, Limits limits, const ChainEnd& start) noexcept
        : identity_{identity}, limits_{limits}, reader_{io}, end_{start} {}

    // The next frame; nothing at the tail.
    Result<std::optional<ScannedFrame>> next();
    // Behind the last frame returned.
    const ChainEnd& end() const noexcept { return end_; }
    TailReason tail_reason() const noexcept { return tail_reason_; }

private:
    Result<void> enter(std::uint32_t segment);
    bool succeeds(const FrameHeader& header) const noexcept;
    std::optional<ScannedFrame> stop(TailReason reason) noexcept;

    const LogIdentity identity_;
    const Limits limits_;
    LogSegmentReader reader_;
    std::uint64_t segment_size_bytes_ = 0;
    ChainEnd end_;
    TailReason tail_reason_ = TailReason::empty;
};

// A genuine header from `end`'s position on with an LSN above the next one: proof that acknowledged
// frames before it are damaged. The one with the lowest LSN. `incarnations` limits what counts,
// when it is not empty. Reads the rest of the segment, the next one whole, and the first frames of
// those behind it.
struct StrayFrame {
    FrameHeader header;
    LogPosition position;
};
Result<std::optional<StrayFrame>> find_frame_behind(Io& io, const LogIdentity& identity,
                                                    const ChainEnd& end,
                                                    std::span<const std::uint64_t> incarnations);

}  // namespace orbitalreg::cas
