#pragma once
// What a hosted catalog and the store say to each other about blobs: ids, look-ups and reference counts.

#include "base/digest.h"
#include "base/strong_id.h"

#include <cstdint>
#include <functional>
#include <optional>

namespace orbitalreg::cas {

// Row number of a blob. Reused after a blob is deleted: never kept across a co_await without a pin.
using BlobId = StrongId<struct BlobIdTag, std::uint32_t>;

struct BlobStat {
    BlobId id;
    std::uint64_t size_bytes = 0;
    std::uint32_t references = 0;
    bool damaged = false;
};

// ReferenceSink is handed to CatalogMachine::apply. hold() and release() are the only way a count changes, live and
// in replay.
//
// Threads  only inside apply(), on its thread.
class ReferenceSink {
public:
    // The blob of that digest, damaged or not. What an earlier record of the same group committed is found.
    virtual std::optional<BlobId> find(const Digest& digest) const noexcept = 0;
    virtual void hold(BlobId blob) noexcept = 0;
    virtual void release(BlobId blob) noexcept = 0;

protected:
    ~ReferenceSink() = default;
};

}  // namespace orbitalreg::cas
