#pragma once
// FollowedBlob reads what a BlobWriter has taken in while it goes on writing: whole chunks that the device has completed,
// each compared with the sum made when its bytes arrived. Whether they are the blob that was meant is known only when the
// writer has finished; then the blob itself is opened.
//
// Life     BlobWriter::follow() -> read()*. It may outlive its writer; what a writer without success leaves behind can go
//          at any time, and is then Errc::io_error, never other bytes.
// Durable  nothing.
// Threads  any reactor of the store's, several at once.
// Memory   8 bytes for each 64 KiB written; a chunk's buffer for each piece, from the pull share.

#include "base/asio.h"
#include "base/result.h"
#include "cas/blob_reader.h"

#include <cstdint>

namespace orbitalreg::cas {

class FollowedBlob {
public:
    virtual ~FollowedBlob() = default;

    // From 0 up to here read() has an answer; only grows.
    virtual std::uint64_t readable_bytes() const noexcept = 0;
    // Bytes from `offset` < readable_bytes(), at least one, at most `length_max`, none beyond the chunk. Errc::io_error,
    // Errc::overloaded.
    virtual Awaitable<Result<BlobPiece>> read(std::uint64_t offset, std::uint64_t length_max) = 0;
};

}  // namespace orbitalreg::cas
