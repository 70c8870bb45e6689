#pragma once
// Collection deletes blobs that nothing has referenced for the grace window. It takes them from a queue that every change
// feeds, in bounded batches; the sequencer checks each blob again in the batch's turn, so that no earlier finding counts:
// references, leases and time are those of the frame that would delete it. Bytes are given back by compaction.
//
// Life     of the Store; rounds end before Store::stop() returns.
// Durable  what a round counts as deleted is deleted for good.
// Threads  run() on a reactor; the rest any.
// Limits   one round at a time, others wait; StoreOptions::gc_*; kDeletionsRemembered deletions are remembered.

#include "base/asio.h"
#include "base/digest.h"
#include "base/result.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace orbitalreg::cas {

inline constexpr std::size_t kDeletionsRemembered = 16'384;

// What one round did; of a dry run, what it would have done at that moment.
struct CollectionRound {
    bool dry_run = false;
    std::uint64_t examined = 0;  // blobs whose grace was over when they were looked at
    std::uint64_t deleted = 0;
    std::uint64_t deleted_bytes = 0;   // of these blobs
    std::uint64_t lane_bytes = 0;      // that compaction can give back: whole records in lanes
    std::uint64_t log_bytes = 0;       // of small blobs, in log segments
    std::uint64_t kept = 0;            // came back into use before their turn
    std::uint64_t uploads_closed = 0;  // expired sessions
    std::uint64_t batches = 0;
    std::uint64_t store_time_ms = 0;  // of its begin
    std::int64_t wall_ns = 0;
    std::int64_t duration_ms = 0;
    ErrorCode error;  // what ended it early
};

struct CollectionStatus {
    bool running = false;
    bool paused = false;  // gc.paused: rounds begin only when asked for
    std::string halted;   // why nothing is deleted until a restart; empty: it is
    std::int64_t grace_ms = 0;
    std::int64_t interval_ms = 0;
    std::uint64_t unreferenced_blobs = 0;
    std::uint64_t condemned_extents = 0;  // that compaction has not taken yet
    std::uint64_t rounds = 0;             // since the start, without dry runs
    std::uint64_t deleted = 0;
    std::uint64_t deleted_bytes = 0;
    std::uint64_t leases = 0;
    std::optional<CollectionRound> last;
    std::optional<std::int64_t> next_in_ms;  // none while paused or halted
};

struct DeletedBlob {
    Digest digest;
    std::uint64_t size_bytes = 0;
    std::uint64_t unreferenced_since_ms = 0;  // store time
    std::uint64_t deleted_ms = 0;             // store time
};

// Why a blob is there, or when it went.
struct BlobFate {
    enum class State : std::uint8_t {
        unknown,       // not here, and nothing is remembered of it
        referenced,    // `references` of the catalog hold it
        unreferenced,  // goes at `due_ms` unless something changes
        deleted,       // by collection
    };
    State state = State::unknown;
    bool damaged = false;
    std::uint64_t size_bytes = 0;
    std::uint32_t references = 0;
    std::uint64_t unreferenced_since_ms = 0;  // store time
    std::uint64_t due_ms = 0;                 // store time
    std::uint64_t deleted_ms = 0;             // store time
    std::uint64_t now_ms = 0;                 // store time
    std::uint64_t remembered = 0;             // deletions that are remembered at all
};

class Collection {
public:
    // A whole round, after the one that runs. `progress` is told now and then, on `environment.background`; may be null.
    // Errc::read_only, stopped; precondition_failed while halted.
    virtual Awaitable<Result<CollectionRound>> run(
        bool dry_run, std::function<void(const CollectionRound&)> progress) = 0;
    virtual CollectionStatus status() const = 0;
    virtual BlobFate fate_of(const Digest& digest) const = 0;
    // Nothing is deleted any more until the store is opened again: counts are in doubt, or damage spreads. Raises the
    // alarm once.
    virtual void halt(std::string reason) = 0;

protected:
    ~Collection() = default;
};

}  // namespace orbitalreg::cas
