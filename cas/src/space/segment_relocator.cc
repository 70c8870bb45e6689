#include "space/segment_relocator.h"

#include "base/checksum.h"
#include "cas/errors.h"
#include "space/log_limit.h"

#include <algorithm>
#include <cstring>

namespace orbitalreg::cas {
namespace {

constexpr std::uint32_t kRowsPerSlice = 2048;  // some 50 us of the sequencer
constexpr std::uint64_t kPieceBytes = 64_KiB;
constexpr std::uint64_t kBatchBytes = 256_KiB;  // foreground requests wait for it in the same frame
constexpr std::size_t kMarksPerPass = 65536;
constexpr std::uint64_t kCheapShare = 8;  // of a segment: moving that little pays at any time

}  // namespace

SegmentRelocator::SegmentRelocator(std::shared_ptr<LaneRooms> rooms, Pacer& pacer)
    : rooms_{std::move(rooms)},
      pacer_{pacer},
      batch_{rooms_, rooms_->log == nullptr
                         ? kBatchBytes
                         : std::min<std::uint64_t>(kBatchBytes, rooms_->log->group_size_bytes())} {}

bool SegmentRelocator::stopped() const noexcept { return !rooms_->writable(); }

bool SegmentRelocator::near_limit() const {
    const LogStats log = rooms_->log->stats();
    const std::uint64_t segment = rooms_->log->segment_size_bytes();
    const std::uint64_t limit = log_limit_bytes(log, segment, rooms_->blobs.space().in_log());
    return log.bytes > log_wake_bytes(limit, segment);
}

// What the log has above the size from which it stays within its limit until the next checkpoint is made. Below that only
// what is cheap is moved: what waits is emptier later.
std::uint64_t SegmentRelocator::excess_bytes() const {
    const LogStats log = rooms_->log->stats();
    const std::uint64_t calm =
        log_calm_bytes(log, rooms_->log->segment_size_bytes(), rooms_->blobs.space().in_log());
    return log.bytes - std::min(log.bytes, calm);
}

Awaitable<void> SegmentRelocator::round(CompactionReport& report) {
    for (int passes = 0; passes < kPassesPerRound && !stopped(); ++passes) {
        const bool more = co_await pass(report);
        if (!more) break;
    }
    if (stopped() || !near_limit()) co_return;
    // What the last checkpoint does not cover is what is left to give back.
    if (rooms_->log->stats().bytes_since_checkpoint < rooms_->log->segment_size_bytes()) co_return;
    const auto made = co_await rooms_->log->make_checkpoint();
    if (!made || stopped()) co_return;
    co_await pass(report);
}

// The emptiest first, as many as a pass takes.
std::set<std::uint32_t> SegmentRelocator::choose() {
    const SpaceTable& space = rooms_->blobs.space();
    const std::uint64_t half = rooms_->log->segment_size_bytes() / 2;
    std::vector<std::pair<std::uint64_t, std::uint32_t>> sparse;
    std::map<std::uint32_t, LeftBehind> left;
    left.swap(left_);
    for (const std::uint32_t segment : rooms_->log->covered_segments()) {
        const LiveSpace live = space.of_segment(segment);
        if (live.empty() || live.log_bytes() >= half) continue;
        const LeftBehind now{live, rooms_->blobs.damaged()};
        if (const auto before = left.find(segment); before != left.end() && before->second == now) {
            left_.insert(*before);
            continue;
        }
        sparse.emplace_back(live.log_bytes(), segment);
    }
    std::sort(sparse.begin(), sparse.end());
    std::set<std::uint32_t> chosen;
    std::uint64_t bytes = 0;
    std::uint64_t excess = excess_bytes();
    for (const auto& [live_bytes, segment] : sparse) {
        if (live_bytes >= 2 * half / kCheapShare && excess == 0) break;
        if (!chosen.empty() && bytes + live_bytes > kBytesPerPass) break;
        bytes += live_bytes;
        excess -= std::min(excess, 2 * half - live_bytes);
        chosen.insert(segment);
    }
    return chosen;
}

// Whether there may be more to do.
Awaitable<bool> SegmentRelocator::pass(CompactionReport& report) {
    const auto found = std::make_shared<Found>();  // a step may outlive this coroutine
    found->segments = choose();
    device_failed_ = false;
    piece_segment_ = 0;
    bool moved = !found->segments.empty();
    if (moved) {
        report.segments_examined += found->segments.size();
        moved = co_await find_blobs(found);
        if (moved) moved = co_await move_blobs(*found, report);
        if (moved) moved = co_await move_marks(found->segments, report);
        if (moved) moved = co_await commit(report);
        if (stopped()) co_return false;
        if (moved) note_left(found->segments);
        report.segments_left = left_.size() + (device_failed_ ? found->segments.size() : 0);
    }
    co_await free_covered(report);
    co_return moved && !device_failed_;
}

Awaitable<bool> SegmentRelocator::find_blobs(std::shared_ptr<Found> found) {
    while (found->next != 0 && found->extents.size() < kBlobsPerPass) {
        std::function<void()> slice = [rooms = rooms_, found] {
            found->next = rooms->blobs.visit_extents(
                found->next, kRowsPerSlice, [&found](BlobId id, const Extent& extent) {
                    if (!extent.in_lane && found->segments.contains(extent.file))
                        found->extents.emplace_back(id, extent);
                });
        };
        const auto visited = co_await rooms_->log->between_frames(std::move(slice));
        if (!visited || stopped()) co_return false;
    }
    // As they lie.
    std::ranges::sort(found->extents, {}, [](const auto& each) {
        return std::pair{each.second.file, each.second.position};
    });
    co_return true;
}

Awaitable<bool> SegmentRelocator::move_blobs(const Found& found, CompactionReport& report) {
    for (const auto& [id, extent] : found.extents) {
        const auto blob = rooms_->blobs.get(id);
        if (!blob || blob->damaged || !(blob->extent == extent)) continue;
        const auto pinned = rooms_->blobs.pin(blob->digest);
        if (!pinned || !(pinned->blob.extent == extent)) continue;
        co_await pacer_.take(2 * extent.size_bytes + LiveSpace::kLogRecordBytes);
        if (stopped()) co_return false;
        std::vector<std::byte> bytes;
        if (!read_blob(*blob, bytes)) continue;
        if (!batch_.fits(bytes.size())) {
            const bool committed = co_await commit(report);
            if (!committed) co_return false;
        }
        batch_.add(RelocatedBlob{*blob, std::move(bytes)});
    }
    co_return true;
}

Awaitable<bool> SegmentRelocator::move_marks(const std::set<std::uint32_t>& segments,
                                             CompactionReport& report) {
    const auto has_marks = [this](std::uint32_t segment) {
        return rooms_->blobs.space().of_segment(segment).marks != 0;
    };
    if (std::ranges::none_of(segments, has_marks)) co_return true;
    for (const SessionPart& from : rooms_->uploads.parts_in(segments, kMarksPerPass)) {
        co_await pacer_.take(2 * from.part.size_bytes);
        if (stopped()) co_return false;
        std::vector<std::byte> bytes;
        if (!read_mark(from.part, bytes)) continue;
        if (!batch_.fits(bytes.size())) {
            const bool committed = co_await commit(report);
            if (!committed) co_return false;
        }
        batch_.add(RelocatedMark{from, std::move(bytes)});
    }
    co_return true;
}

Awaitable<bool> SegmentRelocator::commit(CompactionReport& report) {
    const auto moved = co_await batch_.commit();
    if (!moved) co_return false;
    report.blobs_relocated += moved.value().blobs;
    report.marks_relocated += moved.value().marks;
    report.bytes_relocated += moved.value().bytes;
    co_return !stopped();
}

Awaitable<void> SegmentRelocator::free_covered(CompactionReport& report) {
    const SpaceTable& space = rooms_->blobs.space();
    const auto covered = rooms_->log->covered_segments();
    const bool any = std::ranges::any_of(
        covered, [&space](std::uint32_t segment) { return space.of_segment(segment).empty(); });
    if (!any) co_return;
    const auto freed = co_await rooms_->log->free_covered();
    if (!freed) co_return;
    report.segments_recycled += freed.value().recycled;
    report.segments_removed += freed.value().removed;
}

// Read again when it fails its digest, as wherever damage is found.
bool SegmentRelocator::read_blob(const BlobView& blob, std::vector<std::byte>& bytes) {
    const Extent& extent = blob.extent;
    bytes.resize(static_cast<std::size_t>(extent.size_bytes));
    const std::uint64_t offset = extent.log_offset_bytes();
    const auto intact = [&] { return Digest::of(blob.digest.algorithm(), bytes) == blob.digest; };
    if (read(extent.file, offset, bytes) && intact()) return true;
    if (!bytes.empty() && !rooms_->log->read_now(extent.file, offset, bytes)) {
        device_failed_ = true;
        return false;
    }
    if (intact()) return true;
    rooms_->report_damage(blob);
    return false;
}

bool SegmentRelocator::read_mark(const MarkPart& part, std::vector<std::byte>& bytes) {
    bytes.resize(part.size_bytes);
    const auto intact = [&] { return checksum64(bytes) == part.checksum; };
    if (read(part.segment, part.offset, bytes) && intact()) return true;
    if (!rooms_->log->read_now(part.segment, part.offset, bytes)) {
        device_failed_ = true;
        return false;
    }
    return intact();  // its upload finds out for itself
}

Result<void> SegmentRelocator::read(std::uint32_t segment, std::uint64_t offset,
                                    MutableByteView to) {
    if (to.empty()) return ok();
    const bool inside = segment == piece_segment_ && offset >= piece_offset_ &&
                        offset + to.size() <= piece_offset_ + piece_.size();
    if (!inside) {
        const std::uint64_t left = rooms_->log->segment_size_bytes() - offset;
        const std::uint64_t size = std::max<std::uint64_t>(to.size(), kPieceBytes);
        piece_.resize(static_cast<std::size_t>(std::min(size, left)));
        piece_segment_ = 0;
        ORB_TRY(rooms_->log->read_now(segment, offset, piece_));
        piece_segment_ = segment;
        piece_offset_ = offset;
    }
    std::memcpy(to.data(), piece_.data() + (offset - piece_offset_), to.size());
    return ok();
}

// What the device refused to read may be moved by the next pass; what failed its digest will not.
void SegmentRelocator::note_left(const std::set<std::uint32_t>& segments) {
    if (device_failed_) return;
    for (const std::uint32_t segment : segments) {
        const LiveSpace live = rooms_->blobs.space().of_segment(segment);
        if (!live.empty()) left_[segment] = {live, rooms_->blobs.damaged()};
    }
}

}  // namespace orbitalreg::cas
