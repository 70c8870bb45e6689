#include "space/space_table.h"

#include "base/assert.h"
#include "format/lane_record.h"

namespace orbitalreg::cas {
namespace {

std::uint64_t footprint(const Extent& extent) noexcept {
    return extent.in_lane ? record_pages(extent.size_bytes) * kPageSize : extent.size_bytes;
}

void take_away(LiveSpace& space, const LiveSpace& what) noexcept {
    ORB_ASSERT(space.bytes >= what.bytes);
    ORB_ASSERT(space.extents >= what.extents);
    ORB_ASSERT(space.mark_bytes >= what.mark_bytes);
    ORB_ASSERT(space.marks >= what.marks);
    space.bytes -= what.bytes;
    space.extents -= what.extents;
    space.mark_bytes -= what.mark_bytes;
    space.marks -= what.marks;
}

void put_to(LiveSpace& space, const LiveSpace& what) noexcept {
    space.bytes += what.bytes;
    space.extents += what.extents;
    space.mark_bytes += what.mark_bytes;
    space.marks += what.marks;
}

void take_from(std::map<std::uint32_t, LiveSpace>& files, std::uint32_t file,
               const LiveSpace& what) {
    const auto found = files.find(file);
    ORB_ASSERT(found != files.end());
    take_away(found->second, what);
    if (found->second.empty()) files.erase(found);
}

LiveSpace found_in(const std::map<std::uint32_t, LiveSpace>& files, std::uint32_t file) {
    const auto found = files.find(file);
    return found == files.end() ? LiveSpace{} : found->second;
}

}  // namespace

void SpaceTable::add(const Extent& extent) {
    const LiveSpace one{.bytes = footprint(extent), .extents = 1};
    const std::lock_guard lock{mutex_};
    put_to((extent.in_lane ? lanes_ : segments_)[extent.file], one);
    put_to(extent.in_lane ? in_lanes_ : in_log_, one);
}

void SpaceTable::remove(const Extent& extent) {
    const LiveSpace one{.bytes = footprint(extent), .extents = 1};
    const std::lock_guard lock{mutex_};
    take_from(extent.in_lane ? lanes_ : segments_, extent.file, one);
    take_away(extent.in_lane ? in_lanes_ : in_log_, one);
    if (extent.in_lane) touched_.insert(extent.file);
}

void SpaceTable::add_mark(std::uint32_t segment, std::uint64_t bytes) {
    const LiveSpace one{.mark_bytes = bytes, .marks = 1};
    const std::lock_guard lock{mutex_};
    put_to(segments_[segment], one);
    put_to(in_log_, one);
}

void SpaceTable::remove_mark(std::uint32_t segment, std::uint64_t bytes) {
    const LiveSpace one{.mark_bytes = bytes, .marks = 1};
    const std::lock_guard lock{mutex_};
    take_from(segments_, segment, one);
    take_away(in_log_, one);
}

void SpaceTable::clear() {
    const std::lock_guard lock{mutex_};
    lanes_.clear();
    segments_.clear();
    in_lanes_ = {};
    in_log_ = {};
}

LiveSpace SpaceTable::of_lane(std::uint32_t lane) const {
    const std::lock_guard lock{mutex_};
    return found_in(lanes_, lane);
}

LiveSpace SpaceTable::of_segment(std::uint32_t segment) const {
    const std::lock_guard lock{mutex_};
    return found_in(segments_, segment);
}

LiveSpace SpaceTable::in_lanes() const {
    const std::lock_guard lock{mutex_};
    return in_lanes_;
}

LiveSpace SpaceTable::in_log() const {
    const std::lock_guard lock{mutex_};
    return in_log_;
}

void SpaceTable::for_each_segment(
    const std::function<void(std::uint32_t, const LiveSpace&)>& visit) const {
    const std::lock_guard lock{mutex_};
    for (const auto& [segment, space] : segments_) visit(segment, space);
}

std::set<std::uint32_t> SpaceTable::take_touched_lanes() {
    const std::lock_guard lock{mutex_};
    std::set<std::uint32_t> taken;
    taken.swap(touched_);
    return taken;
}

void SpaceTable::touch_lane(std::uint32_t lane) {
    const std::lock_guard lock{mutex_};
    touched_.insert(lane);
}

bool operator==(const SpaceTable& a, const SpaceTable& b) {
    const std::scoped_lock lock{a.mutex_, b.mutex_};
    return a.lanes_ == b.lanes_ && a.segments_ == b.segments_;
}

}  // namespace orbitalreg::cas
