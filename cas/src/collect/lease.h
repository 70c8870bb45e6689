#pragma once
// A lease keeps an unreferenced blob for another grace, since a client was told that it exists. It is a record of the
// group that says so.
//
// Threads  append_lease() inside Group::check only.

#include "collect/grace.h"
#include "log/group.h"

#include <span>

namespace orbitalreg::cas {

// Appends one Lease record for those of `digests` that are there, not referenced, and have used up more of their grace
// than a promise may lack. How many these are.
std::size_t append_lease(const BlobTable& blobs, Group& group, std::span<const Digest> digests,
                         const Grace& grace, const FrameContext& frame);

// Exclusive for who renews a lease: of many that ask at once, one writes.
inline std::uint64_t lease_key(const Digest& digest) noexcept {
    return mix64(digest.prefix(), 0x6c65617365000000);
}

}  // namespace orbitalreg::cas
