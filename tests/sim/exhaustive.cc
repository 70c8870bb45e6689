#include "sim/exhaustive.h"

#include "sim/process.h"
#include "sim/uploads.h"

#include <exception>

namespace orbitalreg::sim {
namespace {

constexpr std::uint64_t kWorldSeed = 1;
// The boundaries of an opening at which every second case is cut again, in turn.
constexpr std::uint64_t kNestedCuts = 24;

cas::StoreOptions options_of(const Script& script) {
    cas::StoreOptions options = tiny_options();
    if (script.segment_bytes != 0) options.log_segment_size_bytes = script.segment_bytes;
    if (script.lane_bytes != 0) options.lane_target_bytes = script.lane_bytes;
    if (script.grace_ms) options.gc_grace_ms = static_cast<std::int64_t>(*script.grace_ms);
    options.compaction_interval_ms = 0;
    options.gc_interval_ms = 3'600'000;  // when a script says so
    return options;
}

// Every case lives in the same world; making it is most of the cost of a short run.
const Universe& universe() {
    static const Universe made = [] {
        SimRandom random{kWorldSeed};
        return Universe{random, kInlineSizeMax};
    }();
    return made;
}

class CaseRun {
public:
    explicit CaseRun(const ScriptCase& which)
        : case_{which},
          options_{options_of(which.script)},
          world_{which.seed, SimDiskMode::strict, universe()},
          script_{which.script} {
        world_.verbose = which.verbose;
        expect_collection(world_, options_);
        world_.disk.set_survival(which.survival);
        if (!which.verbose) return;
        talking_ = make_stderr_log(LogLevel::debug, LogFormat::text);
        log_ = talking_.get();
    }

    SimulationResult run();
    std::uint64_t count();

private:
    void do_script();
    void note_collection(SimProcess& process);
    void recover();
    void take_up(SimProcess& process);
    bool open(SimProcess& process);
    void end(SimProcess& process);
    std::uint64_t cut_left() const noexcept {
        return case_.cut > passed_ ? case_.cut - passed_ : 0;
    }

    const ScriptCase case_;
    const cas::StoreOptions options_;
    SimWorld world_;
    ScriptRun script_;
    std::int64_t now_ns_ = 1'000'000'000;
    std::uint64_t passed_ = 0;
    std::unique_ptr<Log> talking_;
    Log* log_ = &null_log();
    SimulationResult result_;
};

bool CaseRun::open(SimProcess& process) {
    ++result_.lives;
    const auto opened = process.open(options_, *log_);
    if (!opened && !process.io().crashed())
        world_.fail("the store does not open: " + opened.error().message());
    return static_cast<bool>(opened);
}

void CaseRun::end(SimProcess& process) {
    if (process.io().crashed()) {
        ++result_.crash_points;
        if (!process.is_open()) ++result_.recovery_crashes;
    } else {
        process.io().kill();
        ++result_.kills;
    }
    now_ns_ = process.clock().steady_ns();
    passed_ += process.io().boundaries();
}

// Until the power is cut.
void CaseRun::do_script() {
    while (world_.failure.empty()) {
        SimProcess process{world_, now_ns_, {.crash_at = cut_left()}};
        if (case_.paced) process.scheduler().set_pace(draw_pace(world_.random));
        if (open(process)) {
            Life life = process.life();
            life.slow_readers = case_.paced;
            while (!process.io().crashed() && world_.failure.empty() && script_.begin(life))
                process.run_until([&] { return script_.idle(); }, "a request never ended");
            script_.drop_writers();
            note_collection(process);
        }
        const bool goes_on = !process.io().crashed() && !script_.at_end();
        if (goes_on && script_.leave()) {
            process.stop();
            ++result_.clean_stops;
        }
        if (!goes_on && !process.io().crashed()) process.io().crash();
        const bool over = process.io().crashed();
        end(process);
        if (over) return;
    }
}

void CaseRun::note_collection(SimProcess& process) {
    result_.blobs_collected += process.counted("gc_blobs_deleted_total");
    result_.blobs_kept += process.counted("gc_blobs_kept_total");
}

void CaseRun::recover() {
    const std::uint64_t number = case_.cut * 3 + static_cast<std::uint64_t>(case_.survival);
    if (number % 2 == 1) {
        SimProcess process{world_, now_ns_, {.crash_at = 1 + number / 2 % kNestedCuts}};
        if (open(process)) process.audit();
        end(process);
    }
    QuietState quiet;
    for (int times = 0; times < 2 && world_.failure.empty(); ++times) {
        SimProcess process{world_, now_ns_, {}};
        if (!open(process)) return;
        if (times > 0 && !(process.quiet_state() == quiet))
            world_.fail("a second recovery changed the state");
        process.audit();
        quiet = process.quiet_state();
        if (times > 0) take_up(process);
        end(process);
        ++result_.fsck_runs;
        if (world_.failure.empty()) check_at_rest(world_, *log_, times > 0 ? nullptr : &quiet);
    }
}

Awaitable<void> take_up_sessions(Life& life, bool& done) {
    for (SimSession& session : life.world.sessions) {
        const SimBlob& content = life.world.universe.blobs[session.blob];
        const std::uint64_t size = content.bytes.size();
        auto writer = co_await resume(life, session, content.digest.algorithm(), size);
        if (writer == nullptr) continue;
        if (co_await send(life, *writer, content, size, &session))
            co_await finish(life, *writer, {session.image, session.blob, false}, &session);
    }
    done = true;
}

// Uploads that are open go on to their end, and what they made is there.
void CaseRun::take_up(SimProcess& process) {
    if (world_.sessions.empty() || !world_.failure.empty()) return;
    Life life = process.life();
    bool done = false;
    asio::co_spawn(process.scheduler().executor(), take_up_sessions(life, done), asio::detached);
    process.run_until([&] { return done; }, "a request never ended");
    process.audit();
}

std::uint64_t CaseRun::count() {
    do_script();
    return passed_;
}

SimulationResult CaseRun::run() {
    try {
        do_script();
        if (world_.failure.empty()) recover();
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

SimulationResult run_case(const ScriptCase& which) { return CaseRun{which}.run(); }

std::uint64_t count_boundaries(const Script& script) { return CaseRun{{script}}.count(); }

}  // namespace orbitalreg::sim
