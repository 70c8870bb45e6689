#pragma once
// The keys of the configuration, as data: what each may be, and where it goes. YAML and environment both go through it.

#include "frontend/config.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace orbitalreg::frontend {

// Puts `text` into the configuration; what is wrong with it otherwise.
using ApplyValue = std::optional<std::string> (*)(Config& config, std::string_view text);

struct Key {
    std::string_view path;
    ApplyValue apply;           // nullptr: of a feature to come, accepted with this value only:
    std::string_view fallback;  // `[]` stands for an empty list
    bool list = false;          // takes several values; `text` has them with commas between them
};

std::span<const Key> keys() noexcept;
const Key* find_key(std::string_view path) noexcept;
// Whether some key lies below `path`.
bool is_section(std::string_view path) noexcept;
// Whole sections of features to come.
bool is_section_to_come(std::string_view path) noexcept;
// ORBITALREG_HTTP_ADDR for http.addr.
std::string environment_name(std::string_view path);

}  // namespace orbitalreg::frontend
