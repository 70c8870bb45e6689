#include "sim/simulation.h"

#include "sim/process.h"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <optional>

namespace orbitalreg::sim {
namespace {

constexpr std::uint64_t kNestedCrashesMax = 3;
constexpr std::int64_t kYearNs = 365LL * 24 * 3600 * 1'000'000'000;

// What a seed is about, besides power cuts.
enum class Theme : std::uint8_t { crashes, errors, rot, lost_frame };

Theme draw_theme(SimRandom& random) {
    switch (random.below(20)) {
        case 0:
        case 1:
        case 2:
        case 3:
        case 4:
            return Theme::errors;
        case 5:
        case 6:
        case 7:
            return Theme::rot;
        case 8:
            return Theme::lost_frame;
        default:
            return Theme::crashes;
    }
}

cas::StoreOptions draw_options(SimRandom& random) {
    cas::StoreOptions options = tiny_options();
    options.log_segment_size_bytes = 64_KiB << random.below(3);
    options.lane_target_bytes = 128_KiB << random.below(4);
    options.frame_records_max = static_cast<std::uint32_t>(random.between(4, 32));
    options.lanes_writing_max = static_cast<std::uint32_t>(random.between(2, 8));
    options.lanes_spare = static_cast<std::uint32_t>(random.between(1, 2));
    options.segments_spare = static_cast<std::uint32_t>(random.between(1, 2));
    options.write_size_bytes = 8_KiB << random.below(4);
    options.lane_writes_in_flight_max = static_cast<std::uint32_t>(random.between(1, 8));
    options.mark_interval_bytes = 32_KiB << random.below(3);
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

class Simulation {
public:
    Simulation(std::uint64_t seed, const SimulationOptions& options)
        : options_{options},
          world_{seed, seed % 3 == 0 ? SimDiskMode::ordered : SimDiskMode::strict},
          theme_{draw_theme(world_.random)},
          store_options_{draw_options(world_.random)} {
        world_.verbose = options.verbose;
        if (!options.verbose) return;
        talking_ = make_stderr_log(LogLevel::debug, LogFormat::text);
        log_ = talking_.get();
    }

    SimulationResult run();

private:
    // How a life is meant to go.
    struct Plan {
        std::uint64_t crash_at = 0;
        std::uint64_t operations = 0;
        std::size_t clients = 0;
        bool faults = false;
        bool clean_stop = false;
    };
    Plan draw_plan();
    void run_life(const Plan& plan);
    bool open(SimProcess& process);
    void judge_refusal(SimProcess& process, const ErrorCode& error);
    void use(SimProcess& process, const Plan& plan);
    void run_clients(SimProcess& process, Life& life, const Plan& plan);
    void finish_life(SimProcess& process, const Plan& plan);
    void harm();
    void fsck();
    void finale();
    bool over() const noexcept { return !world_.failure.empty() || refused_; }

    const SimulationOptions options_;
    SimWorld world_;
    const Theme theme_;
    const cas::StoreOptions store_options_;
    std::int64_t now_ns_ = 1'000'000'000;
    std::int64_t wall_offset_ns_ = 1'700'000'000'000'000'000;
    std::uint64_t recovery_boundaries_ = 20;  // of the last start that came through
    std::uint64_t nested_ = 0;                // crashes since the last start that came through
    bool ever_opened_ = false;                // before that there may be no store to look at
    bool refused_ = false;                    // damage made the store refuse to open, as it may
    std::optional<QuietState> quiet_;
    std::unique_ptr<Log> talking_;
    Log* log_ = &null_log();
    SimulationResult result_;
};

Simulation::Plan Simulation::draw_plan() {
    SimRandom& random = world_.random;
    Plan plan;
    plan.clients = random.one_in(8) ? 0 : random.between(1, 5);
    plan.operations = plan.clients == 0 ? 0 : random.between(1, 30);
    plan.faults =
        theme_ == Theme::errors ? random.coin() : world_.damage == Damage::none && random.one_in(6);
    const std::uint64_t kind = random.below(20);
    if (kind < 4 && nested_ < kNestedCrashesMax) {
        plan.crash_at = random.between(1, recovery_boundaries_ + 2);
    } else if (kind < 18) {
        plan.crash_at = recovery_boundaries_ + 1 + random.below(random.coin() ? 12 : 80);
    } else {
        plan.clean_stop = kind == 19;
    }
    return plan;
}

bool Simulation::open(SimProcess& process) {
    const auto opened = process.open(store_options_, *log_);
    if (!opened) {
        if (!process.io().crashed()) judge_refusal(process, opened.error());
        return false;
    }
    recovery_boundaries_ = process.io().boundaries();
    nested_ = 0;
    ever_opened_ = true;
    return true;
}

void Simulation::judge_refusal(SimProcess& process, const ErrorCode& error) {
    world_.say("the store does not open: " + error.message());
    if (process.io().loud_faults() > 0) return;  // the next start will do
    if (world_.damage != Damage::none) {
        refused_ = true;
        ++result_.refused_openings;
        return;
    }
    world_.fail("the store does not open after a power cut: " + error.message());
}

void Simulation::run_clients(SimProcess& process, Life& life, const Plan& plan) {
    life.operations_left = plan.operations;
    life.clients = plan.clients;
    for (std::size_t i = 0; i < plan.clients; ++i) {
        asio::co_spawn(process.scheduler().executor(), run_client(life), asio::detached);
    }
    process.scheduler().run_until([&] { return life.clients == 0 || !world_.failure.empty(); },
                                  kStepsMax);
    // With or without power, every request ends.
    if (life.clients > 0) world_.fail("a request never ended");
}

void Simulation::use(SimProcess& process, const Plan& plan) {
    if (quiet_ && world_.damage == Damage::none && !(process.quiet_state() == *quiet_)) {
        world_.fail("the state after a restart differs from the state before it");
    }
    quiet_.reset();
    process.audit();
    if (process.io().crashed() || over()) return;
    if (plan.faults && theme_ == Theme::errors) process.io().set_faults(draw_errors(world_.random));
    if (plan.faults && theme_ == Theme::lost_frame) {
        process.io().set_faults({.lost_log_write = world_.random.between(1, 10)});
    }
    Life life = process.life();
    run_clients(process, life, plan);
    process.io().set_faults({});
    if (process.io().silent_faults() > 0) world_.damage = Damage::lost_frame;
    // A write that is lost at the very end of the log cannot be told from one that was never made.
    if (process.io().last_dsync_lost()) refused_ = true;
    if (process.io().crashed() || over()) return;
    if (!process.store().store().stats().read_only) quiet_ = process.quiet_state();
    if (!plan.clean_stop) return;
    process.stop();
    if (!process.io().crashed()) ++result_.clean_stops;
}

void Simulation::finish_life(SimProcess& process, const Plan& plan) {
    result_.faults += process.io().loud_faults() + process.io().silent_faults();
    world_.errors_seen = world_.errors_seen || process.io().loud_faults() > 0;
    world_.say("--- ends after " + std::to_string(process.io().boundaries()) + " boundaries" +
               (process.io().crashed() ? ", power cut" : ""));
    if (process.io().crashed()) {
        ++result_.crash_points;
        ++nested_;
        if (!process.is_open()) ++result_.recovery_crashes;
    } else if (!plan.clean_stop) {
        process.io().kill();
        ++result_.kills;
    }
    now_ns_ =
        process.clock().steady_ns() + static_cast<std::int64_t>(world_.random.below(5'000'000'000));
    wall_offset_ns_ = process.clock().wall_offset_ns();
    if (world_.random.one_in(20))
        wall_offset_ns_ += world_.random.coin() ? 10 * kYearNs : -10 * kYearNs;
}

void Simulation::run_life(const Plan& plan) {
    ++result_.lives;
    world_.say("--- life " + std::to_string(result_.lives) + ": power cut at " +
               std::to_string(plan.crash_at) + ", " + std::to_string(plan.clients) + " clients, " +
               std::to_string(plan.operations) + " operations");
    SimProcess process{world_, now_ns_, plan.crash_at};
    process.clock().jump_wall_ns(wall_offset_ns_ - process.clock().wall_offset_ns());
    if (plan.faults && theme_ == Theme::errors && world_.random.one_in(4))
        process.io().set_faults(draw_errors(world_.random));
    if (open(process)) {
        process.io().set_faults({});
        use(process, plan);
    }
    finish_life(process, plan);
}

// Flips bits of what lies on the disk.
void Simulation::harm() {
    std::vector<SimInode*> files;
    world_.disk.visit([&](const std::string& path, SimInode& file) {
        const bool holds_payload = path.starts_with("lane/");
        if (!file.current.empty() && (holds_payload || world_.random.one_in(3)))
            files.push_back(&file);
    });
    if (files.empty()) return;
    for (std::uint64_t flips = world_.random.between(1, 12); flips > 0; --flips) {
        SimInode& file = *files[world_.random.below(files.size())];
        world_.disk.flip_bit(file, world_.random.below(file.current.size()),
                             static_cast<unsigned>(world_.random.below(8)));
    }
    world_.damage = Damage::rot;
}

void Simulation::fsck() {
    ++result_.fsck_runs;
    check_at_rest(world_, *log_, quiet_ ? &*quiet_ : nullptr);
}

// Faults stop: the store opens, serves, takes requests to their end, stops, and fsck has nothing to say.
void Simulation::finale() {
    if (world_.damage != Damage::none) return;
    Plan plan;
    plan.clients = 3;
    plan.operations = 10;
    plan.clean_stop = true;
    run_life(plan);
    if (!over()) fsck();
    if (!over()) run_life({});
}

SimulationResult Simulation::run() {
    try {
        while (!over() && result_.lives < options_.lives) {
            if (theme_ == Theme::rot && world_.random.one_in(10)) harm();
            run_life(draw_plan());
            const bool at_rest = !over() && world_.damage == Damage::none && result_.lives > 1;
            if (at_rest && nested_ == 0 && ever_opened_ && world_.random.one_in(3)) fsck();
        }
        if (!over()) finale();
    } catch (const std::exception& exception) {
        world_.fail(std::string{"an exception escaped: "} + exception.what());
    }
    result_.failure = world_.failure;
    result_.operations = world_.operations;
    result_.acknowledged = world_.acknowledged;
    result_.io_calls = world_.trace.calls;
    result_.trace_hash = mix64(world_.trace.hash, world_.disk.fingerprint());
    return result_;
}

}  // namespace

SimulationResult simulate(std::uint64_t seed, const SimulationOptions& options) {
    return Simulation{seed, options}.run();
}

}  // namespace orbitalreg::sim
