#pragma once
// The bugs that the simulator's self-test commits on purpose, each an ORB_PLANTED site in the product's sources.

#include <string_view>
#include <vector>

namespace orbitalreg::sim {

struct PlantedBug {
    const char* name;
    const char* description;
};

const std::vector<PlantedBug>& planted_bugs();
// Chooses the bug to commit; empty for none. False for a name that is not in the list.
bool plant(std::string_view name);

}  // namespace orbitalreg::sim
