#pragma once
// Reading one document into a configuration that may already hold what earlier ones said.

#include "frontend/config.h"

#include <string>
#include <string_view>

namespace orbitalreg::frontend {

// `file` is its name in findings. What is wrong goes to loaded.errors.
void read_config_text(const std::string& file, std::string_view text, LoadedConfig& loaded);

}  // namespace orbitalreg::frontend
