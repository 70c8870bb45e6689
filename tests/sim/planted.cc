#include "sim/planted.h"

#include <cstring>

#include "base/planted_bug.h"

namespace orbitalreg {

const char* planted_bug_name = "";

bool planted(const char* name) noexcept { return std::strcmp(name, planted_bug_name) == 0; }

namespace sim {

const std::vector<PlantedBug>& planted_bugs() {
    static const std::vector<PlantedBug> bugs{
        {"acknowledge_before_durable", "a request is answered before its frame is written"},
        {"skip_lane_sync", "a blob is committed without a sync of its lane"},
        {"ignore_chunk_seed", "chunk sums are not bound to identity and position"},
        {"apply_twice", "the live state applies a reference twice"},
        {"trust_torn_frame", "recovery does not compare the sum of a frame's payload"},
        {"drop_tail_at_mark", "a mark forgets the bytes behind the last full page"},
        {"reuse_lane_offset", "a cancelled upload's offsets are handed out again"},
        {"conflicts_share_frame", "two requests with conflicting keys share a frame"},
        {"ignore_frame_chain", "recovery goes on behind a frame that is missing"},
        {"skip_directory_sync", "a new file is used before its name is durable"},
        {"mark_ahead_of_bytes", "a mark is committed before the bytes it covers are synced"},
        {"retry_failed_sync", "a failed sync is tried again and believed"},
        {"resum_open_chunk", "a resumed upload sums the open chunk from what it reads back"},
    };
    return bugs;
}

bool plant(std::string_view name) {
    planted_bug_name = "";
    if (name.empty()) return true;
    for (const PlantedBug& bug : planted_bugs()) {
        if (name == bug.name) {
            planted_bug_name = bug.name;
            return true;
        }
    }
    return false;
}

}  // namespace sim
}  // namespace orbitalreg
