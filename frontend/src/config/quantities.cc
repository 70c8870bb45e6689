#include "config/quantities.h"

#include "http/ascii.h"

#include <array>
#include <limits>
#include <utility>

namespace orbitalreg::frontend {
namespace {

using Unit = std::pair<std::string_view, std::uint64_t>;

constexpr std::array<Unit, 6> kSizeUnits{{{"", 1},
                                          {"B", 1},
                                          {"KiB", 1ULL << 10},
                                          {"MiB", 1ULL << 20},
                                          {"GiB", 1ULL << 30},
                                          {"TiB", 1ULL << 40}}};
constexpr std::array<Unit, 5> kTimeUnits{
    {{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
constexpr std::uint64_t kTimeMsMax = 100ULL * 366 * 86'400'000;

template <std::size_t N>
std::optional<std::uint64_t> unit_of(const std::array<Unit, N>& units,
                                     std::string_view name) noexcept {
    for (const auto& [unit, factor] : units) {
        if (unit == name) return factor;
    }
    return std::nullopt;
}

std::optional<std::uint64_t> scaled(std::string_view digits, std::optional<std::uint64_t> factor,
                                    std::uint64_t max) noexcept {
    const auto number = parse_decimal(digits);
    if (!number || !factor || *number > max / *factor) return std::nullopt;
    return *number * *factor;
}

std::size_t digits_at_start(std::string_view text) noexcept {
    std::size_t count = 0;
    while (count < text.size() && is_digit(text[count])) ++count;
    return count;
}

}  // namespace

std::optional<std::uint64_t> parse_size(std::string_view text) noexcept {
    const auto digits = digits_at_start(text);
    return scaled(text.substr(0, digits), unit_of(kSizeUnits, text.substr(digits)),
                  static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()));
}

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) noexcept {
    std::uint64_t total_ms = 0;
    if (text.empty()) return std::nullopt;
    while (!text.empty()) {
        const auto digits = digits_at_start(text);
        std::size_t end = digits;
        while (end < text.size() && !is_digit(text[end])) ++end;
        const auto part =
            scaled(text.substr(0, digits), unit_of(kTimeUnits, text.substr(digits, end - digits)),
                   kTimeMsMax - total_ms);
        if (!part) return std::nullopt;
        total_ms += *part;
        text.remove_prefix(end);
    }
    return std::chrono::milliseconds{static_cast<std::int64_t>(total_ms)};
}

std::optional<bool> parse_bool(std::string_view text) noexcept {
    if (text == "true") return true;
    if (text == "false") return false;
    return std::nullopt;
}

}  // namespace orbitalreg::frontend
