#pragma once
// Journal is the one commit point. A Change is one request: the catalog's records, small blobs to store beside them, the
// keys it touches and a check against applied state. The sequencer takes requests in order, puts those that do not
// conflict into one frame (group commit), writes it durably, applies it and answers.
//
// Durable  once submit() returns success the change survives power loss and is visible to every reader. On
//          Errc::outcome_unknown it may or may not have happened; on any other error it has not.
// Threads  submit() from any reactor; check() and apply() run on the sequencer, one at a time.
// Limits   a group of records is at most StoreOptions::group_size_max_bytes, else Errc::change_too_large.

#include "base/asio.h"
#include "base/bytes.h"
#include "base/checksum.h"
#include "base/digest.h"
#include "base/result.h"
#include "base/strong_id.h"
#include "cas/checkpoint.h"
#include "cas/references.h"
#include "cas/salvage.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace orbitalreg::cas {

using Lsn = StrongId<struct LsnTag, std::uint64_t>;

// What a frame tells the state machines it changes: the only time they know.
struct FrameContext {
    Lsn lsn;
    std::uint64_t store_time_ms = 0;
};

// A record of the catalog, opaque to cas. `type` is the catalog's own numbering, from 1.
struct CatalogRecord {
    std::uint16_t type = 0;
    std::vector<std::byte> body;  // a FlatBuffer
    std::vector<std::byte> raw;   // bytes that follow it, aligned to 64 in the frame
};

struct CatalogRecordView {
    std::uint16_t type = 0;
    ByteView body;
    ByteView raw;
};

// CatalogMachine is the state machine that the journal hosts. Its state is a pure function of the records applied:
// no clock, no I/O, no randomness, no order by address.
class CatalogMachine {
public:
    virtual ~CatalogMachine() = default;

    // Whether apply() would understand the record: asked of each before it is written, and of each that comes from disk.
    virtual Result<void> verify(const CatalogRecordView& record) const noexcept = 0;
    // All records of one group, after the blobs of that group exist. Infallible.
    virtual void apply(const FrameContext& frame, std::span<const CatalogRecordView> group,
                       ReferenceSink& references) noexcept = 0;
    // The blob is about to leave; drop the links to it. Called before its id is free again.
    virtual void forget(BlobId blob, const Digest& digest) noexcept = 0;
    // How many links forget() would drop: what a batch of deletions costs.
    virtual std::uint64_t link_count(BlobId) const { return 0; }
    // Calls `edge` once for each reference held: the audit that counts are compared with.
    virtual void visit_references(const std::function<void(BlobId)>& edge) const = 0;
    // What a checkpoint holds of the catalog, in the order in which rows are loaded; the tables live as long as the
    // machine. After load() of every row the state is as if the frames up to the checkpoint had been applied.
    virtual std::vector<CheckpointTable*> checkpoint_tables() = 0;
    // The blobs of a checkpoint are loaded, the catalog's rows come next: none of them names a blob from `end` on.
    virtual void blobs_loaded(BlobId /*end*/) noexcept {}
    // The tables whose rows are references, to be walked for a recount, perhaps while those above are walked too.
    virtual std::vector<CheckpointTable*> recount_tables() = 0;
    // Calls `edge` once for each reference of a row that one of them walked.
    virtual void visit_row_references(std::uint16_t table, ByteView row,
                                      const std::function<void(BlobId)>& edge) const = 0;
    // For a rebuild: takes rows into this empty machine. Null: none are taken.
    virtual std::unique_ptr<CatalogSalvage> salvage(SalvagedBlobs& /*blobs*/) { return nullptr; }
    // A checksum over the whole state, equal for equal states however they were reached. For tests and fsck.
    virtual std::uint64_t fingerprint() const = 0;
};

// 64-bit hashes of what a request reads (shared) and changes (exclusive). Two requests whose keys conflict never
// share a frame, and run in the order they were submitted.
struct KeySet {
    std::vector<std::uint64_t> shared;
    std::vector<std::uint64_t> exclusive;
};

// The key of a blob: what commits, damages or deletes a blob declares it exclusive, what builds on it shared.
// cas adds it for the blobs that a change or a writer brings.
inline std::uint64_t digest_key(const Digest& digest) noexcept {
    return mix64(digest.prefix(), 0x6469676573740000);
}

struct InlineBlob {
    Digest digest;
    std::vector<std::byte>
        bytes;  // at most StoreOptions::inline_size_max_bytes; already known to match the digest
};

struct Change {
    KeySet keys;
    std::vector<CatalogRecord> records;
    // Stored unless a sound blob of that digest exists when the frame is built.
    std::vector<InlineBlob> blobs;
    // Blobs that the answer says exist: unless something references them, their grace starts anew with this change.
    std::vector<Digest> confirmed;
    // Runs on the sequencer against applied state, in this request's turn. Its error ends the request.
    // It may change `records` (fill in what only the order of commits decides). Must not block.
    std::function<Result<void>(Change& self, const FrameContext& frame)> check;
};

struct Committed {
    Lsn lsn;
    std::uint64_t store_time_ms = 0;
};

class Journal {
public:
    virtual Awaitable<Result<Committed>> submit(Change change) = 0;

protected:
    ~Journal() = default;
};

}  // namespace orbitalreg::cas
