#include "report_text.h"

#include "base/result.h"

#include <boost/json/parse.hpp>

#include <cstdio>

namespace orbitalreg::program {

std::optional<json::object> parse_object(std::string_view text) {
    ErrorCode error;
    json::value value = json::parse({text.data(), text.size()}, error);
    if (error || !value.is_object()) return std::nullopt;
    return std::move(value.as_object());
}

std::int64_t number(const json::object& object, std::string_view name) {
    const json::value* value = object.if_contains({name.data(), name.size()});
    if (value == nullptr) return 0;
    if (value->is_int64()) return value->as_int64();
    return value->is_uint64() ? static_cast<std::int64_t>(value->as_uint64()) : 0;
}

std::string text(const json::object& object, std::string_view name) {
    const json::value* value = object.if_contains({name.data(), name.size()});
    return value != nullptr && value->is_string() ? std::string{value->as_string()} : std::string{};
}

bool flag(const json::object& object, std::string_view name) {
    const json::value* value = object.if_contains({name.data(), name.size()});
    return value != nullptr && value->is_bool() && value->as_bool();
}

json::object part(const json::object& object, std::string_view name) {
    const json::value* value = object.if_contains({name.data(), name.size()});
    return value != nullptr && value->is_object() ? value->as_object() : json::object{};
}

std::string bytes_text(std::int64_t bytes) {
    static constexpr const char* kUnits[]{"bytes", "KiB", "MiB", "GiB", "TiB"};
    auto value = static_cast<double>(bytes);
    std::size_t unit = 0;
    while (value >= 1024 && unit + 1 < std::size(kUnits)) {
        value /= 1024;
        ++unit;
    }
    char line[64];
    std::snprintf(line, sizeof line, unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
    return line;
}

std::string duration_text(std::int64_t ms) {
    if (ms < 10'000) return std::to_string(ms) + " ms";
    const std::int64_t seconds = ms / 1000;
    if (seconds < 120) return std::to_string(seconds) + " s";
    if (seconds < 7200) return std::to_string(seconds / 60) + " min";
    if (seconds < 48 * 3600) {
        return std::to_string(seconds / 3600) + " h " + std::to_string(seconds / 60 % 60) + " min";
    }
    return std::to_string(seconds / 86400) + " d " + std::to_string(seconds / 3600 % 24) + " h";
}

std::string plural(std::int64_t count, std::string_view one) {
    return std::to_string(count) + ' ' + std::string{one} + (count == 1 ? "" : "s");
}

}  // namespace orbitalreg::program
