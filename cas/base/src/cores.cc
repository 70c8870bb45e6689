#include "base/cores.h"

#include <algorithm>
#include <sched.h>
#include <thread>

namespace orbitalreg {

unsigned usable_cores() noexcept {
    cpu_set_t set;
    // Fails where there are more cores than fit into the set.
    if (::sched_getaffinity(0, sizeof set, &set) != 0)
        return std::max(1U, std::thread::hardware_concurrency());
    return static_cast<unsigned>(std::max(1, CPU_COUNT(&set)));
}

}  // namespace orbitalreg
