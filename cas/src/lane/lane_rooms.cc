#include "lane/lane_rooms.h"

#include "base/assert.h"
#include "cas/errors.h"
#include "lane/lane_records.h"

#include <algorithm>

namespace orbitalreg::cas {
namespace {

constexpr std::size_t kWidePiece = 1_MiB;

Awaitable<void> renew(std::shared_ptr<LaneRooms> rooms, IdKind kind) {
    const auto renewed = co_await rooms->ids.renew(kind, *rooms->log);
    if (!renewed && renewed.error() != Errc::stopped) {
        rooms->environment.log.warn("cannot take a block of ids",
                                    {{"error", renewed.error().message()}});
    }
    rooms->end_work();
}

Awaitable<void> commit_lane_state(std::shared_ptr<LaneRooms> rooms, LaneStateRecord state) {
    Group group;
    group.records.push_back(encode_record(state));
    const auto committed = co_await rooms->log->commit(std::move(group));
    if (committed) {
        rooms->pool->set_recorded(state);
        rooms->blobs.space().touch_lane(state.lane);
    } else {
        rooms->environment.log.warn("cannot record the state of a lane",
                                    {{"lane", state.lane}, {"error", committed.error().message()}});
    }
    rooms->end_work();
}

}  // namespace

LaneRooms::LaneRooms(StoreEnvironment env, const StoreOptions& store_options,
                     BlobTable& table_of_blobs, MemoryLedger& memory)
    : environment{std::move(env)},
      options{store_options},
      blobs{table_of_blobs},
      ledger{memory},
      sync{options.durability == Durability::full},
      uploads{blobs},
      pool{std::make_shared<LanePool>(environment, options, ids)},
      push_buffers{std::make_shared<BufferPool>(ledger, MemoryShare::push_buffers,
                                                options.write_size_bytes)},
      first_buffers{std::make_shared<BufferPool>(ledger, MemoryShare::push_buffers, kChunkSize)},
      pull_buffers{std::make_shared<BufferPool>(ledger, MemoryShare::pull_buffers, kChunkSize)},
      wide_buffers{std::make_shared<BufferPool>(ledger, MemoryShare::pull_buffers, kWidePiece)},
      small_blobs{ledger, MemoryShare::small_blob_cache},
      sum_pages{ledger, MemoryShare::chunk_table_cache},
      files{environment.io} {
    ORB_ASSERT(options.inline_size_max_bytes <= kChunkSize);
    ORB_ASSERT(options.write_size_bytes % kPageSize == 0);
    idle.set();
    Metrics& metrics = environment.metrics;
    upload_bytes = &metrics.counter("upload_bytes_total", "Bytes received for blobs.");
    bytes_written = &metrics.counter("lane_bytes_written_total", "Bytes written to lanes.");
    damaged_reads =
        &metrics.counter("damaged_reads_total", "Reads whose bytes failed their checksum twice.");
    uploads_forgotten = &metrics.counter(
        "uploads_forgotten_total", "Ends of uploads forgotten early, beyond uploads_closed_max.");
    uploads_open = &metrics.gauge("uploads_open", "Upload sessions with a durable mark.");
    leases = &metrics.counter("gc_leases_total", "Leases written for unreferenced blobs.");
}

IoQueue& LaneRooms::queue_of(const asio::any_io_executor& executor) const noexcept {
    const asio::execution_context& context = asio::query(executor, asio::execution::context);
    for (const ReactorQueue& reactor : queues) {
        if (reactor.context == &context) return *reactor.queue;
    }
    ORB_ASSERT(queues.size() == 1);  // else the caller runs on no reactor of the store
    return *queues.front().queue;
}

BulkGate& LaneRooms::gate_of(const IoQueue& queue) const noexcept {
    const auto found = std::ranges::find_if(
        queues, [&queue](const ReactorQueue& reactor) { return reactor.queue.get() == &queue; });
    ORB_ASSERT(found != queues.end());
    return *found->gate;
}

Result<void> LaneRooms::writable() const noexcept {
    if (stopped) return fail(Errc::stopped);
    if (log == nullptr || options.read_only || log->read_only()) return fail(Errc::read_only);
    return ok();
}

void LaneRooms::poison_lane(std::uint32_t lane) noexcept {
    pool->poison(lane);
    environment.log.error("lane poisoned: it is read from, but never written to again",
                          {{"lane", lane}});
    LaneStateRecord state{.lane = lane, .phase = LanePhase::poisoned};
    {
        const std::lock_guard lock{table_mutex};
        if (const auto row = table.rows().find(lane); row != table.rows().end()) {
            state.last_base_page = row->second.last_base_page;
        }
    }
    state.frontier_page = pool->next_page(lane);
    record_lane_state(state);
}

void LaneRooms::release_lane(std::uint32_t lane, std::uint32_t end_page,
                             std::uint32_t last_base_page) noexcept {
    blobs.space().touch_lane(lane);
    if (const auto sealed = pool->release(lane, end_page, last_base_page)) {
        record_lane_state(*sealed);
    }
}

void LaneRooms::record_lane_state(const LaneStateRecord& state) noexcept {
    if (stopped || log == nullptr) return;
    begin_work();
    asio::co_spawn(environment.reactors.front(), commit_lane_state(shared_from_this(), state),
                   asio::detached);
}

void LaneRooms::renew_ids(IdKind kind) {
    if (stopped || log == nullptr || !ids.wants_renewal(kind)) return;
    begin_work();
    asio::co_spawn(environment.reactors.front(), renew(shared_from_this(), kind), asio::detached);
}

std::uint64_t LaneRooms::next_uid() noexcept {
    const std::uint64_t uid = ids.next(IdKind::uid);
    // Half a block, 2^19 ids, is far more than the requests that can be waiting while its successor
    // is committed.
    ORB_ASSERT(uid != 0);
    renew_ids(IdKind::uid);
    return uid;
}

void LaneRooms::report_damage(const BlobView& blob) noexcept {
    damaged_reads->add();
    if (on_damage) on_damage(blob);
}

void LaneRooms::begin_work() noexcept {
    const std::lock_guard lock{work_mutex};
    if (work++ == 0) idle.reset();
}

void LaneRooms::end_work() noexcept {
    bool last = false;
    {
        const std::lock_guard lock{work_mutex};
        last = --work == 0;
    }
    if (last) idle.set();
}

Awaitable<void> LaneRooms::wait_for_work() {
    for (;;) {
        co_await idle.wait();
        const std::lock_guard lock{work_mutex};
        if (work == 0) co_return;
    }
}

}  // namespace orbitalreg::cas
