#pragma once
// What the process asks of the kernel before it serves: limits, signals, and that nobody reads its memory (SEC-114,
// REL-29, REL-30).

#include <cstdint>

namespace orbitalreg::program {

// No core dumps, no reading of this process by others of the same user, files for this user only, SIGPIPE and SIGXFSZ
// as errors of the call that caused them.
void harden_process() noexcept;

// Raises the limit on open files to what is allowed and returns it.
std::uint64_t raise_descriptor_limit() noexcept;

}  // namespace orbitalreg::program
