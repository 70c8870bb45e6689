#pragma once
// Simulation runs one seed: lives of the store, one after another on one disk, each ended by a power cut at a call that
// the seed draws, by a kill, or in order; and an audit after each start. The same seed gives the same run.

#include "sim/swarm.h"

#include <cstdint>
#include <optional>
#include <string>

namespace orbitalreg::sim {

struct SimulationOptions {
    bool verbose = false;
    std::optional<Theme> theme;  // else as the seed draws it
    std::uint64_t lives = 32;    // at least; nested crashes add to it
};

struct SimulationResult {
    std::string failure;  // empty: all is well
    std::uint64_t trace_hash = 0;
    std::uint64_t lives = 0;
    std::uint64_t crash_points = 0;      // power cuts
    std::uint64_t recovery_crashes = 0;  // of these, before the store was open
    std::uint64_t deep_crashes = 0;      // of these, of the third start in a row or later
    std::uint64_t kills = 0;
    std::uint64_t clean_stops = 0;
    std::uint64_t refused_openings = 0;  // after damage
    std::uint64_t operations = 0;
    std::uint64_t acknowledged = 0;
    std::uint64_t io_calls = 0;
    std::uint64_t faults = 0;
    std::uint64_t fsck_runs = 0;
    std::uint64_t blobs_collected = 0;
    std::uint64_t blobs_kept = 0;  // that collection had chosen, when the sequencer looked again
    std::uint64_t run_twice = 0;
};

SimulationResult simulate(std::uint64_t seed, const SimulationOptions& options);

}  // namespace orbitalreg::sim
