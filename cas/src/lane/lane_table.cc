#include "lane/lane_table.h"

#include <algorithm>

namespace orbitalreg::cas {

LaneView& LaneTable::row(std::uint32_t lane) {
    LaneView& found = rows_[lane];
    found.lane = lane;
    return found;
}

// A lane that is unlinked is as if it had never been: no later frame names it, its id does not come again, and a file
// of that name is removed at the next start.
void LaneTable::apply(const LaneStateRecord& state) {
    if (state.phase == LanePhase::unlinked) {
        rows_.erase(state.lane);
        return;
    }
    LaneView& lane = row(state.lane);
    lane.phase = state.phase;
    lane.frontier_page = state.frontier_page;
    lane.last_base_page = state.last_base_page;
}

void LaneTable::apply(const LaneCommit& commit) {
    LaneView& lane = row(commit.lane);
    lane.frontier_page = std::max(lane.frontier_page, commit.base_page + commit.pages);
    lane.last_base_page = std::max(lane.last_base_page, commit.base_page);
    lane.leased = false;
}

void LaneTable::apply(const MarkRecord& mark) {
    LaneView& lane = row(mark.lane);
    lane.frontier_page = std::max(lane.frontier_page, mark.base_page);
    lane.last_base_page = std::max(lane.last_base_page, mark.base_page);
    lane.leased = true;
}

void LaneTable::apply(const CloseRecord& close) {
    LaneView& lane = row(close.lane);
    lane.frontier_page = std::max(lane.frontier_page, close.end_page);
    lane.leased = false;
}

}  // namespace orbitalreg::cas
