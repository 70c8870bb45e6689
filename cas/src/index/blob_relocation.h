#pragma once
// The record BlobRelocate: an inline blob moves out of a log segment that is to be given back.

#include "base/digest.h"
#include "base/result.h"
#include "index/extent.h"
#include "log/group.h"

#include <vector>

namespace orbitalreg::cas {

struct BlobRelocation {
    Digest digest;
    Extent from;  // what the record replaces, and nothing else
};

// `bytes`: the whole blob. `uid`: of its new extent.
GroupRecord encode_relocation(BlobId id, std::uint64_t uid, const BlobRelocation& move,
                              std::vector<std::byte> bytes);
// Errc::bad_format.
Result<void> verify_relocation(const AppliedRecord& record) noexcept;
// Of a record that passed.
BlobRelocation decode_relocation(ByteView body) noexcept;

}  // namespace orbitalreg::cas
