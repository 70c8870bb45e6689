#pragma once
// Reads both copies of the checkpoint that the superblock names, whole, and says what is bad in which.
//
// Threads  the caller's; blocking.

#include "cas/inspect.h"
#include "format/superblock.h"

#include <functional>
#include <string_view>

namespace orbitalreg::cas {

void check_checkpoint(Io& io, const Superblock& superblock, FsckReport& report);

// One JSON object for the header of each copy and one for each of its blocks.
Result<void> dump_checkpoint(Io& io, const Superblock& superblock,
                             const std::function<void(std::string_view line)>& line);

}  // namespace orbitalreg::cas
