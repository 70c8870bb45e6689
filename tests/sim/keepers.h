#pragma once
// Clients of image names that a retention policy matches: they push, tag and pull, let hours pass together, and run the policy
// in the midst of it.

#include "sim/judged.h"

namespace orbitalreg::sim {

// As run_client().
Awaitable<void> run_keeper(Life& life);
// Before a client goes on: where one of them lets hours pass, all wait, and meet again afterwards.
Awaitable<void> await_the_hour(Life& life);
// Compares what the store holds with what is certain; sets `done`.
Awaitable<void> audit_judged(Life& life, bool& done);
// Lets everything grow old and runs the policy until there is nothing left to delete; sets `done`.
Awaitable<void> let_all_go(Life& life, bool& done);

}  // namespace orbitalreg::sim
