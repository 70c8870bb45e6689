#include "sim/life.h"

#include <cstdio>
#include <cstring>

namespace orbitalreg::sim {

namespace {

constexpr std::uint64_t kDiskBytes = 256_MiB;

}  // namespace

SimWorld::SimWorld(std::uint64_t seed, SimDiskMode mode)
    : random{seed}, disk{mode, kDiskBytes}, universe{random, kInlineSizeMax}, history{universe} {
    watch_records();
}

SimWorld::SimWorld(std::uint64_t seed, SimDiskMode mode, const Universe& known)
    : random{seed}, disk{mode, kDiskBytes}, universe{known}, history{universe} {
    watch_records();
}

void SimWorld::watch_records() {
    disk.watch_writes([this](const SimInode& file, std::uint64_t offset, ByteView bytes) {
        if (!records.see(file, offset, bytes))
            fail("a lane's offset " + std::to_string(offset) + " is handed out twice");
    });
}

void SimWorld::say(const std::string& line) const {
    if (verbose) std::fprintf(stderr, "  %s\n", line.c_str());
}

bool RecordWatch::see(const SimInode& file, std::uint64_t offset, ByteView bytes) {
    constexpr std::string_view kMagic = "ORBLREC1";  // docs/on-disk-format.md: record header
    constexpr std::size_t kUidAt = 40;
    if (bytes.size() < cas::kPageSize ||
        std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0)
        return true;
    std::uint64_t uid = 0;
    std::memcpy(&uid, bytes.data() + kUidAt, sizeof uid);
    return uids_.try_emplace({file.id, offset}, uid).first->second == uid;
}

bool StoreTimeWatch::see(std::uint64_t store_time_ms, std::int64_t boottime_ms) noexcept {
    constexpr std::uint64_t kRoundingMs = 1;
    const auto passed = static_cast<std::uint64_t>(boottime_ms - latest_boottime_ms_);
    const std::uint64_t most = latest_ms_ + passed + kRoundingMs + starts_ * kStartAdvanceMsMax;
    const bool fast = ever_ && store_time_ms > most;
    const bool fell = ever_ && starts_ == 0 && store_time_ms < latest_ms_;
    ever_ = true;
    starts_ = 0;
    latest_ms_ = store_time_ms;
    latest_boottime_ms_ = boottime_ms;
    return !fast && !fell;
}

void SimWorld::note_time(std::uint64_t store_time_ms, std::int64_t boottime_ms) {
    if (!store_time.see(store_time_ms, boottime_ms))
        fail("store time went faster than time, to " + std::to_string(store_time_ms));
    history.set_time(store_time_ms);
}

Ending ending_of(const engine::Refusal* refusal) noexcept {
    if (refusal == nullptr) return {};
    if (refusal->code.category() != engine::category())
        return {Ending::Kind::unexpected, Verdict::ok};
    using engine::Errc;
    switch (static_cast<Errc>(refusal->code.value())) {
        case Errc::name_unknown:
        case Errc::manifest_unknown:
        case Errc::blob_unknown:
        case Errc::upload_unknown:
        case Errc::document_unknown:
            return {Ending::Kind::answered, Verdict::absent};
        case Errc::in_use:
            return {Ending::Kind::answered, Verdict::in_use};
        case Errc::child_missing:
            return {Ending::Kind::answered, Verdict::child_missing};
        case Errc::exists:
        case Errc::precondition_failed:
            return {Ending::Kind::answered, Verdict::precondition};
        case Errc::digest_mismatch:
            return {Ending::Kind::answered, Verdict::mismatch};
        case Errc::unknown:
            return {Ending::Kind::unknown, Verdict::ok};
        case Errc::no_space:
        case Errc::read_only:
        case Errc::overloaded:
        case Errc::too_many_uploads:
        case Errc::offset_mismatch:
        case Errc::damaged:
        case Errc::io_error:
        case Errc::stopped:
            return {Ending::Kind::undone, Verdict::ok};
        default:
            return {Ending::Kind::unexpected, Verdict::ok};
    }
}
Awaitable<void> pause_at_times(Life& life) {
    if (!life.world.random.one_in(life.world.workload.pauses)) co_return;
    const auto pause =
        static_cast<std::int64_t>(life.world.random.below(life.world.workload.pause_ns_max));
    co_await life.clock.sleep_until(life.clock.steady_ns() + pause);
}

}  // namespace orbitalreg::sim
