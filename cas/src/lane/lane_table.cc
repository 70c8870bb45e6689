#include "lane/lane_table.h"

#include "base/fields.h"
#include "cas/errors.h"

#include <algorithm>

namespace orbitalreg::cas {

std::optional<std::uint32_t> LaneRows::next(const std::optional<Key>& after) const {
    const auto row = after ? rows.upper_bound(*after) : rows.begin();
    return row == rows.end() ? std::nullopt : std::optional{row->first};
}

void LaneRows::encode(Key lane, std::vector<std::byte>& row) const {
    const auto found = rows.find(lane);
    if (found == rows.end()) return;
    const LaneView& view = found->second;
    FieldWriter{row}
        .number(view.lane)
        .number(static_cast<std::uint8_t>(view.phase))
        .number(static_cast<std::uint8_t>(view.leased ? 1 : 0))
        .number(view.frontier_page)
        .number(view.last_base_page);
}

Result<void> LaneRows::load(ByteView row) const {
    FieldReader fields{row};
    LaneView view;
    view.lane = fields.number<std::uint32_t>();
    const auto phase = fields.number<std::uint8_t>();
    const auto leased = fields.number<std::uint8_t>();
    view.frontier_page = fields.number<std::uint32_t>();
    view.last_base_page = fields.number<std::uint32_t>();
    const bool sane = fields.done() && view.lane != 0 && leased <= 1 &&
                      phase <= static_cast<std::uint8_t>(LanePhase::unlinked) &&
                      (rows.empty() || rows.rbegin()->first < view.lane);
    if (!sane) return fail(Errc::bad_format);
    view.phase = static_cast<LanePhase>(phase);
    view.leased = leased != 0;
    rows.emplace_hint(rows.end(), view.lane, view);
    return ok();
}

LaneView& LaneTable::row(std::uint32_t lane) {
    walked_.before_change(lane);
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
