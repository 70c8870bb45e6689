#pragma once
// The document of a repository's settings.

#include "engine/projects.h"

#include <cstddef>
#include <optional>
#include <vector>

namespace orbitalreg::engine {

std::vector<std::byte> encode(const RepositorySettings& settings);
std::optional<RepositorySettings> decode_repository(ByteView bytes);

}  // namespace orbitalreg::engine
