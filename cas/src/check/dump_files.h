#pragma once
// dump of what lies in files, page by page, whether a row names it or not: log segments by their headers, and the records
// of lanes by their headers and descriptors.
//
// Threads  one; blocking. Reads a page or two of each record.

#include "cas/inspect.h"
#include "check/replayed_store.h"
#include "format/superblock.h"

#include <functional>
#include <string_view>

namespace orbitalreg::cas {

using DumpLines = std::function<void(std::string_view line)>;

Result<void> dump_segments(Io& io, const Superblock& superblock, const DumpLines& lines);

// Of each lane the records whose blobs live, and those before them that their headers lead to and that were not punched:
// what was deleted, replaced or cancelled. In order of place, the last first.
void dump_lane_records(Io& io, const ReplayedStore& store, const DumpLines& lines);

}  // namespace orbitalreg::cas
