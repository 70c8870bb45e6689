#pragma once
// What a rebuild asks of the catalog: to make what it can of the rows of a checkpoint that is not whole any more. Ids in rows
// are those of blobs at that time, some of which are not known any more; so rows become changes that name blobs by digest.
//
// Threads  the caller's.

#include "base/bytes.h"
#include "base/digest.h"
#include "base/result.h"
#include "cas/references.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace orbitalreg::cas {

// The blobs that a rebuild has found so far: those of readable rows and those found again.
class SalvagedBlobs {
public:
    // Of the blob that had this id in the checkpoint; nothing when its row is lost.
    virtual std::optional<Digest> digest_of_row(BlobId id) const = 0;
    // The whole of a blob of at most `size_max` bytes, held against its digest. Errc::blob_not_found, blob_too_large,
    // blob_damaged, or what the device says.
    virtual Result<std::vector<std::byte>> read(const Digest& digest, std::uint64_t size_max) = 0;
    virtual std::optional<std::uint64_t> size_of(const Digest& digest) const = 0;
    virtual ReferenceSink& references() noexcept = 0;

protected:
    ~SalvagedBlobs() = default;
};

// What came back of one kind of thing, and what was seen but could not be brought back.
struct SalvageCount {
    std::string what;  // in the plural: blobs, manifests, tags, ...
    std::uint64_t restored = 0;
    std::uint64_t lost = 0;
};

class CatalogSalvage {
public:
    virtual ~CatalogSalvage() = default;

    // The readable rows, in the order in which they were written; some may be missing anywhere.
    virtual void add(std::uint16_t table, ByteView row) = 0;
    // After the last row, and after the frames behind the checkpoint: adds what follows from what is there by now.
    // `rows_whole`: no row of the checkpoint was missing.
    virtual void finish(bool rows_whole) = 0;
    virtual std::vector<SalvageCount> counts() const = 0;
};

}  // namespace orbitalreg::cas
