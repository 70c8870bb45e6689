#pragma once
// What is done to lanes when a store opens, after its frames were replayed.

#include "lane/lane_rooms.h"

namespace orbitalreg::cas {

// Lanes::open(). Blocking.
Result<void> recover_lanes(LaneRooms& rooms, CommitLog& log);

}  // namespace orbitalreg::cas
