#pragma once
// What fsck does beyond the store's own checks: reads every blob as a client would and computes its digest.

#include "cas/inspect.h"
#include "offline_store.h"

#include <functional>
#include <string_view>

namespace orbitalreg::program {

// Adds a finding for each blob whose bytes cannot be read or are not those its digest names. `store` is open, read-only.
void check_digests(OfflineStore& store, cas::FsckReport& report,
                   const std::function<void(std::string_view)>& progress);

}  // namespace orbitalreg::program
