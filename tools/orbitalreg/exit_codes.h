#pragma once
// What the program leaves with; scripts rely on it (docs/operations/).

#include <string>

namespace orbitalreg::program {

enum ExitCode : int {
    exit_clean = 0,
    exit_repaired = 1,
    exit_findings = 2,
    exit_could_not_run = 3,
};

// Tells on stderr what stands in the way; exit_could_not_run.
int could_not_run(const std::string& trouble);

}  // namespace orbitalreg::program
