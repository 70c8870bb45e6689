#include "log/frame_scanner.h"

#include "base/assert.h"
#include "base/errors.h"
#include "base/planted_bug.h"
#include "cas/errors.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace orbitalreg::cas {

namespace {

// How much of a segment beyond the next one is searched for frames: normally a spare, whose zeros
// say nothing.
constexpr std::uint64_t kFarSegmentBytes = 64_KiB;

}  // namespace

std::string_view to_string(TailReason reason) noexcept {
    switch (reason) {
        case TailReason::empty:
            return "nothing written";
        case TailReason::header_invalid:
            return "no valid header";
        case TailReason::not_a_successor:
            return "a frame that does not follow the last one";
        case TailReason::payload_torn:
            return "a torn frame";
        case TailReason::beyond_log_end:
            return "the end of a backup";
    }
    return "unknown";
}

void ChainEnd::advance(const ScannedFrame& frame) noexcept {
    const FrameHeader& header = frame.header;
    position =
        header.kind == FrameKind::segment_end
            ? LogPosition{frame.position.segment + 1, kFirstFrameOffset}
            : LogPosition{frame.position.segment, frame.position.offset + header.size_bytes()};
    lsn = header.lsn;
    prev = frame_chain_checksum(frame.bytes);
    incarnation = header.incarnation;
    store_time_ms = header.store_time_ms;
    wall_ns = header.wall_ns;
    kind = header.kind;
    last = frame.position;
    last_bytes = frame.bytes.size();
}

Result<void> LogSegmentReader::open(std::uint32_t segment) {
    file_.reset();
    window_filled_ = 0;
    auto opened = io_.open(log_segment_path(segment), {.direct = true});
    if (!opened && opened.error() == errno_code(ENOENT)) return fail(Errc::log_corrupt);
    if (!opened) return fail(opened.error());
    ORB_TRY(const auto found, opened.value()->stat());
    file_ = std::move(opened).value();
    segment_ = segment;
    size_bytes_ = round_down(found.size_bytes, kPageSize);
    return ok();
}

Result<ByteView> LogSegmentReader::read(std::uint64_t offset, std::size_t size) {
    ORB_ASSERT(size <= kFrameSizeMax);
    ORB_ASSERT(offset % kPageSize == 0);
    if (offset >= size_bytes_) return ByteView{};
    size = static_cast<std::size_t>(std::min<std::uint64_t>(size, size_bytes_ - offset));
    const bool inside =
        offset >= window_offset_ && offset + size <= window_offset_ + window_filled_;
    if (!inside) {
        ORB_TRY(fill(offset, size));
    }
    const std::size_t at = static_cast<std::size_t>(offset - window_offset_);
    // A file that became shorter meanwhile ends early.
    return ByteView{window_.bytes().subspan(at, std::min(size, window_filled_ - at))};
}

// Moves what is there already to the front and reads on behind it, in whole pieces.
Result<void> LogSegmentReader::fill(std::uint64_t offset, std::size_t size) {
    const std::size_t window_size = static_cast<std::size_t>(
        std::min<std::uint64_t>(kWindowSize, std::max<std::uint64_t>(size_bytes_, kPageSize)));
    if (window_.size() < window_size) {
        window_ = PageBuffer{window_size};
        window_filled_ = 0;
    }
    std::size_t kept = 0;
    if (offset >= window_offset_ && offset < window_offset_ + window_filled_) {
        const std::size_t at = static_cast<std::size_t>(offset - window_offset_);
        kept = window_filled_ - at;
        std::memmove(window_.data(), window_.data() + at, kept);
    }
    window_offset_ = offset;
    window_filled_ = kept;
    const std::uint64_t left = size_bytes_ - (offset + kept);
    const std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(
        {left, round_up(size - std::min(kept, size), kPieceSize), window_.size() - kept}));
    for (int attempt = 1;; ++attempt) {
        const auto count = file_->read(offset + kept, window_.subspan(kept, wanted));
        if (count) {
            window_filled_ = kept + round_down(count.value(), kPageSize);
            return ok();
        }
        if (attempt == kReadAttempts) return fail(Errc::io_error);
    }
}

Result<void> FrameScanner::enter(std::uint32_t segment) {
    ORB_TRY(reader_.open(segment));
    ORB_TRY(const auto page, reader_.read(0, kPageSize));
    const auto header = decode_log_segment_header(page, segment, identity_.uuid, identity_.seed);
    if (!header)
        return header.error() == make_error_code(Errc::bad_format) ? fail(Errc::log_corrupt)
                                                                   : fail(header.error());
    segment_size_bytes_ = header.value().size_bytes();
    if (reader_.size_bytes() < segment_size_bytes_) return fail(Errc::log_corrupt);
    return ok();
}

bool FrameScanner::succeeds(const FrameHeader& header) const noexcept {
    if (ORB_PLANTED(ignore_frame_chain)) return true;
    return header.lsn == end_.lsn + 1 && header.prev == end_.prev;
}

std::optional<ScannedFrame> FrameScanner::stop(TailReason reason) noexcept {
    tail_reason_ = reason;
    return std::nullopt;
}

Result<std::optional<ScannedFrame>> FrameScanner::next() {
    const LogPosition at = end_.position;
    if (reader_.segment() != at.segment) {
        ORB_TRY(enter(at.segment));
    }
    // A frame always leaves a page for segment_end: a chain that runs past the end was not written
    // by us.
    if (at.offset + kPageSize > segment_size_bytes_) return fail(Errc::log_corrupt);
    ORB_TRY(const auto page, reader_.read(at.offset, kPageSize));
    auto header = decode_frame_header(page, at.segment, at.offset, identity_.uuid, identity_.seed);
    if (!header) {
        if (header.error() != make_error_code(Errc::bad_format)) return fail(header.error());
        return stop(all_zero(page) ? TailReason::empty : TailReason::header_invalid);
    }
    const FrameHeader& found = header.value();
    if (!succeeds(found)) return stop(TailReason::not_a_successor);
    if (limits_.log_end_lsn != 0 && found.lsn > limits_.log_end_lsn &&
        found.incarnation != limits_.incarnation) {
        return stop(TailReason::beyond_log_end);
    }
    if (at.offset + found.size_bytes() > segment_size_bytes_)
        return stop(TailReason::header_invalid);
    ORB_TRY(const auto bytes,
            reader_.read(at.offset, static_cast<std::size_t>(found.size_bytes())));
    if (!frame_payload_intact(found, bytes) && !ORB_PLANTED(trust_torn_frame))
        return stop(TailReason::payload_torn);
    const ScannedFrame frame{found, at, bytes};
    end_.advance(frame);
    const bool rolled = at.segment > 1 && at.offset == kFirstFrameOffset;
    if (ORB_PLANTED(frame_skipped_at_segment_end) && rolled) return next();
    return frame;
}

namespace {

// What a stray frame is looked for with.
struct StraySearch {
    const LogIdentity& identity;
    std::uint64_t lsn_min;  // exclusive
    std::span<const std::uint64_t> incarnations;
    std::optional<StrayFrame> best = std::nullopt;

    bool counts(const FrameHeader& header) const noexcept {
        const bool ours = incarnations.empty() ||
                          std::find(incarnations.begin(), incarnations.end(), header.incarnation) !=
                              incarnations.end();
        return ours && header.lsn > lsn_min && (!best || header.lsn < best->header.lsn);
    }

    Result<void> look(LogSegmentReader& reader, std::uint64_t begin, std::uint64_t end) {
        for (std::uint64_t offset = begin; offset < std::min(end, reader.size_bytes());
             offset += kPageSize) {
            ORB_TRY(const auto page, reader.read(offset, kPageSize));
            const auto header =
                decode_frame_header(page, reader.segment(), offset, identity.uuid, identity.seed);
            if (header && counts(header.value()))
                best = StrayFrame{header.value(), {reader.segment(), offset}};
        }
        return ok();
    }
};

}  // namespace

Result<std::optional<StrayFrame>> find_frame_behind(Io& io, const LogIdentity& identity,
                                                    const ChainEnd& end,
                                                    std::span<const std::uint64_t> incarnations) {
    StraySearch search{identity, end.lsn + 1, incarnations};
    LogSegmentReader reader{io};
    ORB_TRY(reader.open(end.position.segment));
    ORB_TRY(search.look(reader, end.position.offset, reader.size_bytes()));
    ORB_TRY(const auto names, io.list("log"));
    for (const std::string& name : names) {  // in order of id
        const std::uint32_t segment = parse_log_segment_name(name);
        if (segment <= end.position.segment) continue;
        ORB_TRY(reader.open(segment));
        const bool next = segment == end.position.segment + 1;
        ORB_TRY(
            search.look(reader, kFirstFrameOffset, next ? reader.size_bytes() : kFarSegmentBytes));
    }
    return search.best;
}

}  // namespace orbitalreg::cas
