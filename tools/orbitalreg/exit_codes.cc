#include "exit_codes.h"

#include <iostream>

namespace orbitalreg::program {

int could_not_run(const std::string& trouble) {
    std::cerr << "error: " << trouble << '\n';
    return exit_could_not_run;
}

}  // namespace orbitalreg::program
