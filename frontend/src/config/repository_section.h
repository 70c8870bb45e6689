#pragma once
// Reading one repository of a project: what each key may hold, with errors by line; and what the repositories of a project mean
// together.

#include "frontend/config.h"

#include <yaml-cpp/node/node.h>

#include <string>

namespace orbitalreg::frontend {

// What is wrong goes to loaded.errors.
RepositoryConfig read_repository_section(const YAML::Node& node, const std::string& path,
                                         const std::string& file, LoadedConfig& loaded);
void check_repositories(const ProjectConfig& project, LoadedConfig& loaded);

}  // namespace orbitalreg::frontend
