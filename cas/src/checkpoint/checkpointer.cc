#include "checkpoint/checkpointer.h"

#include "base/assert.h"
#include "base/errors.h"
#include "base/planted_bug.h"
#include "cas/errors.h"
#include "checkpoint/checkpoint_files.h"
#include "io/woken_by.h"

#include <boost/asio/bind_cancellation_slot.hpp>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace orbitalreg::cas {
namespace {

constexpr std::uint64_t kIntervalMax = 4_GiB;
constexpr std::uint64_t kIntervalMin = 1_GiB;  // or a share of a small file system
constexpr std::uint64_t kFileSystemShare = 32;
constexpr std::uint64_t kHourlyShare = 16;  // of the interval: less is not worth a checkpoint
constexpr std::int64_t kSliceNs = 100'000;
constexpr std::uint32_t kRowsBetweenClocks = 64;
constexpr std::uint64_t kSideShare = 16;  // of the memory limit

bool lacks_space(const ErrorCode& error) noexcept {
    return error == errno_code(ENOSPC) || error == errno_code(EDQUOT);
}

std::uint64_t size_of_file_system(Io& io) noexcept {
    const auto space = io.space();
    return space ? space.value().total_bytes : 0;
}

}  // namespace

Checkpointer::Checkpointer(StoreEnvironment environment, const StoreOptions& options, Parts parts,
                           const Start& start)
    : environment_{std::move(environment)},
      options_{options},
      parts_{std::move(parts)},
      pacer_{environment_.clock, 0, &parts_.scheduler},
      tables_{parts_.target.checkpoint_tables()},
      side_bytes_max_{options.checkpoint_side_bytes_max != 0
                          ? options.checkpoint_side_bytes_max
                          : options.memory_limit_bytes / kSideShare},
      file_system_bytes_{size_of_file_system(environment_.io)},
      made_total_{environment_.metrics.counter("checkpoints_total", "Checkpoints made.")},
      failed_total_{environment_.metrics.counter("checkpoint_failures_total",
                                                 "Checkpoints that were given up.")},
      size_gauge_{environment_.metrics.gauge("checkpoint_bytes",
                                             "Size of one copy of the last checkpoint.")},
      seconds_{environment_.metrics.histogram("checkpoint_seconds",
                                              "Time from fixing C to the superblock.")},
      log_bytes_{start.log_bytes},
      next_id_{start.next_id} {
    set_interval(start.last_size_bytes);
    idle_.set();
}

void Checkpointer::set_interval(std::uint64_t last_size_bytes) {
    last_size_bytes_ = last_size_bytes;
    size_gauge_.set(static_cast<std::int64_t>(last_size_bytes));
    std::uint64_t interval = options_.checkpoint_interval_bytes;
    if (interval == 0) {
        const std::uint64_t least =
            std::min<std::uint64_t>(kIntervalMin, file_system_bytes_ / kFileSystemShare);
        interval = std::clamp<std::uint64_t>(2 * last_size_bytes, least, kIntervalMax);
    }
    interval_bytes_ = std::max<std::uint64_t>(interval, 1);
}

// --- when ---

bool Checkpointer::due() const noexcept {
    return log_bytes_ >= std::max(interval_bytes_.load(), retry_at_bytes_.load());
}

// A target without tables for the catalog cannot do without the frames that made it.
void Checkpointer::start() {
    if (tables_.empty() || tables_.back()->number() < kFirstCatalogTable) return;
    stopped_ = false;
    grown(0);
}

void Checkpointer::grown(std::uint64_t bytes) noexcept {
    log_bytes_ += bytes;
    if (stopped_) return;
    if (due()) {
        if (wanted_.exchange(true)) return;
        asio::co_spawn(environment_.background, run_due(shared_from_this()), asio::detached);
    } else if (bytes != 0 && !hourly_armed_.exchange(true)) {
        auto waker = std::make_shared<HourlyWaker>();
        asio::co_spawn(environment_.background, run_hourly(shared_from_this(), waker),
                       WokenBy{waker->signal.slot()});
    }
}

Awaitable<void> Checkpointer::run_due(std::shared_ptr<Checkpointer> self) {
    if (!self->stopped_ && self->due()) {
        const auto made = co_await make_here(self);
        static_cast<void>(made);  // said in the log
    }
    self->wanted_ = false;
}

// Armed by the first frame behind C, and again by the next one after it has run.
Awaitable<void> Checkpointer::run_hourly(std::shared_ptr<Checkpointer> self,
                                         std::shared_ptr<HourlyWaker> waker) {
    co_await asio::this_coro::throw_if_cancelled(false);
    self->hourly_ =
        waker;  // one that ends at once leaves its slot to a last handler, which looks at it
    if (self->stopped_) co_return;
    waker->started = true;
    Clock& clock = self->environment_.clock;
    const std::int64_t until_ns =
        clock.steady_ns() + self->options_.checkpoint_after_ms * 1'000'000;
    co_await clock.sleep_until(until_ns);
    self->hourly_armed_ = false;
    const std::uint64_t worth = self->interval_bytes_ / kHourlyShare;
    if (self->stopped_ || self->log_bytes_ < std::max(worth, self->retry_at_bytes_.load())) {
        co_return;
    }
    const auto made = co_await make_here(self);
    static_cast<void>(made);  // said in the log
}

Awaitable<void> Checkpointer::stop() {
    co_await asio::co_spawn(environment_.background, stop_here(shared_from_this()),
                            asio::use_awaitable);
}

Awaitable<void> Checkpointer::stop_here(std::shared_ptr<Checkpointer> self) {
    if (self->stopped_.exchange(true)) co_return;
    if (self->hourly_ != nullptr && self->hourly_->started) {
        self->hourly_->signal.emit(asio::cancellation_type::terminal);
    }
    co_await self->idle_.wait();
    const bool worth = self->log_bytes_ >= self->options_.checkpoint_at_stop_bytes;
    if (!worth || self->parts_.read_only.on()) co_return;
    const auto made = co_await make_here(self);
    static_cast<void>(made);  // said in the log
}

Awaitable<Result<void>> Checkpointer::make_now() {
    if (stopped_) co_return fail(Errc::stopped);
    const auto error = std::make_shared<ErrorCode>();
    // Whoever waits for it may be woken to stop; a checkpoint that is being made goes on to its end. And Asio hands a
    // cancellation on by a bare pointer, that a checkpoint which just ended would leave dangling: so none is handed on.
    co_await asio::co_spawn(
        environment_.background, make_into(shared_from_this(), error),
        asio::bind_cancellation_slot(asio::cancellation_slot{}, asio::use_awaitable));
    if (*error) co_return fail(*error);
    co_return ok();
}

Awaitable<void> Checkpointer::make_into(std::shared_ptr<Checkpointer> self,
                                        std::shared_ptr<ErrorCode> error) {
    const auto made = co_await make_here(self);
    if (!made) *error = made.error();
}

Awaitable<Result<void>> Checkpointer::make_here(std::shared_ptr<Checkpointer> self) {
    if (self->making_) {
        co_await self->idle_.wait();
        if (self->last_error_) co_return fail(self->last_error_);
        co_return ok();
    }
    if (self->parts_.read_only.on()) co_return fail(Errc::read_only);
    self->making_ = true;
    self->idle_.reset();
    const auto made = co_await self->make();
    if (!made) self->note_failure(made.error());
    self->last_error_ = made ? ErrorCode{} : made.error();
    self->making_ = false;
    self->idle_.set();
    co_return made;
}

void Checkpointer::note_failure(const ErrorCode& error) {
    failed_total_.add();
    const std::uint64_t more = std::max<std::uint64_t>(interval_bytes_ / kHourlyShare, kPageSize);
    retry_at_bytes_ = log_bytes_ + more;
    environment_.log.warn("a checkpoint was given up; the one before it stays",
                          {{"error", error.message()}, {"retry_after_log_bytes", more}});
}

// --- how ---

// Once more after the reserve was given up, when there is no space.
Result<void> Checkpointer::with_reserve(const std::function<Result<void>()>& work) {
    const auto done = work();
    if (done || !lacks_space(done.error()) || !parts_.give_up_reserve()) return done;
    return work();
}

Awaitable<Result<void>> Checkpointer::make() {
    const std::int64_t begun_ns = environment_.clock.steady_ns();
    CheckpointWriter writer{environment_.io, parts_.identity, options_.durability};
    CheckpointHeader header;
    CheckpointName name;
    header.id = next_id_++;
    const auto written = co_await make_files(writer, header, name);
    const auto ended = co_await parts_.sequencer.between_frames([this] { end_walk(); });
    if (!written || !ended) {
        writer.abandon();
        co_return written ? ended : written;
    }
    if (ORB_PLANTED(segments_freed_early)) {
        co_await parts_.free_segments(header.replay_segment);
    }
    const auto taken = co_await take_over(header, name);
    if (!taken) co_return taken;
    const std::int64_t took_ns = environment_.clock.steady_ns() - begun_ns;
    made_total_.add();
    seconds_.observe_ns(took_ns);
    set_interval(name.size_bytes);
    environment_.log.info("checkpoint made", {{"checkpoint", name.id},
                                              {"lsn", name.lsn},
                                              {"rows", writer.rows()},
                                              {"bytes", name.size_bytes},
                                              {"milliseconds", took_ns / 1'000'000}});
    co_return ok();
}

void Checkpointer::fix(CheckpointHeader& header) {
    const ChainEnd& end = parts_.chain_end();
    header.lsn = end.lsn;
    header.incarnation = end.incarnation;
    header.store_time_ms = end.store_time_ms;
    header.wall_ns = end.wall_ns;
    header.frame_checksum = end.prev;
    header.replay_segment = end.position.segment;
    header.replay_page = static_cast<std::uint32_t>(end.position.offset / kPageSize);
    header.uuid = parts_.identity.uuid;
    bytes_at_c_ = log_bytes_;
    walking_ = true;
    for (CheckpointTable* table : tables_) table->begin_walk();
}

void Checkpointer::end_walk() {
    parts_.sequencer.hold_frames(false);
    if (!std::exchange(walking_, false)) return;
    for (CheckpointTable* table : tables_) table->end_walk();
    side_bytes_ = 0;
}

Awaitable<Result<void>> Checkpointer::make_files(CheckpointWriter& writer, CheckpointHeader& header,
                                                 CheckpointName& name) {
    ORB_CO_TRY(co_await parts_.sequencer.between_frames([&] { fix(header); }));
    ORB_CO_TRY(with_reserve([&] { return writer.begin(header); }));
    for (CheckpointTable* table : tables_) {
        ORB_CO_TRY(co_await write_table(writer, *table));
    }
    // What changes from now on is no business of this checkpoint's.
    ORB_CO_TRY(co_await parts_.sequencer.between_frames([this] { end_walk(); }));
    ORB_CO_TRY(with_reserve([&]() -> Result<void> {
        ORB_TRY(name, writer.finish());
        return ok();
    }));
    if (ORB_PLANTED(superblock_before_checkpoint)) {
        ORB_CO_TRY(parts_.name(header, name));
    }
    ORB_CO_TRY(writer.sync());
    co_return co_await read_back(name);
}

Awaitable<Result<void>> Checkpointer::write_table(CheckpointWriter& writer,
                                                  CheckpointTable& table) {
    RowBatch rows;
    for (bool more = true; more;) {
        rows.clear();
        while (more && rows.bytes().size() < options_.checkpoint_block_bytes) {
            ORB_CO_TRY(
                co_await parts_.sequencer.between_frames([&] { more = slice(table, rows); }));
        }
        if (rows.rows() == 0) continue;
        const std::uint64_t before = writer.size_bytes();
        ORB_CO_TRY(with_reserve([&] { return writer.add(table.number(), rows); }));
        // Not while old images pile up: commits would wait for the walk.
        if (side_bytes_ <= side_bytes_max_ / 2) {
            co_await pacer_.take(2 * (writer.size_bytes() - before));
        }
    }
    co_return ok();
}

// One stretch of the walk, of 100 us; without an end while old images take too much memory. False at the table's end.
bool Checkpointer::slice(CheckpointTable& table, RowBatch& rows) {
    std::uint64_t side_bytes = 0;
    for (const CheckpointTable* each : tables_) side_bytes += each->side_bytes();
    side_bytes_ = side_bytes;
    // The next step comes at once then: nothing changes before the walk has caught up.
    if (side_bytes > side_bytes_max_) parts_.sequencer.hold_frames(true);
    if (side_bytes < side_bytes_max_ / 2) parts_.sequencer.hold_frames(false);
    const std::int64_t until_ns = environment_.clock.steady_ns() + kSliceNs;
    std::uint32_t left = std::max<std::uint32_t>(options_.checkpoint_slice_rows, 1);
    while (left != 0) {
        const std::uint32_t stretch = std::min(left, kRowsBetweenClocks);
        if (!table.walk(rows, stretch, options_.checkpoint_block_bytes)) return false;
        left -= stretch;
        const bool full = rows.bytes().size() >= options_.checkpoint_block_bytes;
        if (full || environment_.clock.steady_ns() >= until_ns) break;
    }
    return true;
}

// Both copies as the device has them, whole.
Awaitable<Result<void>> Checkpointer::read_back(const CheckpointName& name) {
    using Copies = CheckpointReader::Copies;
    for (const Copies copy : {Copies::only_a, Copies::only_b}) {
        CheckpointReader reader{environment_.io, parts_.identity, name, {.copies = copy}};
        ORB_CO_TRY(reader.open());
        for (bool more = true; more;) {
            ORB_CO_TRY(const auto block, reader.next());
            more = block.has_value();
            if (more) co_await pacer_.take(block->header.size_bytes());
            // Other work of this executor comes in between.
            co_await asio::post(environment_.background, asio::use_awaitable);
        }
    }
    co_return ok();
}

// The files are durable and sound.
Awaitable<Result<void>> Checkpointer::take_over(CheckpointHeader header, CheckpointName name) {
    if (parts_.read_only.on()) co_return fail(Errc::read_only);
    ORB_CO_TRY(parts_.name(header, name));
    log_bytes_ -= bytes_at_c_;
    retry_at_bytes_ = 0;
    const auto removed = remove_other_checkpoints(environment_.io, name.id);
    if (!removed) {
        environment_.log.warn("old checkpoints are not removed",
                              {{"error", removed.error().message()}});
    }
    co_await parts_.free_segments(header.replay_segment);
    co_return ok();
}

}  // namespace orbitalreg::cas
