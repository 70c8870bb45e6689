#include "log/commit_log.h"

#include "base/assert.h"
#include "base/errors.h"
#include "checkpoint/checkpoint_files.h"
#include "checkpoint/checkpointer.h"
#include "format/page_buffer.h"
#include "log/recovery.h"
#include "log/sequencer.h"
#include "log/superblock_file.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <set>

namespace orbitalreg::cas {
namespace {

constexpr std::uint64_t kReadSizeMax = 16_MiB;  // no raw bytes of a record are larger

// What recovery found, before anything of it is changed.
struct OpenedStore {
    std::unique_ptr<File> lock;
    SuperblockChoice choice;
    bool created = false;
};

Result<OpenedStore> lock_store(const StoreEnvironment& environment, const StoreOptions& options) {
    Io& io = environment.io;
    const auto super = io.stat("SUPER");
    const bool absent = !super && super.error() == errno_code(ENOENT);
    if (!super && !absent) return fail(super.error());
    // Before LOCK is made: a directory that is not ours is left as it is.
    if (absent && options.read_only) return fail(Errc::not_a_store);
    if (absent) {
        ORB_TRY(check_directory_empty(io));
    }
    OpenedStore opened;
    ORB_TRY(opened.lock, io.lock("LOCK", !options.read_only));
    const SuperblockFile file{io, options.durability};
    auto read = file.read();
    if (!read && absent && read.error() == make_error_code(Errc::not_a_store)) {
        ORB_TRY(check_directory_empty(io));
        ORB_TRY(create_store(io, options, environment.random));
        opened.created = true;
        read = file.read();
    }
    if (!read) return fail(read.error());
    // The process before may have been killed between making a name and syncing it.
    if (!options.read_only && options.durability == Durability::full) {
        ORB_TRY(io.sync_directory(""));
    }
    opened.choice = std::move(read).value();
    return opened;
}

std::uint64_t next_incarnation(Random& random, std::uint64_t last) noexcept {
    std::uint64_t value = last;
    while (value == 0 || value == last) value = random.next_u64();
    return value;
}

class OpenCommitLog final : public CommitLog {
public:
    OpenCommitLog(StoreEnvironment environment, const StoreOptions& options, FrameTarget& target,
                  std::function<bool()> give_up_space, OpenedStore opened)
        : environment_{std::move(environment)},
          options_{options},
          target_{target},
          give_up_space_{std::move(give_up_space)},
          lock_{std::move(opened.lock)},
          created_{opened.created},
          identity_{log_identity(opened.choice.superblock)},
          secret_{opened.choice.superblock.secret},
          superblock_{environment_.io, options.durability},
          time_{environment_.clock},
          scheduler_{options.commit_target_us},
          files_{environment_.io},
          read_only_{environment_.log},
          recycled_total_{environment_.metrics.counter(
              "log_segments_recycled_total",
              "Log segments without anything live that became spares.")},
          removed_total_{environment_.metrics.counter(
              "log_segments_removed_total",
              "Log segments without anything live that were removed.")} {
        superblock_.adopt(opened.choice);
    }

    ~OpenCommitLog() override { sequencer_.reset(); }

    // Steps 2 to 6 of recovery (docs/on-disk-format.md, "Which frame is next").
    Result<void> recover();

    Awaitable<Result<Committed>> commit(Group group) override;
    Awaitable<Result<void>> between_frames(std::function<void()> step) override;
    Result<Committed> commit_now(Group group) override;
    Awaitable<Result<void>> make_checkpoint() override;
    void on_checkpoint(std::function<void()> made) override { checkpoint_made_ = std::move(made); }
    std::vector<std::uint32_t> covered_segments() const override;
    Awaitable<Result<FreedSegments>> free_covered() override;
    void start() override;
    Awaitable<void> stop(Group last) override;
    Awaitable<Result<void>> read(IoQueue& queue, std::uint32_t segment, std::uint64_t offset,
                                 MutableByteView to) override;
    Result<void> read_now(std::uint32_t segment, std::uint64_t offset, MutableByteView to) override;
    void poison(std::string_view reason) noexcept override { read_only_.set(reason); }
    bool read_only() const noexcept override { return options_.read_only || read_only_.on(); }
    const IoScheduler& scheduler() const noexcept override { return scheduler_; }
    const AddressSeed& seed() const noexcept override { return identity_.seed; }
    const StoreUuid& uuid() const noexcept override { return identity_.uuid; }
    std::uint64_t incarnation() const noexcept override { return incarnation_; }
    std::uint64_t lane_target_bytes() const noexcept override { return lane_target_bytes_; }
    std::uint64_t store_time_ms() const noexcept override { return time_.now_ms(); }
    std::uint64_t segment_size_bytes() const noexcept override { return segment_size_bytes_; }
    std::uint64_t group_size_bytes() const noexcept override {
        return FrameLimits::of(options_, segment_size_bytes_).group_bytes;
    }
    std::array<std::byte, 32> derive_key(std::string_view label) const noexcept override;
    LogStats stats() const override;

private:
    Result<ChainEnd> load();
    Result<void> find_segments();
    Result<void> begin_writing();
    Result<void> begin_checkpoints();
    Result<void> write_clean(Lsn closed);
    Result<void> name_checkpoint(const CheckpointHeader& header, const CheckpointName& name);
    void cover_segments(std::uint32_t replay_segment);
    Awaitable<void> checkpoint_made(std::uint32_t replay_segment);
    FreedSegments free_segments(const std::vector<std::uint32_t>& in_use);
    bool recycle(std::uint32_t segment);

    StoreEnvironment environment_;
    const StoreOptions options_;
    FrameTarget& target_;
    const std::function<bool()> give_up_space_;
    const std::unique_ptr<File> lock_;
    const bool created_;
    const LogIdentity identity_;
    const AddressSeed::Secret secret_;
    mutable std::mutex superblock_mutex_;
    SuperblockFile superblock_;
    mutable StoreTime time_;
    IoScheduler scheduler_;
    SegmentFiles files_;
    ReadOnlySwitch read_only_;
    Counter& recycled_total_;
    Counter& removed_total_;
    ReplayedLog replayed_;
    bool clean_start_ = false;
    std::uint64_t incarnation_ = 0;
    std::uint64_t lane_target_bytes_ = 0;
    std::uint64_t segment_size_bytes_ = 0;
    std::unique_ptr<SegmentSpares> spares_;
    std::unique_ptr<LogTail> tail_;
    std::unique_ptr<Sequencer> sequencer_;  // none when the store is opened for reading
    // Shared with its coroutines.
    std::shared_ptr<Checkpointer> checkpointer_;
    std::uint64_t rows_loaded_ = 0;
    mutable std::mutex segments_mutex_;
    std::set<std::uint32_t> old_segments_;  // before the replay position, and still there
    std::uint32_t replay_segment_ = 1;
    std::function<void()> checkpoint_made_;
    std::atomic<bool> started_{false};
    std::atomic<bool> stopped_{false};
};

Result<void> OpenCommitLog::recover() {
    const Superblock& superblock = superblock_.current();
    ORB_TRY(check_superblock_supported(superblock, !options_.read_only));
    incarnation_ = superblock.incarnation;
    lane_target_bytes_ = superblock.lane_target_bytes();
    segment_size_bytes_ = superblock.segment_size_bytes();
    ORB_TRY(const auto start, load());
    ORB_TRY(find_segments());
    ORB_TRY(replayed_, replay_log(environment_.io, superblock, start, target_, environment_.log));
    ORB_TRY(check_log_end(environment_.io, superblock, replayed_, environment_.log));
    const ChainEnd& end = replayed_.end;
    clean_start_ = created_ || (end.lsn != 0 && superblock.clean_lsn == end.lsn);
    if (end.lsn == 0) {
        time_.begin();
    } else {
        time_.resume(end.store_time_ms, end.wall_ns);
    }
    if (!options_.read_only) {
        ORB_TRY(begin_writing());
    }
    environment_.log.info("log recovered", {{"lsn", end.lsn},
                                            {"checkpoint_lsn", superblock.checkpoint_lsn},
                                            {"frames", replayed_.frames},
                                            {"records", replayed_.records},
                                            {"segment", end.position.segment},
                                            {"clean", clean_start_},
                                            {"tail", to_string(replayed_.tail_reason)}});
    return ok();
}

// The rows of the checkpoint; where replay starts.
Result<ChainEnd> OpenCommitLog::load() {
    const Superblock& superblock = superblock_.current();
    ChainEnd start = replay_start(superblock);
    if (superblock.checkpoint_id == 0) return start;
    const CheckpointReader::Options options{.repair = !options_.read_only,
                                            .durability = options_.durability};
    ORB_TRY(const auto loaded,
            load_checkpoint(environment_.io, superblock, target_, options, environment_.log));
    rows_loaded_ = loaded.rows;
    start.incarnation = loaded.header.incarnation;
    start.store_time_ms = loaded.header.store_time_ms;
    start.wall_ns = loaded.header.wall_ns;
    start.kind = FrameKind::idle;
    return start;
}

Result<void> OpenCommitLog::find_segments() {
    replay_segment_ = superblock_.current().replay_segment;
    ORB_TRY(const auto names, environment_.io.list("log"));
    for (const std::string& name : names) {
        const std::uint32_t segment = parse_log_segment_name(name);
        if (segment != 0 && segment < replay_segment_) old_segments_.insert(segment);
    }
    return ok();
}

// From here on the store changes: the superblock with a new incarnation, then `opened` at the tail
// position.
Result<void> OpenCommitLog::begin_writing() {
    Superblock next = superblock_.current();
    next.incarnation = next_incarnation(environment_.random, next.incarnation);
    next.clean_lsn = 0;
    if (next.log_end_lsn != 0) next.log_end_lsn = replayed_.end.lsn;
    incarnation_ = next.incarnation;
    ORB_TRY(superblock_.write(next));
    const SegmentPlan plan{identity_, incarnation_, segment_size_bytes_, options_.durability};
    spares_ = std::make_unique<SegmentSpares>(environment_.io, plan, options_.segments_spare,
                                              environment_.metrics);
    ORB_TRY(spares_->adopt(replayed_.end.position.segment, clean_start_));
    const FrameLimits limits = FrameLimits::of(options_, segment_size_bytes_);
    tail_ = std::make_unique<LogTail>(environment_.io, environment_.clock, environment_.metrics,
                                      plan, *spares_, time_, scheduler_, limits.frame_bytes());
    ORB_TRY(tail_->open(replayed_.end));
    auto opened = tail_->write_opened();
    const bool no_space = !opened && opened.error() == make_error_code(Errc::no_space);
    // A full file system must not keep the store shut: its reserve is for this.
    if (no_space && give_up_space_ && give_up_space_()) opened = tail_->write_opened();
    if (!opened) return fail(opened.error());
    sequencer_ = std::make_unique<Sequencer>(
        environment_, options_, limits,
        Sequencer::Parts{*tail_, *spares_, target_, read_only_,
                         [this](Lsn closed) { return write_clean(closed); }});
    sequencer_->on_no_space(give_up_space_);
    return begin_checkpoints();
}

// What a crash kept from being removed goes now: the superblock in use is the only one.
Result<void> OpenCommitLog::begin_checkpoints() {
    const Superblock& superblock = superblock_.current();
    ORB_TRY(const auto highest,
            remove_other_checkpoints(environment_.io, superblock.checkpoint_id));
    // `opened` follows whatever emptied them.
    if (superblock.checkpoint_id != 0) free_segments(target_.segments_in_use());
    Checkpointer::Parts parts{
        *sequencer_,
        target_,
        read_only_,
        scheduler_,
        identity_,
        [this]() -> const ChainEnd& { return tail_->end(); },
        [this](const CheckpointHeader& header, const CheckpointName& name) {
            return name_checkpoint(header, name);
        },
        [this](std::uint32_t replay_segment) { return checkpoint_made(replay_segment); },
        [this] { return give_up_space_ && give_up_space_(); }};
    checkpointer_ = std::make_shared<Checkpointer>(
        environment_, options_, std::move(parts),
        Checkpointer::Start{highest + 1, superblock.checkpoint_size_bytes, replayed_.bytes});
    sequencer_->on_growth([this](std::uint64_t bytes) { checkpointer_->grown(bytes); });
    return ok();
}

Result<void> OpenCommitLog::name_checkpoint(const CheckpointHeader& header,
                                            const CheckpointName& name) {
    const std::lock_guard lock{superblock_mutex_};
    Superblock next = superblock_.current();
    next.checkpoint_id = name.id;
    next.checkpoint_lsn = name.lsn;
    next.checkpoint_size_bytes = name.size_bytes;
    next.checkpoint_footer_checksum = name.footer_checksum;
    next.replay_segment = header.replay_segment;
    next.replay_page = header.replay_page;
    next.checkpoint_frame_checksum = header.frame_checksum;
    const auto written = superblock_.write(next);
    if (!written) {
        read_only_.set("the superblock cannot be written: " + written.error().message());
    }
    return written;
}

void OpenCommitLog::cover_segments(std::uint32_t replay_segment) {
    const std::lock_guard lock{segments_mutex_};
    for (; replay_segment_ < replay_segment; ++replay_segment_) {
        old_segments_.insert(replay_segment_);
    }
}

Awaitable<void> OpenCommitLog::checkpoint_made(std::uint32_t replay_segment) {
    cover_segments(replay_segment);
    const auto freed = co_await free_covered();
    static_cast<void>(freed);  // what stays goes with the next checkpoint
    if (checkpoint_made_) checkpoint_made_();
}

std::vector<std::uint32_t> OpenCommitLog::covered_segments() const {
    const std::lock_guard lock{segments_mutex_};
    return {old_segments_.begin(), old_segments_.end()};
}

Awaitable<Result<FreedSegments>> OpenCommitLog::free_covered() {
    if (!sequencer_) co_return fail(Errc::read_only);
    bool followed = false;
    std::vector<std::uint32_t> in_use;
    ORB_CO_TRY(co_await sequencer_->between_frames([&] {
        followed = sequencer_->follow_up();
        in_use = target_.segments_in_use();
    }));
    if (!followed) co_return FreedSegments{};
    co_return free_segments(in_use);
}

// Nothing can come into use again in a covered segment. One that cannot be removed is when the store opens.
FreedSegments OpenCommitLog::free_segments(const std::vector<std::uint32_t>& in_use) {
    std::vector<std::uint32_t> freed;
    {
        const std::lock_guard lock{segments_mutex_};
        std::erase_if(old_segments_, [&](std::uint32_t segment) {
            if (std::ranges::binary_search(in_use, segment)) return false;
            freed.push_back(segment);
            return true;
        });
    }
    FreedSegments done;
    for (const std::uint32_t segment : freed) {
        files_.forget(segment);
        if (recycle(segment)) {
            ++done.recycled;
            continue;
        }
        ++done.removed;
        const auto removed = environment_.io.remove(log_segment_path(segment));
        if (!removed && removed.error() != errno_code(ENOENT)) {
            environment_.log.warn("a log segment cannot be removed",
                                  {{"segment", segment}, {"error", removed.error().message()}});
        }
        files_.forget(segment);  // somebody may have opened it for a mark that had moved
    }
    recycled_total_.add(done.recycled);
    removed_total_.add(done.removed);
    return done;
}

bool OpenCommitLog::recycle(std::uint32_t segment) {
    const auto recycled = spares_->recycle(segment);
    files_.forget(segment);
    if (recycled) return recycled.value();
    environment_.log.warn("a log segment cannot be used again",
                          {{"segment", segment}, {"error", recycled.error().message()}});
    return false;
}

Awaitable<Result<void>> OpenCommitLog::make_checkpoint() {
    if (!checkpointer_) co_return fail(Errc::read_only);
    co_return co_await checkpointer_->make_now();
}

Result<void> OpenCommitLog::write_clean(Lsn closed) {
    const std::lock_guard lock{superblock_mutex_};
    Superblock next = superblock_.current();
    next.clean_lsn = closed.value;
    return superblock_.write(next);
}

Awaitable<Result<Committed>> refuse(ErrorCode error) { co_return fail(error); }

Awaitable<Result<Committed>> OpenCommitLog::commit(Group group) {
    if (!sequencer_) return refuse(Errc::read_only);
    return sequencer_->submit(std::move(group));
}

Awaitable<Result<void>> OpenCommitLog::between_frames(std::function<void()> step) {
    if (!sequencer_) co_return fail(Errc::read_only);
    co_return co_await sequencer_->between_frames(std::move(step));
}

Result<Committed> OpenCommitLog::commit_now(Group group) {
    ORB_ASSERT(!started_);
    if (!sequencer_) return fail(Errc::read_only);
    return sequencer_->commit_now(group);
}

void OpenCommitLog::start() {
    ORB_ASSERT(!started_);
    started_ = true;
    if (!sequencer_) return;
    checkpointer_->start();
    sequencer_->start();
}

Awaitable<void> OpenCommitLog::stop(Group last) {
    if (!sequencer_ || stopped_) co_return;
    if (!started_) start();
    co_await checkpointer_->stop();
    const auto stopped = co_await sequencer_->stop(std::move(last));
    if (!stopped && stopped.error() != make_error_code(Errc::stopped)) {
        environment_.log.warn("the store was stopped without a clean end",
                              {{"error", stopped.error().message()}});
    }
    stopped_ = true;
}

Result<std::pair<std::uint64_t, std::size_t>> pages_of(std::uint64_t offset, MutableByteView to) {
    if (to.empty() || to.size() > kReadSizeMax) return fail(Errc::bad_format);
    const std::uint64_t begin = round_down(offset, kPageSize);
    return std::pair{begin,
                     static_cast<std::size_t>(round_up(offset + to.size(), kPageSize) - begin)};
}

Result<void> copy_out(const PageBuffer& pages, std::size_t filled, std::uint64_t skip,
                      MutableByteView to) {
    if (filled < skip + to.size()) return fail(Errc::io_error);
    std::memcpy(to.data(), pages.data() + skip, to.size());
    return ok();
}

Awaitable<Result<void>> OpenCommitLog::read(IoQueue& queue, std::uint32_t segment,
                                            std::uint64_t offset, MutableByteView to) {
    ORB_CO_TRY(const auto range, pages_of(offset, to));
    const auto file = files_.open(segment);
    if (!file) co_return fail(Errc::io_error);
    const PageBuffer pages{range.second};
    const auto count =
        co_await async_read(queue, *file.value(), range.first, pages.bytes(), IoClass::read);
    if (!count) co_return fail(Errc::io_error);
    co_return copy_out(pages, count.value(), offset - range.first, to);
}

Result<void> OpenCommitLog::read_now(std::uint32_t segment, std::uint64_t offset,
                                     MutableByteView to) {
    ORB_TRY(const auto range, pages_of(offset, to));
    const auto file = files_.open(segment);
    if (!file) return fail(Errc::io_error);
    const PageBuffer pages{range.second};
    const auto count = file.value()->read(range.first, pages.bytes());
    if (!count) return fail(Errc::io_error);
    return copy_out(pages, count.value(), offset - range.first, to);
}

// HMAC-SHA256 of the label under the store's secret.
std::array<std::byte, 32> OpenCommitLog::derive_key(std::string_view label) const noexcept {
    std::array<std::byte, 32> key{};
    unsigned int size = 0;
    const auto* const made =
        ::HMAC(EVP_sha256(), secret_.data(), static_cast<int>(secret_.size()),
               reinterpret_cast<const unsigned char*>(label.data()), label.size(),
               reinterpret_cast<unsigned char*>(key.data()), &size);
    ORB_ASSERT(made != nullptr);
    ORB_ASSERT(size == key.size());
    return key;
}

LogStats OpenCommitLog::stats() const {
    LogStats stats;
    stats.lsn = sequencer_ ? sequencer_->lsn() : replayed_.end.lsn;
    const std::uint32_t segment =
        sequencer_ ? sequencer_->segment() : replayed_.end.position.segment;
    {
        const std::lock_guard lock{segments_mutex_};
        stats.segments = old_segments_.size() + (segment - replay_segment_ + 1);
        stats.replay_segment = replay_segment_;
    }
    stats.segment = segment;
    stats.bytes = stats.segments * segment_size_bytes_;
    stats.spare_segments = spares_ ? spares_->ready() : 0;
    stats.checkpoint_interval_bytes = checkpointer_ ? checkpointer_->interval_bytes() : 0;
    {
        const std::lock_guard lock{superblock_mutex_};
        const Superblock& superblock = superblock_.current();
        stats.checkpoint_id = superblock.checkpoint_id;
        stats.checkpoint_lsn = superblock.checkpoint_lsn;
        stats.checkpoint_bytes = superblock.checkpoint_size_bytes;
    }
    stats.checkpoint_rows_loaded = rows_loaded_;
    stats.bytes_since_checkpoint = checkpointer_ ? checkpointer_->log_bytes() : replayed_.bytes;
    stats.checkpoint_side_bytes = checkpointer_ ? checkpointer_->side_bytes() : 0;
    stats.frames_replayed = replayed_.frames;
    stats.clean_start = clean_start_;
    stats.created = created_;
    stats.read_only = read_only();
    stats.read_only_reason =
        options_.read_only ? std::string{kOpenedForReading} : read_only_.reason();
    return stats;
}

}  // namespace

Result<std::unique_ptr<CommitLog>> CommitLog::open(StoreEnvironment environment,
                                                   const StoreOptions& options, FrameTarget& target,
                                                   std::function<bool()> give_up_space) {
    ORB_TRY(auto opened, lock_store(environment, options));
    auto log = std::make_unique<OpenCommitLog>(std::move(environment), options, target,
                                               std::move(give_up_space), std::move(opened));
    ORB_TRY(log->recover());
    return std::unique_ptr<CommitLog>{std::move(log)};
}

}  // namespace orbitalreg::cas
