#include "sim/simulation.h"

#include "sim/harm.h"
#include "sim/keepers.h"
#include "sim/process.h"
#include "sim/pulls.h"
#include "sim/swarm.h"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <optional>

namespace orbitalreg::sim {
namespace {

constexpr std::uint64_t kNestedCrashesMax = 4;  // one in use, then three starts in a row
constexpr std::int64_t kYearNs = 365LL * 24 * 3600 * 1'000'000'000;

class Simulation {
public:
    Simulation(std::uint64_t seed, const SimulationOptions& options)
        : options_{options},
          world_{seed, seed % 3 == 0 ? SimDiskMode::ordered : SimDiskMode::strict},
          theme_{options.theme ? *options.theme : draw_theme(world_.random)},
          store_options_{theme_ == Theme::retention ? draw_options_for_hours(world_.random)
                                                    : draw_options(world_.random)} {
        world_.verbose = options.verbose;
        world_.workload = draw_workload(world_.random);
        if (theme_ == Theme::pulls || theme_ == Theme::retention)
            world_.pulls = std::make_shared<PullWorld>(world_.random, world_.universe);
        if (theme_ == Theme::retention) {
            world_.judged = std::make_shared<JudgedWorld>(world_.random, world_.universe);
            world_.workload.sessions = 0;  // they would expire
        }
        expect_collection(world_, store_options_);
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
        bool settles = false;  // stays until nothing unreferenced is left
    };
    Plan draw_plan();
    void run_life(const Plan& plan);
    bool open(SimProcess& process);
    void judge_refusal(SimProcess& process, const ErrorCode& error);
    void use(SimProcess& process, const Plan& plan);
    void run_clients(SimProcess& process, Life& life, const Plan& plan);
    void finish_life(SimProcess& process, const Plan& plan);
    void note_damage(SimProcess& process);
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
    FileMemory memory_;
    SimStalePlace stale_;
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
    const bool again = nested_ > 1 && random.coin();  // a start that was cut is cut again
    if ((kind < 4 || again) && nested_ < kNestedCrashesMax) {
        plan.crash_at = random.between(1, recovery_boundaries_ + 2);
    } else if (kind < 18) {
        plan.crash_at = recovery_boundaries_ + 1 + random.below(random.coin() ? 12 : 80);
    } else {
        plan.clean_stop = kind == 19;
    }
    if (theme_ == Theme::retention) plan.operations *= 4;
    if (world_.pulls != nullptr) {
        // A transfer takes many writes.
        if (plan.crash_at > recovery_boundaries_ && random.coin())
            plan.crash_at += random.below(300);
        plan.settles = random.one_in(4);
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
        if (life.retention != nullptr && !world_.random.one_in(3)) {
            asio::co_spawn(process.scheduler().executor(), run_keeper(life), asio::detached);
            continue;
        }
        if (life.remotes != nullptr && !world_.random.one_in(4)) {
            asio::co_spawn(process.scheduler().executor(), run_pull_client(life), asio::detached);
            continue;
        }
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
    Life life = process.life();
    if (plan.faults && theme_ == Theme::lost_frame)
        process.io().set_faults({.lost_log_write = world_.random.between(1, 10)});
    if (plan.faults && theme_ == Theme::astray) {
        process.io().set_faults(draw_astray(world_.random));
        life.astray = true;
    }
    life.slow_readers = true;
    run_clients(process, life, plan);
    process.io().set_faults({});
    note_damage(process);
    if (process.io().crashed() || over()) return;
    if (plan.settles || plan.clean_stop) process.stop_services();
    if (process.io().crashed() || over()) return;
    if (plan.settles) process.let_all_go();
    if (process.io().crashed() || over()) return;
    if (plan.settles) process.await_collection(store_options_);
    if (plan.settles && world_.pulls != nullptr) process.audit();
    if (process.io().crashed() || over()) return;
    if (plan.clean_stop) {
        process.stop();
        if (process.io().crashed()) return;
        ++result_.clean_stops;
    }
    if (process.is_quiet()) quiet_ = process.quiet_state();
}

void Simulation::note_damage(SimProcess& process) {
    if (process.io().silent_faults() > 0)
        world_.damage = theme_ == Theme::astray ? Damage::stale : Damage::lost_frame;
    // A write that is lost at the very end of the log cannot be told from one that was never made.
    if (process.io().last_dsync_lost()) refused_ = true;
}

void Simulation::finish_life(SimProcess& process, const Plan& plan) {
    result_.faults += process.io().loud_faults() + process.io().silent_faults();
    world_.errors_seen = world_.errors_seen || process.io().loud_faults() > 0;
    world_.say("--- ends after " + std::to_string(process.io().boundaries()) + " boundaries" +
               (process.io().crashed() ? ", power cut" : ""));
    note_damage(process);
    if (process.is_open() || !process.io().stale_place_waits()) stale_ = {};
    if (process.io().cut_frame().file != 0) stale_ = process.io().cut_frame();
    if (process.io().crashed()) {
        ++result_.crash_points;
        ++nested_;
        if (!process.is_open()) ++result_.recovery_crashes;
        if (!process.is_open() && nested_ >= kNestedCrashesMax) ++result_.deep_crashes;
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
    SimIoOptions io_options;
    io_options.crash_at = plan.crash_at;
    io_options.keep_cut_frame = theme_ == Theme::stale_tail;
    io_options.stale = stale_;
    SimProcess process{world_, now_ns_, io_options};
    process.clock().jump_wall_ns(wall_offset_ns_ - process.clock().wall_offset_ns());
    process.scheduler().set_pace(draw_pace(world_.random));
    if (plan.faults && theme_ == Theme::errors && world_.random.one_in(4))
        process.io().set_faults(draw_errors(world_.random));
    if (open(process)) {
        process.io().set_faults({});
        use(process, plan);
    }
    finish_life(process, plan);
}

// Between two processes.
void Simulation::harm() {
    SimRandom& random = world_.random;
    if (theme_ == Theme::rot && random.one_in(10)) flip_bits(world_);
    if (theme_ != Theme::rollback) return;
    if (random.one_in(4)) memory_.remember(world_);
    if (!random.one_in(6) || world_.damage != Damage::none || !ever_opened_ || nested_ > 0) return;
    switch (random.below(4)) {
        case 0:
            static_cast<void>(memory_.put_one_back(world_));
            break;
        case 1:
            static_cast<void>(put_one_over_another(world_));
            break;
        default:
            static_cast<void>(spoil_a_frame(world_));
            break;
    }
}

void Simulation::fsck() {
    ++result_.fsck_runs;
    check_at_rest(world_, *log_, quiet_ ? &*quiet_ : nullptr);
}

// Faults stop: the store opens, serves, takes requests to their end, stops, and fsck has nothing to say.
void Simulation::finale() {
    stale_ = {};
    const bool sound = world_.damage == Damage::none;
    Plan plan;
    plan.clients = 3;
    plan.operations = 10;
    plan.clean_stop = true;
    plan.settles = sound;
    run_life(plan);
    if (!sound) return;
    if (!over()) fsck();
    if (!over()) run_life({});
}

SimulationResult Simulation::run() {
    try {
        while (!over() && result_.lives < options_.lives) {
            harm();
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
