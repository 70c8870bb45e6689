#pragma once
// The values of a configuration as people write them: 64MiB, 24h, true.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace orbitalreg::frontend {

// Bytes, or a number with B, KiB, MiB, GiB, TiB. Nothing for anything else, and where it does not fit 63 bits.
std::optional<std::uint64_t> parse_size(std::string_view text) noexcept;
// A number with ms, s, m, h or d; several in a row add up (1h30m). At most a hundred years.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) noexcept;
std::optional<bool> parse_bool(std::string_view text) noexcept;

}  // namespace orbitalreg::frontend
