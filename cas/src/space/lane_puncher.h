#pragma once
// LanePuncher gives the dead ranges of one lane back to the file system. Punching is the only act that can destroy
// acknowledged bytes, so each range must pass three witnesses that do not know of each other: the map made from the
// rows (LiveMap), the records in the range itself (RecordWalk), and the link count of the file, since a hole would
// reach through a hard link into somebody's backup.
//
//   candidates ──> map ──> sum of the rows ──> link count ──> records ──> holes, 16 MiB at a time
//                   │            │                 │              └── somebody is live: refused
//                   └────────────┴── refused       └── deferred
//
// Refused: the lane is poisoned, which means read only and never punched, and the alarm is raised.
//
// Life     one for each lane and round; punch() once.
// Durable  nothing: a hole that a power cut undoes is made again.
// Threads  the background executor; blocking calls, one slice at a time.
// Errors   none: what went wrong is in the outcome and the log.

#include "io/pacer.h"
#include "lane/lane_rooms.h"
#include "space/live_map.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace orbitalreg::cas {

struct PunchOutcome {
    enum class Kind : std::uint8_t { punched, nothing, deferred, refused };
    Kind kind = Kind::nothing;
    std::uint64_t bytes = 0;
    // All that is dead was given back: for the next round, which looks at the rest only.
    bool complete = false;
    std::vector<PageRange> dead;
};

class LanePuncher {
public:
    // `use` is what the pool said of the lane before `map` was made; `given_back`: what was punched in this run.
    LanePuncher(LaneRooms& rooms, Pacer& pacer, const LaneUse& use,
                std::vector<PageRange> given_back);

    Awaitable<PunchOutcome> punch(std::shared_ptr<LiveMap> map);

private:
    bool map_is_sound(LiveMap& map);
    Result<bool> open();
    Awaitable<Result<bool>> nobody_lives_in(PageRange range);
    Awaitable<Result<void>> punch_range(PageRange range);
    bool stopped() const noexcept;
    void refuse(std::string reason, std::uint32_t page);
    void finish();

    LaneRooms& rooms_;
    Pacer& pacer_;
    const LaneUse use_;
    std::vector<PageRange> given_back_;
    std::unique_ptr<File> file_;
    PunchOutcome outcome_;
};

}  // namespace orbitalreg::cas
