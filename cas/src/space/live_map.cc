#include "space/live_map.h"

#include "format/lane_record.h"

#include <algorithm>

namespace orbitalreg::cas {
namespace {

PageRange pages_of(const Extent& extent) noexcept {
    const std::uint64_t end = extent.position + record_pages(extent.size_bytes);
    return {extent.position, static_cast<std::uint32_t>(end)};
}

}  // namespace

void LiveMap::watch(std::uint32_t lane) { lanes_[lane]; }

void LiveMap::add_live(const Extent& extent) {
    if (!extent.in_lane) return;
    const auto lane = lanes_.find(extent.file);
    if (lane == lanes_.end()) return;
    lane->second.live.push_back(pages_of(extent));
    lane->second.live_pages += lane->second.live.back().pages();
}

void LiveMap::add_condemned(const Extent& extent) {
    if (!extent.in_lane) return;
    const auto lane = lanes_.find(extent.file);
    if (lane != lanes_.end()) lane->second.condemned.push_back(pages_of(extent));
}

void LiveMap::add_pinned(const Extent& extent) {
    if (!extent.in_lane) return;
    const auto lane = lanes_.find(extent.file);
    if (lane != lanes_.end()) lane->second.pinned.push_back(pages_of(extent));
}

std::optional<std::vector<PageRange>> LiveMap::dead(std::uint32_t id, std::uint32_t settled_page) {
    const auto found = lanes_.find(id);
    if (found == lanes_.end()) return std::nullopt;
    std::vector<PageRange> kept{{0, 1}};
    Lane& lane = found->second;
    auto& live = lane.live;
    std::ranges::sort(live);
    for (const PageRange& range : live) {
        if (range.begin < kept.back().end) return std::nullopt;
        kept.push_back(range);
    }
    lane.pinned_dead = std::ranges::any_of(lane.pinned, [&live](const PageRange& range) {
        return !std::ranges::binary_search(live, range);
    });
    kept.insert(kept.end(), lane.pinned.begin(), lane.pinned.end());
    kept.insert(kept.end(), lane.condemned.begin(), lane.condemned.end());
    std::ranges::sort(kept);
    std::vector<PageRange> dead;
    std::uint32_t end = 0;
    for (const PageRange& range : kept) {
        const std::uint32_t begin = std::min(range.begin, settled_page);
        if (begin > end) dead.push_back({end, begin});
        end = std::max(end, range.end);
    }
    if (settled_page > end) dead.push_back({end, settled_page});
    return dead;
}

std::uint64_t LiveMap::live_bytes(std::uint32_t lane) const {
    const auto found = lanes_.find(lane);
    return found == lanes_.end() ? 0 : found->second.live_pages * kPageSize;
}

bool LiveMap::pinned_dead(std::uint32_t lane) const {
    const auto found = lanes_.find(lane);
    return found != lanes_.end() && found->second.pinned_dead;
}

bool LiveMap::empty(std::uint32_t lane) const {
    const auto found = lanes_.find(lane);
    return found != lanes_.end() && found->second.live.empty() && found->second.pinned.empty() &&
           found->second.condemned.empty();
}

}  // namespace orbitalreg::cas
