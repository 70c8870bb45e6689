#pragma once
// LaneTable is what the frames say of each lane: phase, frontier, last record, whether a marked
// upload holds it.
//
// Threads  one at a time.

#include "lane/lane_records.h"
#include "lane/lanes.h"

#include <cstdint>
#include <map>

namespace orbitalreg::cas {

class LaneTable {
public:
    void apply(const LaneStateRecord& state);
    void apply(const LaneCommit& commit);
    void apply(const MarkRecord& mark);    // of a lane upload
    void apply(const CloseRecord& close);  // of a session that held a lane

    const std::map<std::uint32_t, LaneView>& rows() const noexcept { return rows_; }

private:
    LaneView& row(std::uint32_t lane);

    std::map<std::uint32_t, LaneView> rows_;
};

}  // namespace orbitalreg::cas
