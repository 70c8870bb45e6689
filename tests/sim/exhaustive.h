#pragma once
// The exhaustive mode: each script is run once for every boundary it passes, with the power cut there, and for each of
// three choices of what survives the cut. Then the store must open, hold what was acknowledged, be clean for fsck, and
// open a second time without a change; uploads that are open go on to
// their end. In every second case that first opening is itself cut once.

#include "sim/script.h"
#include "sim/simulation.h"

#include <cstdint>

namespace orbitalreg::sim {

struct ScriptCase {
    const Script& script;
    std::uint64_t cut = 0;  // boundary; 0: when the script is through
    SimSurvival survival = SimSurvival::drawn;
    bool verbose = false;
    std::uint64_t seed = 1;  // of the order in which handlers run
    bool paced = false;      // how time passes is drawn, too
};

SimulationResult run_case(const ScriptCase& which);
// What a run passes that nobody cuts.
std::uint64_t count_boundaries(const Script& script);

}  // namespace orbitalreg::sim
