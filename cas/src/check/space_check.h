#pragma once
// Holds what the rows say lives against what the file system has allocated, and names files that are none of the store's.
// Holes in live data are LaneCheck's to find; here is what takes room for nothing.
//
// Threads  one; blocking. Beside a running server the figures are those of a moment.

#include "cas/inspect.h"
#include "index/blob_table.h"
#include "lane/lanes.h"

namespace orbitalreg::cas {

// Sums go to the report; findings are notes.
void check_space(Io& io, const BlobTable& blobs, const Lanes& lanes, FsckReport& report);

}  // namespace orbitalreg::cas
