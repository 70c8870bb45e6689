// orbitalreg-sim runs seeds of the simulation side by side, and prints what they went through. A seed that fails is
// printed with what was wrong; `--seed` replays it alone.

#include "sim/planted.h"
#include "sim/simulation.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <new>
#include <sys/mman.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace orbitalreg::sim {
namespace {

constexpr unsigned kWorkersMax = 64;
constexpr std::uint64_t kTwiceMax =
    50;  // so many seeds are run a second time, and must go the same way

struct Arguments {
    std::uint64_t first = 1;
    std::uint64_t seeds = 100;
    std::uint64_t seed = 0;  // only this one
    double seconds = 0;      // stop taking seeds after so long; 0: never
    unsigned jobs = std::max(1U, std::thread::hardware_concurrency());
    std::string planted;
    bool expect_found = false;
    bool verbose = false;
    bool list = false;
};

struct Worker {
    std::atomic<std::uint64_t> current{0};  // the seed it is at
    SimulationResult sum;                   // of its own; strings stay empty
};

// What parent and workers share.
struct Board {
    std::atomic<std::uint64_t> next{0};
    std::atomic<std::uint64_t> failed{~std::uint64_t{0}};  // the lowest seed that failed
    std::atomic<std::uint64_t> done{0};
    std::atomic<std::uint64_t> twice{0};
    std::atomic<std::uint64_t> hash{0};
    Worker workers[kWorkersMax];
};

void note_failure(Board& board, std::uint64_t seed) {
    std::uint64_t before = board.failed.load();
    while (seed < before && !board.failed.compare_exchange_weak(before, seed)) {
    }
}

void add(SimulationResult& sum, const SimulationResult& one) {
    sum.lives += one.lives;
    sum.crash_points += one.crash_points;
    sum.recovery_crashes += one.recovery_crashes;
    sum.kills += one.kills;
    sum.clean_stops += one.clean_stops;
    sum.refused_openings += one.refused_openings;
    sum.operations += one.operations;
    sum.acknowledged += one.acknowledged;
    sum.io_calls += one.io_calls;
    sum.faults += one.faults;
    sum.fsck_runs += one.fsck_runs;
}

void run_seed(Board& board, Worker& worker, const Arguments& arguments, std::uint64_t seed) {
    worker.current = seed;
    SimulationResult result = simulate(seed, {.verbose = arguments.verbose});
    add(worker.sum, result);
    if (result.failure.empty() && seed < arguments.first + kTwiceMax) {
        const SimulationResult again = simulate(seed, {});
        ++board.twice;
        if (again.trace_hash != result.trace_hash || again.io_calls != result.io_calls) {
            result.failure = "a second run of the seed went another way";
        }
    }
    board.hash.fetch_xor(result.trace_hash);
    ++board.done;
    if (result.failure.empty()) return;
    note_failure(board, seed);
    std::fprintf(stdout, "seed %llu: %s\n", static_cast<unsigned long long>(seed),
                 result.failure.c_str());
    std::fflush(stdout);
}

void work(Board& board, Worker& worker, const Arguments& arguments,
          std::chrono::steady_clock::time_point deadline) {
    while (true) {
        const std::uint64_t index = board.next.fetch_add(1);
        const std::uint64_t seed = arguments.first + index;
        const bool late = arguments.seconds > 0 && std::chrono::steady_clock::now() > deadline;
        if (index >= arguments.seeds || late || seed > board.failed.load()) return;
        run_seed(board, worker, arguments, seed);
    }
}

void report(const Board& board, const Arguments& arguments, double seconds) {
    SimulationResult sum;
    for (const Worker& worker : board.workers) add(sum, worker.sum);
    const auto n = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
    std::printf(
        "%llu seeds (%llu run twice), %llu lives, %llu crash points (%llu during recovery), %llu "
        "kills, "
        "%llu clean stops\n",
        n(board.done), n(board.twice), n(sum.lives), n(sum.crash_points), n(sum.recovery_crashes),
        n(sum.kills), n(sum.clean_stops));
    std::printf(
        "%llu operations, %llu acknowledged, %llu faults, %llu openings refused after damage, %llu "
        "fsck runs, "
        "%llu Io calls\n",
        n(sum.operations), n(sum.acknowledged), n(sum.faults), n(sum.refused_openings),
        n(sum.fsck_runs), n(sum.io_calls));
    std::printf("trace hash %016llx, %.1f s\n", n(board.hash), seconds);
    if (!arguments.planted.empty()) {
        const std::uint64_t failed = board.failed;
        if (failed == ~std::uint64_t{0}) {
            std::printf("planted %s: NOT FOUND in %llu seeds\n", arguments.planted.c_str(),
                        n(board.done));
        } else {
            std::printf("planted %s: found by seed %llu, the %lluth\n", arguments.planted.c_str(),
                        n(failed), n(failed - arguments.first + 1));
        }
    } else if (board.failed != ~std::uint64_t{0}) {
        std::printf("FAILED: replay with --seed %llu --verbose\n", n(board.failed));
    }
}

Board& make_board() {
    void* const memory =
        ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    return *new (memory) Board;
}

int run_alone(const Arguments& arguments) {
    Board& board = make_board();
    Arguments one = arguments;
    one.first = arguments.seed;
    one.seeds = 1;
    const auto start = std::chrono::steady_clock::now();
    run_seed(board, board.workers[0], one, arguments.seed);
    report(board, one,
           std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    return board.failed == ~std::uint64_t{0} ? 0 : 1;
}

int run_many(const Arguments& arguments) {
    Board& board = make_board();
    const auto start = std::chrono::steady_clock::now();
    const auto deadline =
        start + std::chrono::microseconds{static_cast<std::int64_t>(arguments.seconds * 1e6)};
    const unsigned jobs = std::min(arguments.jobs, kWorkersMax);
    std::vector<pid_t> children;
    for (unsigned i = 0; i < jobs; ++i) {
        const pid_t child = ::fork();
        if (child == 0) {
            work(board, board.workers[i], arguments, deadline);
            ::_exit(0);
        }
        children.push_back(child);
    }
    for (unsigned i = 0; i < children.size(); ++i) {
        int status = 0;
        ::waitpid(children[i], &status, 0);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) continue;
        const std::uint64_t seed = board.workers[i].current;
        std::printf("seed %llu: the process died (%s)\n", static_cast<unsigned long long>(seed),
                    WIFSIGNALED(status) ? ::strsignal(WTERMSIG(status)) : "exit");
        note_failure(board, seed);
        ++board.done;
    }
    report(board, arguments,
           std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    return board.failed == ~std::uint64_t{0} ? 0 : 1;
}

int run(int argc, char** argv) {
    Arguments arguments;
    CLI::App app{"Simulates the store on one thread over a disk that loses what was not synced."};
    app.add_option("--first", arguments.first, "the first seed");
    app.add_option("--seeds", arguments.seeds, "how many seeds");
    app.add_option("--seed", arguments.seed, "replay this one alone");
    app.add_option("--seconds", arguments.seconds, "take no further seed after so long");
    app.add_option("--jobs", arguments.jobs, "processes side by side");
    app.add_option("--planted", arguments.planted, "commit this bug; success is to find it");
    app.add_flag("--verbose", arguments.verbose, "print every operation");
    app.add_flag("--list", arguments.list, "print the bugs that can be planted");
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
    const int failed = arguments.seed != 0 ? run_alone(arguments) : run_many(arguments);
    return arguments.planted.empty() ? failed : 1 - failed;
}

}  // namespace
}  // namespace orbitalreg::sim

int main(int argc, char** argv) { return orbitalreg::sim::run(argc, argv); }
