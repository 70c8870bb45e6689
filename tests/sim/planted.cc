#include "sim/planted.h"

#include "base/planted_bug.h"

#include <cstring>

namespace orbitalreg {

const char* planted_bug_name = "";

bool planted(const char* name) noexcept { return std::strcmp(name, planted_bug_name) == 0; }

namespace sim {

const std::vector<PlantedBug>& planted_bugs() {
    static const std::vector<PlantedBug> bugs{
        {"ack_before_durable", "a request is answered before its frame is written"},
        {"adopted_unasked",
         "a blob that is here is shown under a name that the upstream does not have it under"},
        {"apply_twice", "replay applies each frame twice"},
        {"awaited_child_forgotten",
         "what a fetched manifest refers to is not held when it arrives"},
        {"collect_without_recheck",
         "collection deletes what it found earlier, whatever happened since"},
        {"conflicting_requests_in_frame", "two requests with conflicting keys share a frame"},
        {"dedupe_keeps_damaged_copy", "bytes pushed again do not replace the damaged ones"},
        {"forget_lease", "a client is told that a blob exists, and nothing is written down"},
        {"fetched_manifest_unverified",
         "an upstream's manifest is kept whatever digest it was asked for by"},
        {"flight_begins_anew", "what was marked of a transfer is not gone on with"},
        {"flight_never_marked", "a transfer from an upstream has no marks"},
        {"flight_range_taken_for_granted",
         "a transfer that begins anew is taken for one that goes on"},
        {"flight_tail_given_out",
         "the last bytes of a transfer are handed out before the whole is verified"},
        {"fuzzy_image", "a checkpoint has each row as it is when the walk comes by"},
        {"eio_marks_damaged", "a read that the device refuses marks the blob damaged"},
        {"frame_skipped_at_segment_end",
         "replay goes over the frame that follows the end of a segment"},
        {"id_reused_under_weak_edge",
         "links stay when their blob goes, and name whatever gets its id"},
        {"ignore_chunk_seed", "pieces are served whatever their chunk sums say"},
        {"ignore_frame_chain", "recovery goes on behind a frame that is missing"},
        {"lane_offset_reused_after_cancel",
         "the offsets of an upload that ended are handed out again"},
        {"mark_ahead_of_bytes",
         "a mark is committed before the bytes it covers are written and synced"},
        {"open_chunk_resummed_at_resume",
         "a resumed upload sums the open chunk from what it reads back"},
        {"pin_after_lookup", "a reader's look-up leaves the extent without a pin"},
        {"pull_times_lost_at_flush", "pulls are forgotten when they are written"},
        {"punch_to_end_of_lease", "compaction punches what an upload is writing"},
        {"punch_under_pin", "compaction punches what a reader still reads"},
        {"punch_without_identity_check",
         "a row is missed and the records in the range are not asked who they are"},
        {"recheck_skipped_before_retention_delete",
         "retention deletes what it judged, whatever happened since"},
        {"recycle_segment_with_live_blobs",
         "a log segment that a blob still lies in is given back"},
        {"retry_failed_fsync", "a failed durable write is tried again and believed"},
        {"rotten_opened_frame",
         "recovery takes a damaged `opened` frame for the tail, whatever lies behind it"},
        {"segments_freed_early",
         "covered log segments go before the superblock names the checkpoint"},
        {"skip_directory_sync", "a log segment is used before its name is durable"},
        {"skip_lane_directory_sync", "a lane is used before its name is durable"},
        {"skip_lane_sync", "a blob is committed without a sync of its lane"},
        {"superblock_before_checkpoint",
         "the superblock names a checkpoint that is not synced yet"},
        {"tag_never_asked_again", "a tag of an upstream stays as it was first seen"},
        {"tail_dropped_at_mark", "a mark forgets the bytes behind the last full page"},
        {"trust_torn_frame", "recovery does not compare the sum of a frame's payload"},
        {"two_flights_of_one_digest", "a blob is transferred once for each who asks for it"},
        {"untagged_at_forgotten", "when a manifest lost its last tag is not noted"},
        {"untagged_at_forgotten_by_checkpoint",
         "when a manifest lost its last tag is not in a checkpoint"},
        {"wall_clock_for_grace", "the grace is measured by the wall clock"},
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
