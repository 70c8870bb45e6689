#pragma once
// ORB_PLANTED(name) is where the simulator's self-test breaks the code on purpose: true only in the libraries built
// with ORB_PLANTED_BUGS for tests/sim, and only for the bug that was chosen. In the product it is the constant false.

#ifdef ORB_PLANTED_BUGS
namespace orbitalreg {
// The name of the bug to commit, empty for none. Set by the simulator before a run.
extern const char* planted_bug_name;
bool planted(const char* name) noexcept;
}  // namespace orbitalreg
#define ORB_PLANTED(name) (::orbitalreg::planted(#name))
#else
#define ORB_PLANTED(name) false
#endif
