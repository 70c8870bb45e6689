#pragma once
// run_jobs() spreads numbered jobs over processes, and sums up what they went through. A job whose process dies has
// failed like one that reports a failure.

#include "sim/simulation.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace orbitalreg::sim {

struct JobSet {
    std::uint64_t count = 0;
    std::function<SimulationResult(std::uint64_t job)> run;
    std::function<std::string(std::uint64_t job)> name;  // for a failure, and how to replay it
};

struct JobLimits {
    unsigned processes = 1;
    double seconds = 0;           // take no further job after so long; 0: never
    bool stop_at_failure = true;  // take no job above one that failed
};

struct JobReport {
    SimulationResult sum;  // its hash is over all jobs; its failure stays empty
    std::uint64_t done = 0;
    std::uint64_t failures = 0;
    std::optional<std::uint64_t> first_failed;  // the lowest
    double seconds = 0;
};

// Failures are printed as they come.
JobReport run_jobs(const JobSet& jobs, const JobLimits& limits);

}  // namespace orbitalreg::sim
