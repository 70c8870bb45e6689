#pragma once
// What the program leaves with; scripts rely on it (docs/operations/).

namespace orbitalreg::program {

enum ExitCode : int {
    exit_clean = 0,
    exit_repaired = 1,
    exit_findings = 2,
    exit_could_not_run = 3,
};

}  // namespace orbitalreg::program
