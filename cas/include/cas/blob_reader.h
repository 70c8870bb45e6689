#pragma once
// BlobReader reads one blob in pieces, each verified against its checksums before it is handed out.
//
// Life     Store::open_blob() -> read()*. The extent is pinned until the reader is destroyed.
// Threads  use from one strand, the reactor it was opened on.
// Limits   a piece is at most 1 MiB; buffers come from the pull share of the memory ledger.

#include "base/asio.h"
#include "base/bytes.h"
#include "base/digest.h"
#include "base/result.h"
#include "cas/references.h"

#include <cstdint>
#include <memory>

namespace orbitalreg::cas {

struct BlobPiece {
    ByteView bytes;                     // never empty
    std::shared_ptr<const void> owner;  // keeps them
};

class BlobReader {
public:
    virtual ~BlobReader() = default;

    virtual const Digest& digest() const noexcept = 0;
    virtual std::uint64_t size_bytes() const noexcept = 0;
    // Verified bytes from `offset`, at least one and at most `length_max`; offset < size. Errc::blob_damaged when
    // they fail their checksum twice, Errc::io_error when the device fails, Errc::overloaded without a buffer.
    virtual Awaitable<Result<BlobPiece>> read(std::uint64_t offset, std::uint64_t length_max) = 0;
};

}  // namespace orbitalreg::cas
