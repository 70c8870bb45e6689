#pragma once
// BlobWriter takes in one blob and makes it durable under its digest. With a session it is an upload that survives a
// crash at its last mark; without one it is a single shot.
//
// Life     Store::begin_blob() or open_upload() -> { buffer() -> advance() }* -> mark() | finish() | cancel().
//          Destroying it before finish() drops what came after the last mark: the session falls back to that mark;
//          a writer without a session becomes dead bytes that compaction reclaims.
// Durable  what mark() acknowledged survives power loss, at that offset. Once finish() returns success the blob and the
//          change given with it do. Not before.
// Threads  use from one strand, the reactor it was opened on. Writers of one Store may run side by side.
// Memory   the writer lends its buffers, page-aligned: bytes are received into them and written from them, never copied.
// Limits   StoreOptions::blob_size_max_bytes; one byte more fails with Errc::blob_too_large.

#include "base/asio.h"
#include "base/bytes.h"
#include "base/digest.h"
#include "base/result.h"
#include "cas/followed_blob.h"
#include "cas/journal.h"

#include <cstddef>
#include <cstdint>
#include <memory>

namespace orbitalreg::cas {

struct BlobInfo {
    Digest digest;
    std::uint64_t size_bytes = 0;
    bool existed = false;  // the bytes were already stored; what was sent is dead now
    Committed committed;
};

class BlobWriter {
public:
    virtual ~BlobWriter() = default;

    // Bytes received so far, marked or not.
    virtual std::uint64_t offset() const noexcept = 0;
    // Room for the next bytes: at least 1, at most 256 KiB. Waits for the device when all buffers are in flight.
    // Stays valid until the next call of any other function here.
    virtual Awaitable<Result<MutableByteView>> buffer() = 0;
    // `size` bytes at the start of what buffer() lent were filled. Hashed and chunk-summed before it returns.
    virtual Awaitable<Result<void>> advance(std::size_t size) = 0;

    // Makes the offset durable and returns it. A writer without a session cannot be marked.
    virtual Awaitable<Result<std::uint64_t>> mark() = 0;
    // Compares what was received with `expected`, commits the blob and `change` in one group (and closes the session
    // in it), or fails: on Errc::digest_mismatch nothing becomes visible and the session is closed as cancelled.
    virtual Awaitable<Result<BlobInfo>> finish(Digest expected, Change change) = 0;
    // Lets others read what arrives; before the first advance(). Errc::io_error where the sums of an upload that goes on
    // cannot be read.
    virtual Awaitable<Result<std::shared_ptr<FollowedBlob>>> follow() = 0;
    // Closes the session; durable when it returns.
    virtual Awaitable<Result<void>> cancel() = 0;
};

}  // namespace orbitalreg::cas
