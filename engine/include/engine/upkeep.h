#pragma once
// Upkeep is what operators ask of the store beside pushing and pulling: collection, why a blob is there, where the bytes
// are, compaction and scrub. What it says is JSON, the same from a running server and from a data directory; what nobody
// but an operator looks at is JSON at once.
//
// Threads  any reactor.
// Limits   kPathsMax paths and kLinksMax image names in an explanation.

#include "base/asio.h"
#include "base/digest.h"
#include "engine/errors.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace orbitalreg::engine {

// What one round of collection did; of a dry run, what it would have done at that moment.
struct CollectionRound {
    bool dry_run = false;
    std::uint64_t examined = 0;  // blobs whose grace was over when they were looked at
    std::uint64_t deleted = 0;
    std::uint64_t deleted_bytes = 0;
    std::uint64_t lane_bytes = 0;      // that compaction can give back: whole records in lanes
    std::uint64_t log_bytes = 0;       // of small blobs, in log segments
    std::uint64_t kept = 0;            // came back into use before their turn
    std::uint64_t uploads_closed = 0;  // expired sessions
    std::int64_t begun_wall_ms = 0;
    std::int64_t duration_ms = 0;
    std::string trouble;  // what ended it early; empty: nothing did
};

struct CollectionStatus {
    bool running = false;
    bool paused = false;
    std::string halted;  // why nothing is deleted; empty: it is
    std::int64_t grace_ms = 0;
    std::int64_t interval_ms = 0;
    std::uint64_t unreferenced_blobs = 0;
    std::uint64_t condemned_extents = 0;
    std::uint64_t rounds = 0;  // since the start
    std::uint64_t deleted = 0;
    std::uint64_t deleted_bytes = 0;
    std::uint64_t leases = 0;
    std::optional<CollectionRound> last;
    std::optional<std::int64_t> next_in_ms;
};

// A way from a name to the blob: each of `manifests` refers to the next, the last one to the blob, unless it is the blob.
struct HoldingPath {
    std::string image;
    std::string tag;  // empty: the first manifest is held without one
    std::vector<Digest> manifests;
};

struct BlobExplanation {
    enum class State : std::uint8_t { unknown, held, waiting, deleted };
    static constexpr std::size_t kPathsMax = 10;
    static constexpr std::size_t kLinksMax = 20;

    Digest digest;
    State state = State::unknown;
    bool damaged = false;
    std::uint64_t size_bytes = 0;
    std::uint32_t references = 0;
    std::vector<HoldingPath> paths;        // of a held one
    std::vector<std::string> links;        // image names under which it may be seen
    std::int64_t unreferenced_for_ms = 0;  // of a waiting one
    std::int64_t goes_in_ms = 0;      // of a waiting one, at the earliest; 0: with the next round
    std::int64_t deleted_ago_ms = 0;  // of a deleted one
    std::int64_t unreferenced_until_ms = 0;  // of a deleted one: how long nothing had referenced it
    std::uint64_t deletions_remembered = 0;
};

// One pass over everything that is stored.
struct ScrubOrder {
    bool digests = true;           // checksums and digests; else checksums only
    std::uint64_t rate_bytes = 0;  // a second; 0: as fast as the device allows
};

class Upkeep {
public:
    virtual ~Upkeep() = default;

    // A whole round. `progress` may be null. Errc::read_only, stopped; precondition_failed while collection is halted.
    virtual Awaitable<Answer<CollectionRound>> collect(
        bool dry_run, std::function<void(const CollectionRound&)> progress) = 0;
    virtual CollectionStatus collection_status() const = 0;
    virtual Awaitable<BlobExplanation> explain(Digest digest) = 0;

    // Counts, and where the bytes are by the rows and by the file system; `files`: of each lane and log segment too.
    virtual Awaitable<std::string> stats(bool files) = 0;
    // A whole round, after the one that runs: what it did, and the space before and after. Errc::read_only, stopped.
    virtual Awaitable<Answer<std::string>> compact() = 0;
    virtual std::string compaction_status() const = 0;
    // Begins a pass, and gives up the one under way. Errc::read_only.
    virtual Answer<void> scrub(ScrubOrder order) = 0;
    // Blobs that are found damaged are marked again, after too many had been.
    virtual void resume_marking() = 0;
    virtual std::string scrub_status() const = 0;
};

std::string to_json(const CollectionRound& round);
std::string to_json(const CollectionStatus& status);
std::string to_json(const BlobExplanation& explanation);

}  // namespace orbitalreg::engine
