#include "sim/swarm.h"

#include "sim/life.h"

#include <algorithm>
#include <numeric>

namespace orbitalreg::sim {
namespace {

using Kind = Operation::Kind;

void draw_space(SimRandom& random, cas::StoreOptions& options) {
    options.log_segment_size_bytes = 64_KiB << random.below(3);
    options.lane_target_bytes = 128_KiB << random.below(4);
    options.frame_records_max = static_cast<std::uint32_t>(random.between(4, 32));
    options.lanes_writing_max = static_cast<std::uint32_t>(random.between(2, 8));
    options.lanes_spare = static_cast<std::uint32_t>(random.between(1, 2));
    options.segments_spare = static_cast<std::uint32_t>(random.between(1, 2));
    options.write_size_bytes = 8_KiB << random.below(4);
    options.lane_writes_in_flight_max = static_cast<std::uint32_t>(random.between(1, 8));
    options.mark_interval_bytes = 32_KiB << random.below(3);
    options.compaction_interval_ms = random.one_in(4) ? 0 : std::int64_t{1} << random.below(6);
    options.punch_slice_bytes = 8_KiB << random.below(4);
    options.punch_slack_bytes = 0;
}

void draw_collection(SimRandom& random, cas::StoreOptions& options) {
    // One in four never meets collection: what is pushed stays.
    static constexpr std::int64_t kGraces[]{24 * 3'600'000, 0,    1000, 2000,
                                            2000,           4000, 4000, 10'000};
    options.gc_grace_ms = kGraces[random.below(std::size(kGraces))];
    options.gc_interval_ms = std::int64_t{50} << random.below(7);
    options.gc_batch_blobs_max = static_cast<std::uint32_t>(random.between(1, 4));
    options.gc_batch_links_max = static_cast<std::uint32_t>(random.between(1, 8));
    options.damaged_keep_ms = random.coin() ? 0 : 5000;
}

void draw_checkpoints(SimRandom& random, cas::StoreOptions& options) {
    options.checkpoint_interval_bytes = random.one_in(4) ? 1_GiB : 16_KiB << random.below(5);
    options.checkpoint_after_ms = 10'000;
    options.checkpoint_at_stop_bytes = random.coin() ? 1 : 1_GiB;
    options.checkpoint_block_bytes = 512 << random.below(6);
    options.checkpoint_slice_rows = static_cast<std::uint32_t>(random.between(1, 8));
    options.checkpoint_side_bytes_max = random.coin() ? 2_KiB : 1_MiB;
}

// What looks for damage by itself.
void draw_audits(SimRandom& random, cas::StoreOptions& options) {
    if (random.one_in(3)) {
        options.scrub_rate_bytes = 16_KiB << (2 * random.below(6));
        options.scrub_full_every_ms = std::int64_t{100} << random.below(6);
        options.scrub_digest_every = static_cast<std::uint32_t>(random.below(3));
        options.scrub_position_every_ms = std::int64_t{10} << random.below(6);
    }
    static constexpr std::uint32_t kMarks[]{1, 4, 16, 1000};
    options.damage_marks_per_minute_max = kMarks[random.below(std::size(kMarks))];
    if (random.one_in(3)) options.recount_interval_ms = std::int64_t{50} << random.below(7);
}

}  // namespace

Theme draw_theme(SimRandom& random) {
    static constexpr Theme kThemes[]{
        Theme::crashes, Theme::crashes, Theme::crashes,    Theme::crashes,    Theme::crashes,
        Theme::crashes, Theme::crashes, Theme::crashes,    Theme::crashes,    Theme::crashes,
        Theme::errors,  Theme::errors,  Theme::errors,     Theme::errors,     Theme::rot,
        Theme::rot,     Theme::astray,  Theme::lost_frame, Theme::stale_tail, Theme::rollback};
    return kThemes[random.below(std::size(kThemes))];
}

std::optional<Theme> theme_of(std::string_view name) noexcept {
    static constexpr std::array<std::string_view, 9> kNames{
        "crashes", "errors",   "rot",   "lost_frame", "stale_tail",
        "astray",  "rollback", "pulls", "retention"};
    const auto found = std::find(kNames.begin(), kNames.end(), name);
    if (found == kNames.end()) return std::nullopt;
    return static_cast<Theme>(found - kNames.begin());
}

cas::StoreOptions tiny_options() {
    cas::StoreOptions options;
    options.log_segment_size_bytes = 64_KiB;
    options.lane_target_bytes = 256_KiB;
    options.inline_size_max_bytes = kInlineSizeMax;
    options.frame_size_target_bytes = 8_KiB;
    options.frame_records_max = 8;
    options.group_size_max_bytes = 16_KiB;
    options.lanes_writing_max = 4;
    options.lanes_spare = 1;
    options.segments_spare = 1;
    options.lane_step_min_bytes = 16_KiB;
    options.lane_step_max_bytes = 64_KiB;
    options.write_size_bytes = 16_KiB;
    options.lane_writes_in_flight_max = 4;
    options.memory_limit_bytes = 32_MiB;
    options.mark_interval_bytes = 64_KiB;
    options.compaction_rate_bytes_per_s = 0;
    options.punch_slice_bytes = 32_KiB;
    options.punch_slack_bytes = 4_KiB;
    options.checkpoint_block_bytes = 1_KiB;
    options.checkpoint_slice_rows = 2;
    return options;
}

cas::StoreOptions draw_options(SimRandom& random) {
    cas::StoreOptions options = tiny_options();
    draw_space(random, options);
    draw_collection(random, options);
    draw_checkpoints(random, options);
    draw_audits(random, options);
    return options;
}

cas::StoreOptions draw_options_for_hours(SimRandom& random) {
    constexpr std::int64_t kMinuteMs = 60'000;
    static constexpr std::int64_t kGraces[]{4000, 60'000, 60 * kMinuteMs, 300 * kMinuteMs};
    cas::StoreOptions options = draw_options(random);
    options.gc_grace_ms = kGraces[random.below(std::size(kGraces))];
    options.gc_interval_ms = kMinuteMs * static_cast<std::int64_t>(random.between(5, 30));
    options.compaction_interval_ms = random.one_in(4) ? 0 : 10 * kMinuteMs;
    options.scrub_rate_bytes = 0;
    options.recount_interval_ms = random.one_in(3) ? 20 * kMinuteMs : 24 * 60 * kMinuteMs;
    return options;
}

SimFaults draw_errors(SimRandom& random) {
    SimFaults faults;
    const auto rare = [&random] {
        return random.coin() ? 0 : std::uint64_t{10} << random.below(6);
    };
    faults.read_error = rare();
    faults.write_error = rare();
    faults.sync_error = rare();
    faults.dsync_error = random.coin() ? 0 : rare();
    faults.no_space = rare();
    return faults;
}

SimFaults draw_astray(SimRandom& random) {
    SimFaults faults;
    faults.lost_write = random.coin() ? 0 : random.between(5, 200);
    faults.misdirected_write = random.coin() ? 0 : random.between(5, 200);
    return faults;
}

// With slow handlers the rounds of the background fall into the midst of requests; with quick ones they wait for a pause.
SimPace draw_pace(SimRandom& random) {
    static constexpr std::int64_t kHandlerNs[]{20'000,  20'000,    20'000,
                                               200'000, 1'000'000, 5'000'000};
    SimPace pace;
    pace.handler_ns_max = kHandlerNs[random.below(std::size(kHandlerNs))];
    if (random.coin()) return pace;
    pace.delay_one_in = std::uint64_t{10} << random.below(5);
    pace.delay_ns_max = std::int64_t{1'000'000} << random.below(10);
    return pace;
}

Workload::Workload() noexcept {
    weights.fill(1);
    weights[static_cast<std::size_t>(Kind::link_blob)] = 0;  // pushes and sessions come to these
    weights[static_cast<std::size_t>(Kind::finish_wrong)] = 0;
    weights[static_cast<std::size_t>(Kind::cancel_session)] = 0;
    weights[static_cast<std::size_t>(Kind::put_manifest)] = 3;
    for (const Kind kind : {Kind::mount, Kind::set_tag, Kind::read_tag, Kind::head_link})
        weights[static_cast<std::size_t>(kind)] = 2;
}

Operation::Kind Workload::draw(SimRandom& random) const noexcept {
    const auto sum = std::accumulate(weights.begin(), weights.end(), std::uint64_t{0});
    std::uint64_t left = random.below(sum);
    std::size_t kind = 0;
    while (left >= weights[kind]) left -= weights[kind++];
    return static_cast<Kind>(kind);
}

std::size_t Workload::draw_blob(SimRandom& random) const noexcept {
    std::size_t blob = random.below(Universe::kBlobs);
    while ((blobs >> blob & 1) == 0) blob = (blob + 1) % Universe::kBlobs;
    return blob;
}

Workload draw_workload(SimRandom& random) {
    Workload workload;
    if (random.one_in(3)) return workload;
    // A few blobs that everybody wants: what lies in lanes, read while it is deleted and pushed again.
    if (random.coin()) {
        workload.blobs = 1U << random.between(7, 9) | 1U << random.below(Universe::kBlobs);
        workload.weights[static_cast<std::size_t>(Kind::read_link)] = 4;
        workload.reader_pauses = 1;
    }
    for (std::uint64_t& weight : workload.weights) weight *= random.below(4);
    // Without manifests nothing is ever referenced.
    auto& puts = workload.weights[static_cast<std::size_t>(Kind::put_manifest)];
    puts = std::max<std::uint64_t>(puts, 1);
    workload.pushes = random.between(2, 8);
    workload.sessions = random.between(2, 8);
    workload.clock_jumps = random.one_in(4) ? 20 : 0;
    workload.pauses = std::uint64_t{2} << random.below(5);
    workload.pause_ns_max = std::uint64_t{1'000'000} << random.below(11);
    return workload;
}

}  // namespace orbitalreg::sim
