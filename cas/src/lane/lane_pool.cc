#include "lane/lane_pool.h"

#include "base/assert.h"
#include "base/planted_bug.h"
#include "cas/errors.h"
#include "lane/lane_errors.h"

#include <algorithm>
#include <cerrno>

namespace orbitalreg::cas {
namespace {

constexpr std::array<const char*, 6> kStateNames = {"spare",  "free",   "leased",
                                                    "parked", "sealed", "poisoned"};

constexpr std::size_t index_of(LanePool::State state) noexcept {
    return static_cast<std::size_t>(state);
}

}  // namespace

LanePool::LanePool(StoreEnvironment environment, const StoreOptions& options, IdBlocks& ids)
    : environment_{std::move(environment)}, options_{options}, ids_{ids} {
    for (std::size_t i = 0; i < gauges_.size(); ++i) {
        gauges_[i] = &environment_.metrics.gauge("lanes", "Lane files by state (SEC-112).",
                                                 {{"state", kStateNames[i]}});
    }
}

void LanePool::configure(const StoreIdentity& identity, std::uint64_t incarnation,
                         std::uint64_t target_bytes, bool sync) {
    identity_ = identity;
    incarnation_ = incarnation;
    target_bytes_ = target_bytes;
    sync_ = sync;
}

void LanePool::set_state(std::uint32_t id, Lane& lane, State state) noexcept {
    --counts_[index_of(lane.state)];
    ++counts_[index_of(state)];
    gauges_[index_of(lane.state)]->set(static_cast<std::int64_t>(counts_[index_of(lane.state)]));
    gauges_[index_of(state)]->set(static_cast<std::int64_t>(counts_[index_of(state)]));
    if (lane.state == State::leased) --writing_;
    if (state == State::leased) ++writing_;
    lane.state = state;
    if (state == State::free) free_.emplace(lane.next_page, id);
}

void LanePool::adopt(const LaneView& row, State state, std::uint32_t next_page) {
    const std::lock_guard lock{mutex_};
    Lane& lane = lanes_[row.lane];
    ++counts_[index_of(State::spare)];
    lane.recorded = row.phase;
    lane.next_page = std::max<std::uint32_t>(next_page, 1);
    lane.last_base_page = row.last_base_page;
    lane.held_over = state == State::parked;
    lane.lease_base_page = state == State::parked ? row.frontier_page : 0;
    if (state == State::free) {
        end_lease(row.lane, lane);
    } else {
        set_state(row.lane, lane, state);
    }
}

LanePool::Made LanePool::make() noexcept {
    Made made;
    const std::uint64_t id = ids_.next(IdKind::lane);
    if (id == 0) {
        made.error = Errc::overloaded;
        return made;
    }
    const auto lane = static_cast<std::uint32_t>(id);
    const auto step = [&]() -> Result<void> {
        ORB_TRY(auto file, environment_.io.open(
                               lane_path(lane),
                               {.write = true, .create = true, .exclusive = true, .direct = true}));
        made.file = std::move(file);
        Page page;
        encode_lane_header({.lane = lane, .incarnation = incarnation_}, identity_, page);
        ORB_TRY(made.file->write(0, page.bytes));
        if (!sync_) return ok();
        ORB_TRY(made.file->datasync());
        if (ORB_PLANTED(skip_lane_directory_sync)) return ok();
        return environment_.io.sync_directory("lane");
    };
    if (const auto result = step(); !result) {
        made.error = write_error(result.error());
        environment_.log.error("cannot prepare a lane",
                               {{"lane", lane}, {"error", result.error().message()}});
        return made;
    }
    made.lane = lane;
    return made;
}

Awaitable<void> LanePool::make_spare(std::shared_ptr<LanePool> self) {
    Made made = self->make();
    const std::lock_guard lock{self->mutex_};
    --self->preparing_;
    if (made.lane == 0) co_return;
    self->lanes_[made.lane].file = std::move(made.file);
    self->spares_.insert(made.lane);
    const std::size_t spare = index_of(State::spare);
    self->gauges_[spare]->set(static_cast<std::int64_t>(++self->counts_[spare]));
}

void LanePool::prepare_spares() {
    std::uint32_t missing = 0;
    {
        const std::lock_guard lock{mutex_};
        if (stopped_) return;
        const auto there = static_cast<std::uint32_t>(spares_.size()) + preparing_;
        missing = options_.lanes_spare > there ? options_.lanes_spare - there : 0;
        preparing_ += missing;
    }
    for (; missing != 0; --missing) {
        asio::co_spawn(environment_.background, make_spare(shared_from_this()), asio::detached);
    }
}

Awaitable<void> LanePool::make_into(std::shared_ptr<LanePool> self, std::shared_ptr<Made> made) {
    *made = self->make();
    co_return;
}

std::uint32_t LanePool::take_ready() {
    if (!free_.empty()) {
        const std::uint32_t lane = std::prev(free_.end())->second;
        free_.erase(std::prev(free_.end()));
        return lane;
    }
    if (spares_.empty()) return 0;
    const std::uint32_t lane = *spares_.begin();
    spares_.erase(spares_.begin());
    return lane;
}

Awaitable<Result<LaneLease>> LanePool::lease() {
    for (;;) {
        std::uint32_t id = 0;
        std::shared_ptr<File> file;
        {
            const std::lock_guard lock{mutex_};
            if (writing_ >= options_.lanes_writing_max) co_return fail(Errc::overloaded);
            id = take_ready();
            if (id != 0) {
                file = lanes_[id].file;
                lanes_[id].lease_base_page = lanes_[id].next_page;
                set_state(id, lanes_[id], State::leased);
            }
        }
        if (id == 0) break;
        prepare_spares();
        if (file == nullptr) {
            auto opened = open_file(id);
            if (!opened && opened.error().category() == category()) {
                // Not a lane to write to, though its blobs may be sound: look for another one.
                poison(id);
                continue;
            }
            if (!opened) {
                release(id, 0, 0);
                co_return fail(write_error(opened.error()));
            }
            file = std::move(opened).value();
        }
        co_return leased(id, std::move(file));
    }
    const auto made = std::make_shared<Made>();
    co_await asio::co_spawn(environment_.background, make_into(shared_from_this(), made),
                            asio::use_awaitable);
    if (made->lane == 0) co_return fail(made->error);
    {
        const std::lock_guard lock{mutex_};
        Lane& lane = lanes_[made->lane];
        ++counts_[index_of(State::spare)];
        lane.lease_base_page = lane.next_page;
        set_state(made->lane, lane, State::leased);
    }
    co_return leased(made->lane, std::move(made->file));
}

Result<LaneLease> LanePool::leased(std::uint32_t id, std::shared_ptr<File> file) {
    const std::lock_guard lock{mutex_};
    Lane& lane = lanes_[id];
    lane.file = std::move(file);
    return LaneLease{.lane = id,
                     .base_page = lane.next_page,
                     .previous_base_page = lane.last_base_page,
                     .file = lane.file};
}

Result<std::shared_ptr<File>> LanePool::open_file(std::uint32_t lane) noexcept {
    const auto step = [&]() -> Result<std::shared_ptr<File>> {
        ORB_TRY(auto file, environment_.io.open(lane_path(lane), {.write = true, .direct = true}));
        Page page;
        ORB_TRY(const std::size_t size, file->read(0, page.bytes));
        if (size != kPageSize) return fail(Errc::bad_format);
        ORB_TRY(decode_lane_header(page, lane, identity_));
        return std::shared_ptr<File>{std::move(file)};
    };
    auto result = step();
    if (!result) {
        environment_.log.error("a lane cannot be written to",
                               {{"lane", lane}, {"error", result.error().message()}});
    }
    return result;
}

Result<LaneLease> LanePool::resume(std::uint32_t lane, std::uint32_t base_page) {
    {
        const std::lock_guard lock{mutex_};
        const auto found = lanes_.find(lane);
        if (found == lanes_.end()) return fail(Errc::io_error);
        if (found->second.state != State::parked) return fail(Errc::io_error);
        if (writing_ >= options_.lanes_writing_max) return fail(Errc::overloaded);
        set_state(lane, found->second, State::leased);
    }
    auto file = open_file(lane);
    if (!file) {
        park(lane, 0);
        return fail(Errc::io_error);
    }
    const std::lock_guard lock{mutex_};
    lanes_[lane].file = file.value();
    return LaneLease{.lane = lane, .base_page = base_page, .file = std::move(file).value()};
}

// The lock is held.
void LanePool::end_lease(std::uint32_t id, Lane& lane) noexcept {
    const bool full = std::uint64_t{lane.next_page} * kPageSize >= target_bytes_;
    if (full || lane.held_over) {
        lane.file.reset();
        set_state(id, lane, State::sealed);
    } else {
        set_state(id, lane, State::free);
    }
}

std::optional<LaneStateRecord> LanePool::release(std::uint32_t lane, std::uint32_t end_page,
                                                 std::uint32_t last_base_page) noexcept {
    const std::lock_guard lock{mutex_};
    const auto found = lanes_.find(lane);
    if (found == lanes_.end()) return std::nullopt;
    Lane& ended = found->second;
    ended.next_page = std::max(ended.next_page, end_page);
    ended.last_base_page = std::max(ended.last_base_page, last_base_page);
    if (ended.state != State::leased && ended.state != State::parked) return std::nullopt;
    end_lease(lane, ended);
    if (ended.state != State::sealed) return std::nullopt;
    return LaneStateRecord{.lane = lane,
                           .phase = LanePhase::sealed,
                           .frontier_page = ended.next_page,
                           .last_base_page = ended.last_base_page};
}

void LanePool::set_recorded(const LaneStateRecord& state) noexcept {
    const std::lock_guard lock{mutex_};
    if (const auto found = lanes_.find(state.lane); found != lanes_.end()) {
        found->second.recorded = state.phase;
    }
}

void LanePool::park(std::uint32_t lane, std::uint32_t end_page) noexcept {
    const std::lock_guard lock{mutex_};
    const auto found = lanes_.find(lane);
    if (found == lanes_.end()) return;
    found->second.file.reset();
    found->second.next_page = std::max(found->second.next_page, end_page);
    if (found->second.state == State::leased) set_state(lane, found->second, State::parked);
}

void LanePool::poison(std::uint32_t lane) noexcept {
    const std::lock_guard lock{mutex_};
    const auto found = lanes_.find(lane);
    if (found == lanes_.end()) return;
    found->second.file.reset();
    if (found->second.state != State::poisoned) set_state(lane, found->second, State::poisoned);
}

LaneUse LanePool::use_of(std::uint32_t id, const Lane& lane) noexcept {
    LaneUse use;
    use.lane = id;
    use.sealed = lane.state == State::sealed && lane.recorded == LanePhase::sealed;
    use.held = lane.state == State::leased || lane.state == State::parked;
    use.settled_page =
        use.held && !ORB_PLANTED(punch_to_end_of_lease) ? lane.lease_base_page : lane.next_page;
    use.next_page = lane.next_page;
    use.last_base_page = lane.last_base_page;
    use.allocated_bytes = lane.allocated_bytes;
    return use;
}

std::vector<LaneUse> LanePool::uses() const {
    std::vector<LaneUse> uses;
    const std::lock_guard lock{mutex_};
    for (const auto& [id, lane] : lanes_) {
        if (lane.state != State::spare && lane.state != State::poisoned)
            uses.push_back(use_of(id, lane));
    }
    return uses;
}

std::optional<LaneUse> LanePool::use(std::uint32_t lane) const {
    const std::lock_guard lock{mutex_};
    const auto found = lanes_.find(lane);
    if (found == lanes_.end() || found->second.state == State::spare ||
        found->second.state == State::poisoned)
        return std::nullopt;
    return use_of(lane, found->second);
}

std::vector<LaneFile> LanePool::files() const {
    std::vector<LaneFile> files;
    const std::lock_guard lock{mutex_};
    for (const auto& [id, lane] : lanes_) {
        files.push_back({use_of(id, lane), kStateNames[index_of(lane.state)]});
    }
    return files;
}

void LanePool::set_allocated(std::uint32_t lane, std::uint64_t bytes) noexcept {
    const std::lock_guard lock{mutex_};
    if (const auto found = lanes_.find(lane); found != lanes_.end())
        found->second.allocated_bytes = bytes;
}

void LanePool::retire(std::uint32_t lane) noexcept {
    const std::lock_guard lock{mutex_};
    const auto found = lanes_.find(lane);
    if (found == lanes_.end()) return;
    ORB_ASSERT(found->second.state == State::sealed);
    const std::size_t sealed = index_of(State::sealed);
    gauges_[sealed]->set(static_cast<std::int64_t>(--counts_[sealed]));
    lanes_.erase(found);
}

std::uint32_t LanePool::next_page(std::uint32_t lane) const {
    const std::lock_guard lock{mutex_};
    const auto found = lanes_.find(lane);
    return found == lanes_.end() ? 0 : found->second.next_page;
}

std::vector<LaneStateRecord> LanePool::closing_records() const {
    std::vector<LaneStateRecord> records;
    const std::lock_guard lock{mutex_};
    for (const auto& [id, lane] : lanes_) {
        LanePhase phase = LanePhase::none;
        if (lane.state == State::free) phase = LanePhase::free;
        if (lane.state == State::sealed) phase = LanePhase::sealed;
        if (lane.state == State::poisoned) phase = LanePhase::poisoned;
        if (phase == LanePhase::none) continue;
        if (phase != LanePhase::free && lane.recorded == phase) continue;
        records.push_back({.lane = id,
                           .phase = phase,
                           .frontier_page = lane.next_page,
                           .last_base_page = lane.last_base_page});
    }
    return records;
}

void LanePool::stop() noexcept {
    const std::lock_guard lock{mutex_};
    stopped_ = true;
}

LaneStats LanePool::stats() const {
    LaneStats stats;
    const std::lock_guard lock{mutex_};
    stats.spare = counts_[index_of(State::spare)];
    stats.free = counts_[index_of(State::free)];
    stats.leased = counts_[index_of(State::leased)];
    stats.parked = counts_[index_of(State::parked)];
    stats.sealed = counts_[index_of(State::sealed)];
    stats.poisoned = counts_[index_of(State::poisoned)];
    for (const auto& [id, lane] : lanes_) {
        if (lane.state != State::spare)
            stats.bytes_used += std::uint64_t{lane.next_page} * kPageSize;
    }
    return stats;
}

}  // namespace orbitalreg::cas
