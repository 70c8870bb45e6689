#pragma once
// A body that is small enough to be taken as a whole.

#include "outbound/upstream_failure.h"

#include <cstddef>
#include <vector>

namespace orbitalreg::frontend {

// Up to the end; one byte more than `bytes_max` is Kind::untrusted. `stream` outlives the call.
Awaitable<UpstreamResult<std::vector<std::byte>>> read_whole(HttpStream* stream,
                                                             std::size_t bytes_max);

}  // namespace orbitalreg::frontend
