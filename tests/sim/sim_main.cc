// orbitalreg-sim runs seeds of the simulation, or scripts cut at every boundary, side by side, and prints what they went
// through. What fails is printed with what was wrong and how to replay it alone.

#include "sim/board.h"
#include "sim/exhaustive.h"
#include "sim/planted.h"
#include "sim/simulation.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <optional>
#include <sstream>
#include <thread>
#include <vector>

namespace orbitalreg::sim {
namespace {

constexpr std::uint64_t kTwiceMax =
    50;  // so many seeds are run a second time, and must go the same way
constexpr std::array<SimSurvival, 3> kSurvivals{SimSurvival::all, SimSurvival::none,
                                                SimSurvival::drawn};
constexpr std::array<const char*, 3> kSurvivalNames{"all", "none", "drawn"};

struct Arguments {
    std::uint64_t first = 1;
    std::uint64_t seeds = 100;
    std::uint64_t seed = 0;  // only this one
    std::string seed_file;
    std::string exhaustive;  // file of scripts
    std::string script;      // only this one of them
    std::optional<std::uint64_t> cut;
    std::uint64_t repeat = 0;  // times that scripts are run whole, each in another order
    std::string survival;
    double seconds = 0;
    unsigned jobs = std::max(1U, std::thread::hardware_concurrency());
    std::string planted;
    std::string theme;
    bool verbose = false;
    bool list = false;
};

unsigned long long n(std::uint64_t value) { return static_cast<unsigned long long>(value); }

std::optional<std::string> text_of(const std::string& path) {
    std::ifstream file{path, std::ios::binary};
    if (!file) {
        std::fprintf(stderr, "cannot read %s\n", path.c_str());
        return std::nullopt;
    }
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

SimulationResult run_seed(const Arguments& arguments, std::uint64_t seed, bool twice) {
    SimulationResult result =
        simulate(seed, {.verbose = arguments.verbose, .theme = theme_of(arguments.theme)});
    if (!result.failure.empty() || !twice) return result;
    const SimulationResult again = simulate(seed, {.theme = theme_of(arguments.theme)});
    result.run_twice = 1;
    if (again.trace_hash != result.trace_hash || again.io_calls != result.io_calls)
        result.failure = "a second run of the seed went another way";
    return result;
}

void print_sum(const JobReport& report) {
    const SimulationResult& sum = report.sum;
    std::printf(
        "%llu lives, %llu crash points (%llu during recovery, %llu of them of the third start in a "
        "row), %llu kills, %llu clean stops\n"
        "%llu operations, %llu acknowledged, %llu faults, %llu openings refused after damage, "
        "%llu fsck runs, %llu Io calls\n"
        "trace hash %016llx, %.1f s\n",
        n(sum.lives), n(sum.crash_points), n(sum.recovery_crashes), n(sum.deep_crashes),
        n(sum.kills), n(sum.clean_stops), n(sum.operations), n(sum.acknowledged), n(sum.faults),
        n(sum.refused_openings), n(sum.fsck_runs), n(sum.io_calls), n(sum.trace_hash),
        report.seconds);
}

// The exit code: with a planted bug, success is to find it.
int conclude_run(const Arguments& arguments, const JobReport& report) {
    print_sum(report);
    const bool failed = report.first_failed.has_value();
    if (arguments.planted.empty()) {
        if (failed) std::printf("FAILED: %llu of %llu\n", n(report.failures), n(report.done));
        return failed ? 1 : 0;
    }
    if (failed) {
        std::printf("planted %s: found, the %lluth tried\n", arguments.planted.c_str(),
                    n(*report.first_failed + 1));
    } else {
        std::printf("planted %s: NOT FOUND in %llu\n", arguments.planted.c_str(), n(report.done));
    }
    return failed ? 0 : 1;
}

int run_seeds(const Arguments& arguments, const std::vector<std::uint64_t>& seeds) {
    const JobSet jobs{seeds.size(),
                      [&](std::uint64_t job) {
                          return run_seed(arguments, seeds[job],
                                          job < kTwiceMax && arguments.planted.empty());
                      },
                      [&](std::uint64_t job) { return "--seed " + std::to_string(seeds[job]); }};
    const JobReport report = run_jobs(jobs, {arguments.jobs, arguments.seconds, true});
    std::printf("%llu seeds (%llu run twice)\n", n(report.done), n(report.sum.run_twice));
    return conclude_run(arguments, report);
}

// One number a line; what follows it says why it is kept.
std::optional<std::vector<std::uint64_t>> read_seeds(const std::string& path) {
    const auto text = text_of(path);
    if (!text) return std::nullopt;
    std::vector<std::uint64_t> seeds;
    std::istringstream lines{*text};
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words{line.substr(0, line.find('#'))};
        for (std::uint64_t seed = 0; words >> seed;) seeds.push_back(seed);
    }
    return seeds;
}

// --- scripts ---

struct CaseNumber {
    std::size_t script = 0;
    std::uint64_t cut = 0;
    std::size_t survival = 0;
    std::uint64_t seed = 0;  // of a repetition; 0: cut in the one order that all cases share
};

std::string name_of(const std::vector<Script>& scripts, const CaseNumber& which) {
    if (which.seed != 0)
        return "--repeat 1 --first " + std::to_string(which.seed) + " --script " +
               scripts[which.script].name;
    return "--script " + scripts[which.script].name + " --cut " + std::to_string(which.cut) +
           " --survival " + kSurvivalNames[which.survival];
}

std::optional<std::vector<CaseNumber>> choose_cases(const Arguments& arguments,
                                                    const std::vector<Script>& scripts) {
    std::vector<CaseNumber> cases;
    for (std::uint64_t i = 0; i < arguments.repeat; ++i) {
        const std::uint64_t seed = arguments.first + i;
        const std::size_t drawn = kSurvivals.size() - 1;
        for (std::size_t script = 0; script < scripts.size(); ++script) {
            const bool all = arguments.script.empty() && seed % scripts.size() == script;
            if (all || arguments.script == scripts[script].name)
                cases.push_back({script, 0, drawn, seed});
        }
    }
    for (std::size_t i = 0; arguments.repeat == 0 && i < scripts.size(); ++i) {
        if (!arguments.script.empty() && arguments.script != scripts[i].name) continue;
        const std::uint64_t boundaries = arguments.cut ? 0 : count_boundaries(scripts[i]);
        const std::uint64_t from = arguments.cut.value_or(0);
        for (std::uint64_t cut = from; cut <= std::max(from, boundaries); ++cut) {
            for (std::size_t survival = 0; survival < kSurvivals.size(); ++survival) {
                const bool wanted =
                    arguments.survival.empty() || arguments.survival == kSurvivalNames[survival];
                if (wanted) cases.push_back({i, cut, survival, 0});
            }
        }
    }
    if (cases.empty()) {
        std::fprintf(stderr, "no such script: %s\n", arguments.script.c_str());
        return std::nullopt;
    }
    return cases;
}

int run_exhaustive(const Arguments& arguments) {
    const auto text = text_of(arguments.exhaustive);
    if (!text) return 2;
    std::string complaint;
    const auto scripts = parse_scripts(*text, complaint);
    if (!scripts) {
        std::fprintf(stderr, "%s: %s\n", arguments.exhaustive.c_str(), complaint.c_str());
        return 2;
    }
    const auto cases = choose_cases(arguments, scripts.value());
    if (!cases) return 2;
    const JobSet jobs{cases->size(),
                      [&](std::uint64_t job) {
                          const CaseNumber& which = (*cases)[job];
                          ScriptCase one{scripts.value()[which.script], which.cut,
                                         kSurvivals[which.survival], arguments.verbose};
                          if (which.seed != 0) one.seed = which.seed;
                          one.paced = which.seed != 0;
                          return run_case(one);
                      },
                      [&](std::uint64_t job) { return name_of(scripts.value(), (*cases)[job]); }};
    const JobReport report =
        run_jobs(jobs, {arguments.jobs, arguments.seconds, !arguments.planted.empty()});
    std::printf(
        "%zu scripts, %llu of %llu cases, %llu blobs collected, %llu kept that were to go\n",
        scripts.value().size(), n(report.done), n(jobs.count), n(report.sum.blobs_collected),
        n(report.sum.blobs_kept));
    return conclude_run(arguments, report);
}

void add_options(CLI::App& app, Arguments& arguments) {
    app.add_option("--first", arguments.first, "the first seed");
    app.add_option("--seeds", arguments.seeds, "how many seeds");
    app.add_option("--seed", arguments.seed, "replay this one alone");
    app.add_option("--seed-file", arguments.seed_file, "the seeds of a file");
    app.add_option("--exhaustive", arguments.exhaustive,
                   "cut the scripts of a file at every boundary, instead of seeds");
    app.add_option("--script", arguments.script, "only this one of them");
    app.add_option("--cut", arguments.cut, "only at this boundary; 0: when the script is through");
    app.add_option("--repeat", arguments.repeat,
                   "run so many scripts of the file whole, each in an order of its own");
    app.add_option("--survival", arguments.survival, "only this choice: all, none or drawn");
    app.add_option("--seconds", arguments.seconds, "take no further seed after so long");
    app.add_option("--jobs", arguments.jobs, "processes side by side");
    app.add_option("--planted", arguments.planted, "commit this bug; success is to find it");
    app.add_option(
        "--theme", arguments.theme,
        "what all seeds are about: crashes, errors, rot, lost_frame, stale_tail, astray, "
        "rollback, pulls or retention");
    app.add_flag("--verbose", arguments.verbose, "print every operation");
    app.add_flag("--list", arguments.list, "print the bugs that can be planted");
}

int run(int argc, char** argv) {
    Arguments arguments;
    CLI::App app{"Simulates the store on one thread over a disk that loses what was not synced."};
    add_options(app, arguments);
    CLI11_PARSE(app, argc, argv);
    if (arguments.list) {
        for (const PlantedBug& bug : planted_bugs())
            std::printf("%-28s %s\n", bug.name, bug.description);
        return 0;
    }
    if (!plant(arguments.planted)) {
        std::fprintf(stderr, "no such bug to plant: %s (see --list)\n", arguments.planted.c_str());
        return 2;
    }
    if (!arguments.theme.empty() && !theme_of(arguments.theme)) {
        std::fprintf(stderr, "no such theme: %s\n", arguments.theme.c_str());
        return 2;
    }
    if (!arguments.exhaustive.empty()) return run_exhaustive(arguments);
    std::vector<std::uint64_t> seeds;
    if (!arguments.seed_file.empty()) {
        auto found = read_seeds(arguments.seed_file);
        if (!found) return 2;
        seeds = std::move(*found);
    } else if (arguments.seed != 0) {
        seeds.push_back(arguments.seed);
    } else {
        for (std::uint64_t i = 0; i < arguments.seeds; ++i) seeds.push_back(arguments.first + i);
    }
    return run_seeds(arguments, seeds);
}

}  // namespace
}  // namespace orbitalreg::sim

int main(int argc, char** argv) { return orbitalreg::sim::run(argc, argv); }
