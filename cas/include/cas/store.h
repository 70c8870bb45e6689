#pragma once
// Store is the content-addressable store: bytes named by digest, durable in one log and its lanes. It knows no
// repository: links, manifests and tags are records of the catalog that it hosts, committed in the same frames.
//
// Life     open() recovers whatever the last run left, then serves. stop() refuses new work, drains the sequencer and
//          writes the closed frame; destroying a Store that was not stopped is as safe as kill -9.
// Durable  see Journal, BlobWriter. REL-01, REL-02.
// Threads  the awaitable functions run on the caller's reactor, which must be one of StoreEnvironment::reactors;
//          the others from any thread.
// Limits   StoreOptions.

#include "base/asio.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/result.h"
#include "cas/blob_reader.h"
#include "cas/blob_writer.h"
#include "cas/collection.h"
#include "cas/compaction.h"
#include "cas/errors.h"
#include "cas/io.h"
#include "cas/journal.h"
#include "cas/options.h"
#include "cas/scrub.h"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orbitalreg::cas {

struct StoreEnvironment {
    Io& io;
    Clock& clock;
    Random& random;
    Log& log;
    Metrics& metrics;
    // One executor a reactor, each run by one thread.
    std::vector<asio::any_io_executor> reactors;
    // Where spares are prepared and housekeeping runs, blocking calls included. Not a reactor in production.
    asio::any_io_executor background;
    // The sequencer runs as handlers on `background` instead of a thread of its own: the simulator's way.
    bool sequencer_on_executor = false;
};

using SessionId = std::array<std::byte, 16>;

struct UploadStart {
    SessionId session{};
    std::uint64_t issued_store_time_s =
        0;  // when the session id was handed out; it dies idle_expiry after its last byte
    std::vector<std::byte> owner;                         // opaque; kept with the first mark
    DigestAlgorithm algorithm = DigestAlgorithm::sha256;  // hashed while streaming
    std::optional<std::uint64_t> size_hint_bytes;         // of the whole blob, when known
};

struct UploadStatus {
    enum class State : std::uint8_t { unknown, open, finished, cancelled };
    State state = State::unknown;
    std::uint64_t offset = 0;      // the last acknowledged one
    std::optional<Digest> digest;  // of a finished one
    bool busy = false;             // a writer is open
};

struct MemoryUse {
    std::string share;
    std::uint64_t used_bytes = 0;
    std::uint64_t limit_bytes = 0;
};

// Why a store that was opened with StoreOptions::read_only takes no writes.
inline constexpr std::string_view kOpenedForReading = "opened for reading";

struct StoreStats {
    std::uint64_t blobs = 0;
    std::uint64_t blob_bytes = 0;
    std::uint64_t damaged_blobs = 0;
    std::uint64_t uploads_open = 0;
    std::uint64_t log_segments = 0;
    std::uint64_t log_bytes = 0;  // of segments, without spares
    std::uint64_t log_limit_bytes =
        0;  // what compaction keeps it within; above 1.5 times that uploads wait
    std::uint64_t log_live_bytes = 0;  // of small blobs and marks, as records
    std::uint64_t lanes = 0;
    std::uint64_t lane_bytes_used = 0;  // up to the frontiers
    std::uint64_t lsn = 0;
    std::uint64_t store_time_ms = 0;
    std::uint64_t checkpoint_id = 0;  // 0: none
    std::uint64_t checkpoint_lsn = 0;
    std::uint64_t checkpoint_bytes = 0;  // of one copy
    std::uint64_t log_bytes_since_checkpoint = 0;
    std::uint64_t checkpoint_rows_loaded = 0;  // at the start
    std::uint64_t frames_replayed = 0;         // at the start, behind the checkpoint
    std::int64_t recovery_ms = 0;
    bool clean_start = false;
    bool read_only = false;
    std::string read_only_reason;
    bool damage_storm = false;  // too much damage in a minute: marking and collection have stopped
    std::vector<MemoryUse> memory;
};

class Store : public Journal {
public:
    virtual ~Store() = default;

    // Makes a store in an empty directory. Runs blocking, before the reactors do.
    static Result<std::unique_ptr<Store>> open(StoreEnvironment environment, StoreOptions options,
                                               CatalogMachine& catalog);
    virtual Awaitable<void> stop() = 0;

    // The blob, damaged or not; applied state only.
    virtual std::optional<BlobStat> find(const Digest& digest) const noexcept = 0;
    virtual std::optional<Digest> digest_of(BlobId id) const noexcept = 0;
    // For an answer that says the blob exists: one that nothing references stays for the grace from now on, less
    // min(1 h, grace / 24), and that is durable when this returns. A referenced one, or one confirmed a moment ago,
    // costs no write; nor does any in the read-only state. Errc::blob_not_found, also for a damaged blob.
    virtual Awaitable<Result<BlobStat>> confirm(Digest digest) = 0;
    // Look-up and pin in one step. Errc::blob_not_found, also for a damaged blob.
    virtual Result<std::unique_ptr<BlobReader>> open_blob(const Digest& digest) = 0;

    virtual Collection& collection() noexcept = 0;

    // A single shot without a session.
    virtual Awaitable<Result<std::unique_ptr<BlobWriter>>> begin_blob(
        DigestAlgorithm algorithm, std::optional<std::uint64_t> size_hint) = 0;
    // A session: at its last mark, or at 0 when it is unknown. Errc::upload_closed, upload_busy, upload_expired.
    virtual Awaitable<Result<std::unique_ptr<BlobWriter>>> open_upload(UploadStart start) = 0;
    // Whether StoreOptions::uploads_open_max sessions hold bytes: a new one would be Errc::overloaded at its first mark.
    virtual bool uploads_full() const noexcept = 0;
    virtual UploadStatus upload_status(const SessionId& session) const noexcept = 0;
    // Cancels a session that has no writer; an unknown one is remembered as cancelled too.
    virtual Awaitable<Result<void>> cancel_upload(UploadStart start) = 0;

    virtual Scrubber& scrubber() noexcept = 0;

    // 32 bytes derived from the store's secret, one value a label. The secret itself never leaves the store.
    virtual std::array<std::byte, 32> derive_key(std::string_view label) const noexcept = 0;
    // Makes a checkpoint now, or waits for the one under way. Errc::read_only, stopped, no_space, or the device's error.
    virtual Awaitable<Result<void>> make_checkpoint() = 0;

    virtual std::uint64_t store_time_ms() const noexcept = 0;
    virtual StoreStats stats() const = 0;

    // A round of compaction now; resumes on the caller's executor.
    virtual Awaitable<CompactionReport> compact() = 0;
    virtual CompactionStatus compaction_status() const = 0;
    // Where the bytes are; `files`: of each file too. Blocking: asks the file system for every file.
    virtual SpaceReport space(bool files) const = 0;
};

}  // namespace orbitalreg::cas
