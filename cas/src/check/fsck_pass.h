#pragma once
// One pass of fsck over one view of the store: the superblock, checkpoint and log as they are read at its begin.
//
// Threads  the caller's, and those that FsckOptions asks for.

#include "cas/inspect.h"

#include <cstdint>
#include <set>

namespace orbitalreg::cas {

struct FsckScope {
    bool locked = true;  // nobody writes; else a server may have the store open
    // The deep level reads these extents only; null: all.
    const std::set<std::uint64_t>* uids = nullptr;
};

Result<FsckReport> fsck_pass(Io& io, const FsckOptions& options, const FsckScope& scope,
                             CatalogMachine& catalog, Log& log,
                             const std::function<void(std::string_view)>& progress);

}  // namespace orbitalreg::cas
