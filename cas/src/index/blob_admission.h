#pragma once
// What a group does with the blobs it brings, decided on the sequencer against applied state: store them, swap them in
// for damaged bytes, or leave them out because a sound copy exists.
//
// Threads  inside Group::check only.

#include "base/digest.h"
#include "cas/journal.h"
#include "collect/grace.h"
#include "index/blob_table.h"
#include "index/extent.h"
#include "log/group.h"

#include <cstdint>
#include <functional>
#include <vector>

namespace orbitalreg::cas {

// Appends the BlobCommit record unless a sound row exists; true when it was appended. `extent.uid` is the blob's uid;
// an inline blob brings its bytes and learns file and position when it is applied.
bool admit_blob(BlobTable& blobs, Group& group, const Digest& digest, const Extent& extent,
                std::vector<std::byte> inline_bytes);

// Runs the change's check, then appends its inline blobs (each under a new uid), a lease on what it brings again or
// confirms, and its catalog records. How many leases these are.
Result<std::size_t> admit_change(BlobTable& blobs, Group& group, Change& change,
                                 const FrameContext& frame, const Grace& grace,
                                 const std::function<std::uint64_t()>& next_uid);

}  // namespace orbitalreg::cas
