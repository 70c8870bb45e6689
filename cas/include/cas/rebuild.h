#pragma once
// rebuild() makes a new checkpoint of a store whose own cannot be loaded, or whose log is damaged: from the readable blocks of
// the checkpoint, the frames that remain of the log, and the records in lanes. What was damaged is moved to lost+found/
// or left where it is, and nothing is removed.
//
//   blobs      rows of readable blocks; else bytes found in lanes and in the log whose digest is right. A blob that comes
//              back without a row is unreferenced until a manifest names it; every unreferenced blob's grace starts anew.
//   catalog    rows of readable blocks; edges and links of lost rows from the manifests themselves, read again.
//   changes    every frame behind the checkpoint that is still there, in order; what lay in lost frames is lost.
//   no rows    if no block is readable at all, the records of older frames too: they may be out of date.
//   uploads    sessions whose state is not whole end as cancelled: their clients begin again.
//
// Durable  the new checkpoint is read back from both copies before the superblock names it. Until then the store is as it was.
// Threads  the caller's; blocking. Holds the directory exclusively. Memory as the store's, and each catalog row's digest.
// Errors   Errc::not_a_store, locked, superblock_corrupt (no copy: whose store it was and its secret are not known),
//          version_unsupported, no_space, and what the device says of writes. What cannot be read counts as lost.

#include "base/log.h"
#include "base/result.h"
#include "cas/io.h"
#include "cas/journal.h"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace orbitalreg::cas {

struct RebuildReport {
    std::vector<SalvageCount> counts;   // by kind
    std::vector<std::string> restored;  // for people
    std::vector<std::string> lost;      // what could not be brought back, for people
};

// `catalog` must be empty.
Result<RebuildReport> rebuild(Io& io, CatalogMachine& catalog, Log& log,
                              const std::function<void(std::string_view)>& progress);

}  // namespace orbitalreg::cas
