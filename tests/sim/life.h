#pragma once
// A Life is one run of the process in a simulation: a store opened on the disk as the last life left it, and clients that
// use it until they are done or the power is cut.

#include "cas/store.h"
#include "engine/embedded_store.h"
#include "sim/model.h"
#include "sim/swarm.h"
#include "sim/universe.h"
#include "support/sim_clock.h"
#include "support/sim_executor.h"
#include "support/sim_io.h"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace orbitalreg::engine {
class Remotes;
class Retention;
class RetentionStore;
}  // namespace orbitalreg::engine

namespace orbitalreg::sim {

struct PullWorld;
class JudgedWorld;

inline constexpr std::uint64_t kInlineSizeMax = 1024;  // of every store that is simulated

// What a client knows of an upload session. Survives crashes, as the client does.
struct SimSession {
    engine::SessionId id{};
    std::uint64_t issued_store_time_s = 0;
    std::size_t slot = 0;
    std::size_t image = 0;
    std::size_t blob = 0;
    std::uint64_t acknowledged = 0;  // the last offset that a mark answered
    std::uint64_t received_max =
        0;                 // what the store has seen since: marks of its own may have come this far
    bool owned = false;    // a client works on it
    bool retired = false;  // closed, or its close is unknown
};

struct ClosedSession {
    engine::SessionId id{};
    SessionState state = SessionState::open;
    Digest digest;  // of a finished one
};

// What was done to the disk behind the store's back.
enum class Damage : std::uint8_t {
    none,
    rot,    // bits flipped: the store may refuse to serve, or to open
    stale,  // writes lost or misdirected, files of another time or place: as rot, and uploads may be lost; but the state
    // that is served is the right one
    lost_frame,  // one write of the log was reported and never made: the store may refuse to open, or to serve those
    // bytes, but a state without that frame is no state to serve
};

// Lanes are write-once: where the header of a record was written, no other upload's is written in that lane's life.
class RecordWatch {
public:
    // False when this write hands out an offset a second time.
    bool see(const SimInode& file, std::uint64_t offset, ByteView bytes);

private:
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t> uids_;  // by file and offset
};

// Store time goes with the time since the start, whatever the wall clock does; a start adds an hour at most.
class StoreTimeWatch {
public:
    // A start, that comes through or not.
    void begin_life() noexcept { ++starts_; }
    // False when it went faster.
    bool see(std::uint64_t store_time_ms, std::int64_t boottime_ms) noexcept;

private:
    static constexpr std::uint64_t kStartAdvanceMsMax = 3'600'000;

    bool ever_ = false;
    std::uint64_t starts_ = 0;  // since it was seen last
    std::uint64_t latest_ms_ = 0;
    std::int64_t latest_boottime_ms_ = 0;
};

// What one seed adds up over its lives.
struct SimWorld {
    SimWorld(std::uint64_t seed, SimDiskMode mode);
    // In a world that is known already.
    SimWorld(std::uint64_t seed, SimDiskMode mode, const Universe& known);
    SimWorld(const SimWorld&) = delete;  // the disk's watch knows its address
    SimWorld& operator=(const SimWorld&) = delete;

    SimRandom random;
    SimDisk disk;
    SimTrace trace;
    RecordWatch records;
    StoreTimeWatch store_time;
    Universe universe;
    History history;
    Workload workload;
    std::deque<SimSession> sessions;  // clients keep references
    std::vector<ClosedSession> closed;
    std::shared_ptr<PullWorld> pulls;     // null: there is no remote repository
    std::shared_ptr<JudgedWorld> judged;  // null: there is no retention; with it there are pulls
    Damage damage = Damage::none;
    bool errors_seen = false;  // the device has failed a call: a lane may be out of use since
    // Wrong bytes are never served. Short of that, damage excuses:
    bool content_excused() const noexcept { return damage != Damage::none; }
    bool state_excused() const noexcept { return damage == Damage::rot; }
    bool sessions_excused() const noexcept {
        return damage == Damage::rot || damage == Damage::stale;
    }
    std::uint64_t operations = 0;
    std::uint64_t acknowledged = 0;
    std::string failure;  // the first one; empty while all is well
    bool verbose = false;

    // The time of what comes next, for the history.
    void note_time(std::uint64_t store_time_ms, std::int64_t boottime_ms);
    void fail(const std::string& message) {
        if (failure.empty()) failure = message;
    }
    void say(const std::string& line) const;

private:
    void watch_records();
};

struct Life {
    SimWorld& world;
    SimScheduler& scheduler;
    SimClock& clock;
    SimIo& io;
    engine::RegistryStore& store;
    engine::DocumentStore& documents;
    cas::Store& blobs;
    std::uint64_t operations_left = 0;
    std::size_t clients = 0;    // still running
    bool astray = false;        // writes are lost or misdirected in this life
    bool slow_readers = false;  // clients stop between two pieces of what they read
    engine::Remotes* remotes = nullptr;
    engine::Retention* retention = nullptr;
    engine::RetentionStore* retention_store = nullptr;

    bool content_excused() const noexcept {
        return world.content_excused() || io.silent_faults() > 0;
    }
    // Of what lies in a lane, or is read from the log. The bytes that a lost frame held are found to be damaged, by the scrub
    // in the same life, or in a later one where a checkpoint covers the frame and knows its rows.
    bool absence_excused() const noexcept {
        return world.damage == Damage::stale || world.damage == Damage::lost_frame ||
               io.silent_faults() > 0;
    }
    bool sessions_excused() const noexcept {
        return world.sessions_excused() || (io.silent_faults() > 0 && astray);
    }
    std::uint32_t now_s() const noexcept {
        return static_cast<std::uint32_t>(store.store_time_ms() / 1000);
    }
    void note_time() { world.note_time(store.store_time_ms(), clock.boottime_ms()); }
    bool stopping() const noexcept {
        return io.crashed() || operations_left == 0 || !world.failure.empty();
    }
};

// Between two operations of a client, as its workload has it.
Awaitable<void> pause_at_times(Life& life);
// One client: does operations that the seed draws until the life stops.
Awaitable<void> run_client(Life& life);

// Reads all that the store holds and compares it with the history; sets `done`. Bytes of everything present are compared.
Awaitable<void> audit(Life& life, bool& done);

// The end of an answer, as the specification tells ends apart.
struct Ending {
    enum class Kind : std::uint8_t { answered, undone, unknown, unexpected };
    Kind kind = Kind::answered;
    Verdict verdict = Verdict::ok;
};
Ending ending_of(const engine::Refusal* refusal) noexcept;

// The bytes of a blob or manifest, read in pieces of random sizes; the refusal when a piece is not to be had. Fails the
// world when the bytes are not `expected`.
Awaitable<engine::Answer<void>> compare_content(Life& life,
                                                std::unique_ptr<engine::BlobStream> stream,
                                                const std::vector<std::byte>& expected,
                                                std::string what);

}  // namespace orbitalreg::sim
