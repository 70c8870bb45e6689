#pragma once
// LanePool leases lanes to uploads, one upload at a time, and keeps spare ones prepared. A lane's
// offsets go upward only: what a lease was given is never given out again, whatever became of the
// upload.
//
//   make() ──> spare ──lease()──> leased ──release(), below target──> free ──lease()──> leased ...
//                                   ├── park() ──> parked ──resume()──> leased, release() ──> free
//                                   or sealed
//                                   ├── release(), target reached or held over a restart ──> sealed
//                                   └── poison() ──> poisoned
//
// Life     configure() and adopt() while the store opens; then leases; closing_records() when no
//          writer is left.
// Durable  a lane is leased only after its header was synced and then its directory.
// Threads  any; one lock, never held across I/O.
// Limits   StoreOptions::lanes_writing_max leases at once, else Errc::overloaded; lanes_spare
//          spares.

#include "cas/store.h"
#include "format/lane_record.h"
#include "lane/id_blocks.h"
#include "lane/lanes.h"

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

namespace orbitalreg::cas {

struct LaneLease {
    std::uint32_t lane = 0;
    std::uint32_t base_page = 0;           // where the record begins
    std::uint32_t previous_base_page = 0;  // 0: none
    std::shared_ptr<File> file;            // of the writer and, while the lane is free, of the pool
};

// What compaction needs to know of a lane.
struct LaneUse {
    std::uint32_t lane = 0;
    bool sealed = false;  // and the log says so: never leased again
    bool held = false;    // leased, or parked with its upload
    std::uint32_t settled_page =
        0;  // below it nothing is written any more, and what no row names no row will name
    std::uint32_t next_page = 0;        // end of what was handed out; sealed: equal to settled_page
    std::uint32_t last_base_page = 0;   // of the last record that frames or leases know of, 0: none
    std::uint64_t allocated_bytes = 0;  // when last looked at
};

struct LaneFile {
    LaneUse use;
    std::string_view state;  // as in the metric `lanes`
};

class LanePool : public std::enable_shared_from_this<LanePool> {
public:
    enum class State : std::uint8_t { spare, free, leased, parked, sealed, poisoned };

    LanePool(StoreEnvironment environment, const StoreOptions& options, IdBlocks& ids);

    void configure(const StoreIdentity& identity, std::uint64_t incarnation,
                   std::uint64_t target_bytes, bool sync);
    // A lane that frames name. Of a parked one the pages up to `next_page` may have been written.
    void adopt(const LaneView& row, State state, std::uint32_t next_page);

    // The fullest free lane, else a spare, else a new one. Errc::overloaded, no_space, or the
    // device's error.
    Awaitable<Result<LaneLease>> lease();
    // The lease of a parked lane goes on. Errc::io_error when the lane is poisoned.
    Result<LaneLease> resume(std::uint32_t lane, std::uint32_t base_page);
    // The lease ends; nothing below `end_page` is given out again. Also ends the lease of a parked
    // lane.
    // What it returns is to be recorded: the lane is sealed.
    std::optional<LaneStateRecord> release(std::uint32_t lane, std::uint32_t end_page,
                                           std::uint32_t last_base_page) noexcept;
    // The lane stays with its upload, which has no writer now. The pool forgets its descriptor.
    void park(std::uint32_t lane, std::uint32_t end_page) noexcept;
    // No byte is written to this lane any more.
    void poison(std::uint32_t lane) noexcept;
    // The log has that state now.
    void set_recorded(const LaneStateRecord& state) noexcept;
    // First page behind all that was handed out; of an unknown lane 0.
    std::uint32_t next_page(std::uint32_t lane) const;

    // Lanes that were handed out and are not poisoned, in order of id.
    std::vector<LaneUse> uses() const;
    std::optional<LaneUse> use(std::uint32_t lane) const;
    // Every lane there is, spare and poisoned ones too, in order of id.
    std::vector<LaneFile> files() const;
    // What the file system says the lane takes.
    void set_allocated(std::uint32_t lane, std::uint64_t bytes) noexcept;
    // The log says that a sealed lane is unlinked.
    void retire(std::uint32_t lane) noexcept;

    // Fills up the spares, on `environment.background`.
    void prepare_spares();
    // Frontiers of free lanes, and what was sealed since the start.
    std::vector<LaneStateRecord> closing_records() const;
    void stop() noexcept;

    LaneStats stats() const;

private:
    struct Lane {
        State state = State::spare;
        LanePhase recorded = LanePhase::none;  // in the log
        std::uint32_t next_page = 1;
        std::uint32_t last_base_page = 0;
        std::uint32_t lease_base_page =
            0;  // while leased or parked: where its upload's record begins
        std::uint64_t allocated_bytes = 0;
        bool held_over =
            false;  // from before the start: what lies behind its upload's mark is unknown
        std::shared_ptr<File> file;
    };
    struct Made {
        ErrorCode error;
        std::uint32_t lane = 0;
        std::shared_ptr<File> file;
    };

    Made make() noexcept;  // blocking
    static Awaitable<void> make_spare(std::shared_ptr<LanePool> self);
    static Awaitable<void> make_into(std::shared_ptr<LanePool> self, std::shared_ptr<Made> made);
    Result<std::shared_ptr<File>> open_file(std::uint32_t lane) noexcept;  // checks the header
    std::uint32_t take_ready();                                            // 0: none
    Result<LaneLease> leased(std::uint32_t id, std::shared_ptr<File> file);
    void set_state(std::uint32_t id, Lane& lane, State state) noexcept;
    void end_lease(std::uint32_t id, Lane& lane) noexcept;
    static LaneUse use_of(std::uint32_t id, const Lane& lane) noexcept;

    StoreEnvironment environment_;
    const StoreOptions options_;
    IdBlocks& ids_;
    StoreIdentity identity_;
    std::uint64_t incarnation_ = 0;
    std::uint64_t target_bytes_ = 0;
    bool sync_ = true;
    std::array<Gauge*, 6> gauges_{};

    mutable std::mutex mutex_;
    bool stopped_ = false;
    std::map<std::uint32_t, Lane> lanes_;
    std::set<std::pair<std::uint32_t, std::uint32_t>> free_;  // {next page, lane}
    std::set<std::uint32_t> spares_;
    std::uint32_t preparing_ = 0;
    std::uint32_t writing_ = 0;
    std::array<std::uint64_t, 6> counts_{};
};

}  // namespace orbitalreg::cas
