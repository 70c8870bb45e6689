#pragma once
// Where the store's bytes are: what the rows say lives, and what the file system says of each file.
//
// Threads  any; blocking. One look at each table and each file, one after the other: figures of a store in use may
//          differ by what changed between two looks.
// Errors   none: a file that is gone or cannot be looked at counts as empty.

#include "cas/compaction.h"
#include "lane/lane_rooms.h"

namespace orbitalreg::cas {

// `files`: each of them as well as the sums.
SpaceReport report_space(const LaneRooms& rooms, bool files);

}  // namespace orbitalreg::cas
