#pragma once
// What the process asks of the kernel before it works on a data directory: limits, signals, that nobody reads its memory
// (SEC-114, REL-29, REL-30), and to be no more than the owner of that directory (SEC-111).

#include <cstdint>
#include <string>

namespace orbitalreg::program {

// No core dumps, no reading of this process by others of the same user, files for this user only, SIGPIPE and SIGXFSZ
// as errors of the call that caused them.
void harden_process() noexcept;

// Raises the limit on open files to what is allowed and returns it.
std::uint64_t raise_descriptor_limit() noexcept;

// What drop_privileges() made of the process.
struct Privileges {
    std::string trouble;     // not empty: nothing may be done, and this is why
    std::uint32_t user = 0;  // who the process is now
    std::uint32_t group = 0;
    bool changed_user = false;  // it was root, and the data directory belongs to somebody else
    bool root = false;          // it is root still, without any capability
};

// Gives up, for good, whatever the process has beyond the owner of `directory`. Root continues as that owner, with the
// owner's groups; where that is root too, or the directory does not exist yet, root stays and loses each capability.
// Anybody else stays who they are. Programs started from here gain nothing by set-user-id (no_new_privs).
// Threads  to be called while there is one thread only: capabilities belong to a thread.
// Errors   `trouble`; the process may then be neither what it was nor what was wanted, and has to end.
// Source   capabilities(7), prctl(2).
Privileges drop_privileges(const std::string& directory);

}  // namespace orbitalreg::program
