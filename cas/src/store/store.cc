// Wires the rooms of cas and holds the order in which they start and stop.
#include "cas/store.h"

#include "base/assert.h"
#include "base/hasher.h"
#include "base/planted_bug.h"
#include "collect/collector.h"
#include "collect/lease.h"
#include "index/blob_admission.h"
#include "index/blob_table.h"
#include "index/encoded_digest.h"
#include "io/memory_ledger.h"
#include "lane/lanes.h"
#include "log/commit_log.h"
#include "references/recounter.h"
#include "scrub/damage_marks.h"
#include "scrub/scrub.h"
#include "space/compactor.h"
#include "space/log_limit.h"
#include "space/reserve.h"
#include "space/space_report.h"
#include "space/space_watch.h"
#include "store/store_state.h"

#include <array>
#include <utility>

namespace orbitalreg::cas {
namespace {

constexpr std::array kMemoryShares{
    MemoryShare::push_buffers,          MemoryShare::pull_buffers,
    MemoryShare::small_blob_cache,      MemoryShare::chunk_table_cache,
    MemoryShare::checkpoint_side_table, MemoryShare::metadata};
static_assert(kMemoryShares.size() == MemoryLedger::kShares);

BlobStat stat_of(const BlobView& blob) noexcept {
    return {blob.id, blob.extent.size_bytes, blob.references, blob.damaged};
}

class StoreOfRooms final : public Store {
public:
    StoreOfRooms(StoreEnvironment environment, const StoreOptions& options, CatalogMachine& catalog)
        : environment_{std::move(environment)},
          ledger_{options.memory_limit_bytes},
          reserve_{
              std::make_shared<Reserve>(environment_.io, environment_.clock, environment_.log)},
          lanes_{environment_, options, blobs_, ledger_},
          state_{blobs_, lanes_, catalog, deletions_},
          grace_{options},
          collector_{std::make_shared<Collector>(
              environment_, options, Collector::Parts{blobs_, lanes_, catalog, deletions_})},
          recounter_{std::make_shared<Recounter>(environment_, options, blobs_, catalog)},
          leases_{environment_.metrics.counter("gc_leases_total",
                                               "Leases written for unreferenced blobs.")},
          log_refusals_{environment_.metrics.counter(
              "log_full_refusals_total",
              "Uploads refused because the log was too large and compaction had to catch up.")},
          marks_{std::make_shared<DamageMarks>(environment_.clock, environment_.log,
                                               environment_.metrics, blobs_,
                                               options.damage_marks_per_minute_max)},
          scrub_{std::make_shared<Scrub>(environment_, options, blobs_, state_.scrub(), marks_)} {}

    ~StoreOfRooms() override {
        collector_->abandon();
        recounter_->abandon();
        marks_->abandon();
        scrub_->abandon();
    }

    Result<void> recover(const StoreOptions& options);

    Awaitable<void> stop() override;
    Awaitable<Result<Committed>> submit(Change change) override;

    std::optional<BlobStat> find(const Digest& digest) const noexcept override {
        const auto blob = blobs_.find(digest);
        if (!blob) return std::nullopt;
        return stat_of(*blob);
    }
    std::optional<Digest> digest_of(BlobId id) const noexcept override {
        const auto blob = blobs_.get(id);
        return blob ? std::optional{blob->digest} : std::nullopt;
    }
    Awaitable<Result<BlobStat>> confirm(Digest digest) override;
    Result<std::unique_ptr<BlobReader>> open_blob(const Digest& digest) override {
        auto pinned = blobs_.pin(digest);
        if (!pinned) return fail(Errc::blob_not_found);
        if (ORB_PLANTED(pin_after_lookup)) pinned->pin = Pin{};  // for ever after
        return lanes_.open_blob(std::move(*pinned));
    }

    Collection& collection() noexcept override { return *collector_; }

    Awaitable<Result<std::unique_ptr<BlobWriter>>> begin_blob(
        DigestAlgorithm algorithm, std::optional<std::uint64_t> size_hint) override {
        ORB_CO_TRY(room_for_content());
        co_return co_await lanes_.begin_blob(algorithm, size_hint);
    }
    Awaitable<Result<std::unique_ptr<BlobWriter>>> open_upload(UploadStart start) override {
        ORB_CO_TRY(room_for_content());
        co_return co_await lanes_.open_upload(std::move(start));
    }
    bool uploads_full() const noexcept override { return lanes_.uploads_full(); }
    UploadStatus upload_status(const SessionId& session) const noexcept override {
        return lanes_.upload_status(session);
    }
    Awaitable<Result<void>> cancel_upload(UploadStart start) override {
        return lanes_.cancel_upload(std::move(start));
    }

    Scrubber& scrubber() noexcept override { return *scrub_; }
    std::array<std::byte, 32> derive_key(std::string_view label) const noexcept override {
        return log_->derive_key(label);
    }
    Awaitable<Result<void>> make_checkpoint() override { return log_->make_checkpoint(); }
    std::uint64_t store_time_ms() const noexcept override { return log_->store_time_ms(); }
    StoreStats stats() const override;
    Awaitable<CompactionReport> compact() override { return compactor_->run(); }
    CompactionStatus compaction_status() const override { return compactor_->status(); }
    SpaceReport space(bool files) const override { return report_space(*lanes_.rooms(), files); }

private:
    // Whether new content is admitted: deletes, marks and moves of tags are without asking. Errc::no_space; overloaded while
    // the log is too large and compaction has to catch up.
    Result<void> room_for_content();
    bool log_has_room();
    std::uint64_t log_limit_bytes(const LogStats& log) const {
        return cas::log_limit_bytes(log, log_->segment_size_bytes(), blobs_.space().in_log());
    }
    Result<void> admit(Group& group, Change& change, const FrameContext& frame);
    void publish_metrics();
    std::uint64_t memory_used(MemoryShare share) const;
    void publish_space();

    StoreEnvironment environment_;
    MemoryLedger ledger_;
    std::shared_ptr<Reserve> reserve_;  // also of restores that are on their way
    BlobTable blobs_;
    Lanes lanes_;
    RecentDeletions deletions_;
    StoreState state_;
    const Grace grace_;
    const std::shared_ptr<Collector> collector_;  // shared with its coroutines, as the next
    const std::shared_ptr<Recounter> recounter_;
    Counter& leases_;
    Counter& log_refusals_;
    std::shared_ptr<Compactor> compactor_;  // also of a round under way
    std::shared_ptr<SpaceWatch> space_;     // also of a look under way
    std::shared_ptr<DamageMarks> marks_;  // both also of coroutines that may resume after the store
    std::shared_ptr<Scrub> scrub_;
    std::unique_ptr<CommitLog> log_;  // ends before the state that it applies to
    std::int64_t recovery_ms_ = 0;
};

Result<void> StoreOfRooms::recover(const StoreOptions& options) {
    const std::int64_t start_ns = environment_.clock.steady_ns();
    std::function<bool()> give_up_space;
    if (!options.read_only) {
        reserve_->adopt();
        give_up_space = [reserve = reserve_] { return reserve->give_up(); };
    }
    ORB_TRY(log_, CommitLog::open(environment_, options, state_, std::move(give_up_space)));
    ORB_TRY(lanes_.open(*log_));
    recovery_ms_ = (environment_.clock.steady_ns() - start_ns) / 1'000'000;
    marks_->on_storm = [collector = collector_.get()](std::string reason) {
        collector->halt(std::move(reason));
    };
    marks_->attach(*log_);
    lanes_.on_damage = [this](const BlobView& blob) {
        asio::co_spawn(environment_.background, DamageMarks::mark(marks_, blob), asio::detached);
    };
    if (!options.read_only) {
        // Room for two segments and both copies of a checkpoint somewhat larger than the last.
        const std::uint64_t checkpoint_bytes = 2 * log_->stats().checkpoint_bytes;
        reserve_->open(options.reserve_size_bytes,
                       2 * log_->segment_size_bytes() + checkpoint_bytes + checkpoint_bytes / 8);
    }
    compactor_ = std::make_shared<Compactor>(lanes_.rooms(), &log_->scheduler());
    space_ = std::make_shared<SpaceWatch>(lanes_.rooms());
    if (options.compaction_interval_ms != 0) {
        log_->on_checkpoint([compactor = compactor_.get()] { compactor->nudge(); });
    }
    log_->start();
    lanes_.start();
    compactor_->start();
    scrub_->start(*log_);
    collector_->open(*log_);
    recounter_->on_mismatch = [collector = collector_.get()](std::string reason) {
        collector->halt(std::move(reason));
    };
    if (!options.read_only) {
        collector_->start();
        recounter_->start(*log_);
    }
    publish_metrics();
    return ok();
}

// Old images of rows are not refused when their share is used up, they hold up frames: who walks the tables counts them.
std::uint64_t StoreOfRooms::memory_used(MemoryShare share) const {
    if (share == MemoryShare::checkpoint_side_table) return log_->stats().checkpoint_side_bytes;
    return ledger_.used(share);
}

void StoreOfRooms::publish_metrics() {
    Metrics& metrics = environment_.metrics;
    metrics.gauge_function("blobs", "Blobs stored.", {},
                           [this] { return static_cast<double>(blobs_.size()); });
    metrics.gauge_function("damaged_blobs", "Blobs whose bytes failed their checksum.", {},
                           [this] { return static_cast<double>(blobs_.damaged()); });
    metrics.gauge_function("store_bytes", "Bytes of the store.", {{"kind", "live"}},
                           [this] { return static_cast<double>(blobs_.bytes()); });
    for (const MemoryShare share : kMemoryShares) {
        metrics.gauge_function("memory_bytes", "Memory in use, by share of the limit.",
                               {{"share", std::string{to_string(share)}}},
                               [this, share] { return static_cast<double>(memory_used(share)); });
        metrics.gauge_function("memory_limit_bytes", "What each share of the memory may use.",
                               {{"share", std::string{to_string(share)}}},
                               [this, share] { return static_cast<double>(ledger_.limit(share)); });
    }
    metrics.gauge_function(
        "log_bytes_since_checkpoint", "Bytes of the log that a start would replay.", {},
        [this] { return static_cast<double>(log_->stats().bytes_since_checkpoint); });
    metrics.gauge_function(
        "checkpoint_side_bytes", "Old images of rows, while a checkpoint is made.", {},
        [this] { return static_cast<double>(log_->stats().checkpoint_side_bytes); });
    metrics.gauge_function("log_size_bytes", "Segments of the log, without spares.", {},
                           [this] { return static_cast<double>(log_->stats().bytes); });
    metrics.gauge_function(
        "log_limit_bytes", "What the log is kept within; new uploads wait above 1.5 times as much.",
        {}, [this] { return static_cast<double>(log_limit_bytes(log_->stats())); });
    metrics.gauge_function("pinned_extents", "Extents that a reader holds in place.", {},
                           [this] { return static_cast<double>(blobs_.pinned_extents()); });
    publish_space();
}

void StoreOfRooms::publish_space() {
    using Part = SpaceFigures SpaceReport::*;
    const auto publish = [this](const char* name, const char* help, Part part, const char* kind,
                                std::uint64_t SpaceFigures::*figure) {
        environment_.metrics.gauge_function(name, help, {{"kind", kind}}, [this, part, figure] {
            return static_cast<double>(space_->report().*part.*figure);
        });
    };
    const auto publish_all = [&publish](const char* name, const char* help, Part part) {
        publish(name, help, part, "used", &SpaceFigures::used_bytes);
        publish(name, help, part, "live", &SpaceFigures::live_bytes);
        publish(name, help, part, "dead", &SpaceFigures::dead_bytes);
        publish(name, help, part, "held", &SpaceFigures::held_bytes);
        publish(name, help, part, "allocated", &SpaceFigures::allocated_bytes);
        publish(name, help, part, "punched", &SpaceFigures::punched_bytes);
    };
    publish_all("lane_bytes", "Bytes of lanes.", &SpaceReport::lanes);
    publish_all("log_bytes", "Bytes of log segments.", &SpaceReport::log);
    environment_.metrics.gauge_function(
        "store_bytes", "Bytes of the store.", {{"kind", "allocated"}},
        [this] { return static_cast<double>(space_->report().allocated_bytes()); });
    environment_.metrics.gauge_function(
        "store_bytes", "Bytes of the store.", {{"kind", "dead"}}, [this] {
            const SpaceReport report = space_->report();
            return static_cast<double>(report.lanes.dead_bytes + report.log.dead_bytes);
        });
    environment_.metrics.gauge_function(
        "store_bytes", "Bytes of the store.", {{"kind", "free"}},
        [this] { return static_cast<double>(space_->report().file_system_free_bytes); });
}

Awaitable<void> StoreOfRooms::stop() {
    co_await recounter_->stop();
    co_await collector_->stop();
    compactor_->stop();
    co_await scrub_->stop();
    co_await lanes_.stop();
    co_await log_->stop(lanes_.closing_group());
}

Result<void> StoreOfRooms::room_for_content() {
    if (log_->read_only()) return ok();  // refused for that reason
    const bool admitted = reserve_->admits_push();
    if (reserve_->restore_due()) {
        asio::post(environment_.background, [reserve = reserve_] { reserve->restore(); });
    }
    if (!admitted) return fail(Errc::no_space);
    return log_has_room() ? Result<void>{ok()} : fail(Errc::overloaded);
}

bool StoreOfRooms::log_has_room() {
    const LogStats log = log_->stats();
    const std::uint64_t limit = log_limit_bytes(log);
    if (log.bytes <= log_wake_bytes(limit, log_->segment_size_bytes())) return true;
    compactor_->nudge();
    if (log.bytes <= log_refusal_bytes(limit)) return true;
    log_refusals_.add();
    return false;
}

Result<void> StoreOfRooms::admit(Group& group, Change& change, const FrameContext& frame) {
    ORB_TRY(const std::size_t leases, admit_change(blobs_, group, change, frame, grace_,
                                                   [this] { return lanes_.next_uid(); }));
    leases_.add(leases);
    return ok();
}

Awaitable<Result<BlobStat>> StoreOfRooms::confirm(Digest digest) {
    auto blob = blobs_.find(digest);
    if (!blob || blob->damaged) co_return fail(Errc::blob_not_found);
    if (!grace_.lease_due(*blob, log_->store_time_ms()) || log_->read_only())
        co_return stat_of(*blob);
    Group group;
    group.keys.shared.push_back(digest_key(digest));
    group.keys.exclusive.push_back(lease_key(digest));
    group.check = [this, digest](Group& self, const FrameContext& frame) -> Result<void> {
        const auto known = blobs_.find(digest);
        if (!known || known->damaged) return fail(Errc::blob_not_found);
        leases_.add(append_lease(blobs_, self, {&digest, 1}, grace_, frame));
        return ok();
    };
    const auto committed = co_await log_->commit(std::move(group));
    // Nothing is collected from a store that turned read-only.
    if (!committed && !log_->read_only()) co_return fail(committed.error());
    blob = blobs_.find(digest);
    if (!blob || blob->damaged) co_return fail(Errc::blob_not_found);
    co_return stat_of(*blob);
}

Awaitable<Result<Committed>> StoreOfRooms::submit(Change change) {
    if (!change.blobs.empty()) {
        ORB_CO_TRY(room_for_content());
    }
    Group group;
    group.keys = std::move(change.keys);
    for (const InlineBlob& blob : change.blobs) {
        group.keys.exclusive.push_back(digest_key(blob.digest));
    }
    auto shared =
        std::make_shared<Change>(std::move(change));  // std::function copies what it holds
    group.check = [this, shared](Group& self, const FrameContext& frame) {
        return admit(self, *shared, frame);
    };
    co_return co_await log_->commit(std::move(group));
}

StoreStats StoreOfRooms::stats() const {
    const LogStats log = log_->stats();
    const LaneStats lanes = lanes_.stats();
    StoreStats stats;
    stats.blobs = blobs_.size();
    stats.blob_bytes = blobs_.bytes();
    stats.damaged_blobs = blobs_.damaged();
    stats.uploads_open = lanes.uploads_open;
    stats.log_segments = log.segments;
    stats.log_bytes = log.bytes;
    stats.log_limit_bytes = log_limit_bytes(log);
    stats.log_live_bytes = blobs_.space().in_log().log_bytes();
    stats.lanes = lanes.lanes();
    stats.lane_bytes_used = lanes.bytes_used;
    stats.lsn = log.lsn;
    stats.store_time_ms = log_->store_time_ms();
    stats.checkpoint_id = log.checkpoint_id;
    stats.checkpoint_lsn = log.checkpoint_lsn;
    stats.checkpoint_bytes = log.checkpoint_bytes;
    stats.log_bytes_since_checkpoint = log.bytes_since_checkpoint;
    stats.checkpoint_rows_loaded = log.checkpoint_rows_loaded;
    stats.frames_replayed = log.frames_replayed;
    stats.recovery_ms = recovery_ms_;
    stats.clean_start = log.clean_start;
    stats.read_only = log.read_only;
    stats.read_only_reason = log.read_only_reason;
    stats.damage_storm = marks_->storm();
    for (const MemoryShare share : kMemoryShares) {
        stats.memory.push_back(
            {std::string{to_string(share)}, memory_used(share), ledger_.limit(share)});
    }
    return stats;
}

}  // namespace

Result<std::unique_ptr<Store>> Store::open(StoreEnvironment environment, StoreOptions options,
                                           CatalogMachine& catalog) {
    if (!Hasher::self_test()) {
        environment.log.error("this OpenSSL's hash state cannot be saved and restored");
        return fail(boost::system::errc::make_error_code(boost::system::errc::not_supported));
    }
    auto store = std::make_unique<StoreOfRooms>(std::move(environment), options, catalog);
    ORB_TRY(store->recover(options));
    return std::unique_ptr<Store>{std::move(store)};
}

}  // namespace orbitalreg::cas
