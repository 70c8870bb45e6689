#pragma once
// How many cores this process may run on: those of its affinity, which a container or a service may have narrowed.

namespace orbitalreg {

// At least 1.
unsigned usable_cores() noexcept;

}  // namespace orbitalreg
