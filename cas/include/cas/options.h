#pragma once
// StoreOptions: every limit of cas, with unit and default. The defaults are those of a production store; tests and
// the simulator make them tiny.

#include "base/bytes.h"

#include <cstdint>

namespace orbitalreg::cas {

enum class Durability : std::uint8_t {
    full,  // a change is acknowledged when its frame is on stable storage
    none,  // for throw-away caches: nothing is synced
};

struct StoreOptions {
    Durability durability = Durability::full;
    bool read_only = false;  // shared lock, no recovery writes; every change is refused

    // Used when a store is made; afterwards the superblock's values hold.
    std::uint64_t log_segment_size_bytes =
        0;  // 0: file system / 256, within 4 MiB and 64 MiB; a multiple of 4 KiB
    std::uint64_t lane_target_bytes = 1_GiB;

    std::uint64_t inline_size_max_bytes = 64_KiB;  // larger blobs go to a lane; at most 64 KiB
    std::uint64_t blob_size_max_bytes =
        4096_GiB;  // 4 TiB: what 32-bit page numbers of a lane allow with room
    std::uint64_t frame_size_target_bytes =
        4_MiB;  // a frame closes above it; bounded by a quarter of a segment
    std::uint32_t frame_records_max = 8192;
    std::uint64_t group_size_max_bytes = 1_MiB;  // one request; bounded by a quarter of a segment
    std::uint32_t sequencer_queue_max = 65536;   // requests waiting; above it Errc::overloaded
    std::int64_t idle_frame_after_ms = 100;

    // A checkpoint is made when the log has grown by so much since the last one. 0: twice the last checkpoint's size,
    // at least 1 GiB or a thirty-second of the file system, at most 4 GiB.
    std::uint64_t checkpoint_interval_bytes = 0;
    // Then a sixteenth of that is enough.
    std::int64_t checkpoint_after_ms = 3600 * 1000LL;
    // So much makes one worth while when the store stops.
    std::uint64_t checkpoint_at_stop_bytes = 1_MiB;
    std::uint64_t checkpoint_block_bytes = 256_KiB;  // rows of a block, before compression
    std::uint32_t checkpoint_slice_rows = 4096;      // walked between two frames, in 100 us at most
    std::uint64_t checkpoint_side_bytes_max = 0;  // old images of rows; 0: 1/16 of the memory limit

    std::uint32_t lanes_writing_max = 256;
    std::uint32_t lanes_spare = 2;  // prepared ahead, so that no upload waits for a directory sync
    std::uint32_t segments_spare = 2;
    std::uint64_t lane_step_min_bytes = 1_MiB;  // fallocate steps double from here
    std::uint64_t lane_step_max_bytes = 64_MiB;
    std::uint32_t lane_writes_in_flight_max = 8;  // per upload, 256 KiB each
    std::uint64_t write_size_bytes = 256_KiB;

    // Bulk and background I/O give way while durable writes of the log take longer; 0: never.
    std::int64_t commit_target_us = 2000;
    std::int64_t compaction_interval_ms = 60'000;       // 0: only when asked
    std::uint64_t compaction_rate_bytes_per_s = 1_GiB;  // of the background; 0: without a bound
    std::uint64_t punch_slice_bytes = 16_MiB;  // a hole at a time: readers of the lane wait for it
    // Bytes that failed their sums stay that long after they were replaced, for whoever wants to look at them.
    std::int64_t damaged_keep_ms = 7 * 24 * 3600 * 1000LL;
    std::uint64_t punch_slack_bytes = 64_KiB;  // dead bytes of a lane that are not worth a round

    // Kept back on disk for deletes and marks; 0: 1 % of the file system, within 4 MiB and 256 MiB.
    std::uint64_t reserve_size_bytes = 0;
    std::uint64_t memory_limit_bytes = 1_GiB;     // shared out by the memory ledger
    std::uint64_t mark_interval_bytes = 256_MiB;  // a running upload is marked at least this often
    std::int64_t uploads_idle_expiry_ms = 24 * 3600 * 1000LL;
    std::uint32_t uploads_open_max = 100'000;      // marked sessions
    std::uint32_t uploads_closed_max = 1'000'000;  // remembered closes
    // How often all references are recounted in the background; a difference is a bug and ends collection.
    std::int64_t recount_interval_ms = 7 * 24 * 3600 * 1000LL;
    std::uint32_t rehash_max = 2;  // sha512 computed from stored bytes, at once

    std::uint64_t scrub_rate_bytes = 0;  // a second; 0: no pass begins of itself
    std::int64_t scrub_full_every_ms = 30 * 24 * 3600 * 1000LL;  // from begin to begin of a pass
    std::uint32_t scrub_digest_every = 4;  // each so many-th pass computes digests; 0: none does
    std::int64_t scrub_position_every_ms = 60'000;   // how often its place is made durable
    std::uint32_t damage_marks_per_minute_max = 16;  // one more stops marking and collection
    std::int64_t gc_grace_ms = 24 * 3600 * 1000LL;   // how long an unreferenced blob stays
    std::int64_t gc_interval_ms = 3600 * 1000;       // between the rounds of collection
    bool gc_paused = false;                          // rounds only when asked for
    std::uint32_t gc_batch_blobs_max = 64;           // deleted in one frame; at most 1 000
    std::uint32_t gc_batch_links_max = 10'000;       // that go with them
    // Half of it while commits are slow; 0: as fast as the log takes them.
    std::uint32_t gc_blobs_per_second = 4'000;
};

}  // namespace orbitalreg::cas
