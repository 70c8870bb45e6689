#pragma once
// Reading the `oidc` section: what each key may hold, with errors by line. What the values mean together is for check_oidc().

#include "frontend/config.h"

#include <yaml-cpp/node/node.h>

#include <string>

namespace orbitalreg::frontend {

// `issuers` and `rules` each replace what an earlier file said. What is wrong goes to loaded.errors.
void read_oidc_section(const YAML::Node& section, const std::string& file, LoadedConfig& loaded);

}  // namespace orbitalreg::frontend
