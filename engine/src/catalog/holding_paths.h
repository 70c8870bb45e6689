#pragma once
// Which names hold a blob: the ways from tags, over indexes and manifests, down to it.

#include "catalog/catalog.h"
#include "engine/upkeep.h"

#include <vector>

namespace orbitalreg::engine {

// At most BlobExplanation::kPathsMax, those from a tag first. Looks at every image name for each of a bounded number of
// manifests: not on a reactor.
std::vector<HoldingPath> holding_paths(const Catalog& catalog, cas::BlobId blob);

}  // namespace orbitalreg::engine
