#include "sim/board.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace orbitalreg::sim {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

constexpr unsigned kWorkersMax = 64;
constexpr std::uint64_t kNone = ~std::uint64_t{0};

struct Worker {
    std::atomic<std::uint64_t> current{kNone};
    SimulationResult sum;  // of its own; strings stay empty
};

// What parent and workers share.
struct Board {
    std::atomic<std::uint64_t> next{0};
    std::atomic<std::uint64_t> failed{kNone};  // the lowest job that failed
    std::atomic<std::uint64_t> failures{0};
    std::atomic<std::uint64_t> done{0};
    std::atomic<std::uint64_t> hash{0};
    Worker workers[kWorkersMax];
};

void note_failure(Board& board, const JobSet& jobs, std::uint64_t job, const char* what) {
    ++board.failures;
    std::uint64_t before = board.failed.load();
    while (job < before && !board.failed.compare_exchange_weak(before, job)) {
    }
    std::fprintf(stdout, "%s: %s\n", jobs.name(job).c_str(), what);
    std::fflush(stdout);
}

void add(SimulationResult& sum, const SimulationResult& one) {
    sum.lives += one.lives;
    sum.crash_points += one.crash_points;
    sum.recovery_crashes += one.recovery_crashes;
    sum.deep_crashes += one.deep_crashes;
    sum.kills += one.kills;
    sum.clean_stops += one.clean_stops;
    sum.refused_openings += one.refused_openings;
    sum.operations += one.operations;
    sum.acknowledged += one.acknowledged;
    sum.io_calls += one.io_calls;
    sum.faults += one.faults;
    sum.fsck_runs += one.fsck_runs;
    sum.blobs_collected += one.blobs_collected;
    sum.blobs_kept += one.blobs_kept;
    sum.run_twice += one.run_twice;
}

void work(Board& board, Worker& worker, const JobSet& jobs, const JobLimits& limits,
          SteadyTime begun) {
    while (true) {
        const std::uint64_t job = board.next.fetch_add(1);
        const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begun;
        const bool late = limits.seconds > 0 && spent.count() > limits.seconds;
        const bool above = limits.stop_at_failure && job > board.failed.load();
        if (job >= jobs.count || late || above) return;
        worker.current = job;
        const SimulationResult result = jobs.run(job);
        add(worker.sum, result);
        board.hash.fetch_xor(result.trace_hash);
        ++board.done;
        if (!result.failure.empty()) note_failure(board, jobs, job, result.failure.c_str());
    }
}

Board& make_board() {
    void* const memory =
        ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    return *new (memory) Board;
}

pid_t start_worker(Board& board, unsigned index, const JobSet& jobs, const JobLimits& limits,
                   SteadyTime begun) {
    std::fflush(stdout);
    const pid_t child = ::fork();
    if (child != 0) return child;
    work(board, board.workers[index], jobs, limits, begun);
    ::_exit(0);
}

void await_workers(Board& board, const JobSet& jobs, const JobLimits& limits, SteadyTime begun,
                   std::vector<pid_t>& children) {
    for (unsigned i = 0; i < children.size(); ++i) {
        while (true) {
            int status = 0;
            ::waitpid(children[i], &status, 0);
            if (WIFEXITED(status) && WEXITSTATUS(status) == 0) break;
            const std::string what =
                std::string{"the process died ("} +
                (WIFSIGNALED(status) ? ::strsignal(WTERMSIG(status)) : "exit") + ")";
            ++board.done;
            note_failure(board, jobs, board.workers[i].current, what.c_str());
            if (limits.stop_at_failure) break;
            children[i] = start_worker(board, i, jobs, limits, begun);
        }
    }
}

}  // namespace

JobReport run_jobs(const JobSet& jobs, const JobLimits& limits) {
    Board& board = make_board();
    const SteadyTime begun = std::chrono::steady_clock::now();
    if (jobs.count == 1) {
        work(board, board.workers[0], jobs, limits, begun);  // in this process: for a debugger
    } else {
        std::vector<pid_t> children;
        const unsigned processes = std::clamp(limits.processes, 1U, kWorkersMax);
        for (unsigned i = 0; i < processes; ++i)
            children.push_back(start_worker(board, i, jobs, limits, begun));
        await_workers(board, jobs, limits, begun, children);
    }
    JobReport report;
    for (const Worker& worker : board.workers) add(report.sum, worker.sum);
    report.sum.trace_hash = board.hash;
    report.done = board.done;
    report.failures = board.failures;
    if (board.failed != kNone) report.first_failed = board.failed.load();
    report.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    ::munmap(&board, sizeof(Board));
    return report;
}

}  // namespace orbitalreg::sim
