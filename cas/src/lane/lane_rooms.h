#pragma once
// LaneRooms is what the parts of this room share: the state that frames change, the pools, the
// queues, the metrics.
//
// Life     made by Lanes; writers, readers and work on the way hold it too, since it is not known
//          who ends last.
// Threads  each part has its own rules; the plain fields are set while the store opens.

#include "base/event.h"
#include "cas/store.h"
#include "format/lane_record.h"
#include "io/buffer_pool.h"
#include "lane/bulk_gate.h"
#include "lane/clock_cache.h"
#include "lane/id_blocks.h"
#include "lane/lane_files.h"
#include "lane/lane_pool.h"
#include "lane/lane_table.h"
#include "lane/upload_table.h"
#include "log/commit_log.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace orbitalreg::cas {

struct LaneRooms : std::enable_shared_from_this<LaneRooms> {
    LaneRooms(StoreEnvironment environment, const StoreOptions& options, BlobTable& blobs,
              MemoryLedger& ledger);

    // The queue of the reactor that `executor` belongs to.
    IoQueue& queue_of(const asio::any_io_executor& executor) const noexcept;
    // Of the reactor that has this queue.
    BulkGate& gate_of(const IoQueue& queue) const noexcept;
    // No writes any more, and the log shall know.
    void poison_lane(std::uint32_t lane) noexcept;
    // The lease of the lane ends, as in LanePool; a seal is recorded.
    void release_lane(std::uint32_t lane, std::uint32_t end_page,
                      std::uint32_t last_base_page) noexcept;
    // A uid for a new upload or an inline blob; renews the block in the background.
    std::uint64_t next_uid() noexcept;
    void renew_ids(IdKind kind);
    // Errc::stopped, read_only: whether a writer may begin.
    Result<void> writable() const noexcept;
    void report_damage(const BlobView& blob) noexcept;
    // In a frame of its own, some time later; what is not recorded by then is at a clean stop.
    void record_lane_state(const LaneStateRecord& state) noexcept;

    // Writers, closings and housekeeping that stop() waits for.
    void begin_work() noexcept;
    void end_work() noexcept;
    Awaitable<void> wait_for_work();

    StoreEnvironment environment;
    const StoreOptions options;
    BlobTable& blobs;
    MemoryLedger& ledger;
    const bool sync;  // Durability::full

    CommitLog* log = nullptr;
    StoreIdentity identity;
    std::function<void(const BlobView&)> on_damage;

    mutable std::mutex table_mutex;
    LaneTable table;
    UploadTable uploads;
    IdBlocks ids;
    std::shared_ptr<LanePool> pool;

    std::shared_ptr<BufferPool> push_buffers;  // StoreOptions::write_size_bytes each
    std::shared_ptr<BufferPool>
        first_buffers;  // of the push share too: the first bytes of an upload
    std::shared_ptr<BufferPool> pull_buffers;  // one chunk each
    std::shared_ptr<BufferPool> wide_buffers;  // of the pull share too: 1 MiB each
    ClockCache small_blobs;
    ClockCache sum_pages;
    LaneFiles files;

    struct ReactorQueue {
        const asio::execution_context* context = nullptr;
        std::unique_ptr<IoQueue> queue;
        std::unique_ptr<BulkGate> gate;
    };
    std::vector<ReactorQueue> queues;

    std::atomic<bool> stopped{false};
    std::atomic<std::uint32_t> rehashing{0};
    std::mutex work_mutex;
    std::uint64_t work = 0;
    Event idle;
    // Wakes the housekeeper from its sleep; of the background executor alone.
    struct HousekeepingWaker {
        asio::cancellation_signal signal;
        bool started = false;
    };
    std::shared_ptr<HousekeepingWaker> housekeeping;

    // No session without a mark may make one. Any thread.
    bool uploads_full() const { return uploads.open_count() >= options.uploads_open_max; }

    Counter* upload_bytes = nullptr;
    Counter* bytes_written = nullptr;
    Counter* damaged_reads = nullptr;
    Counter* uploads_forgotten = nullptr;
    Gauge* uploads_open = nullptr;
    Counter* leases = nullptr;
};

}  // namespace orbitalreg::cas
