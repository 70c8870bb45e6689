#include "report_text.h"

#include "base/result.h"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <cstdio>
#include <ctime>

namespace orbitalreg::program {
namespace {

// Of UTF-8.
std::size_t characters(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    }));
}

}  // namespace

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

std::vector<json::object> objects(const json::object& object, std::string_view name) {
    std::vector<json::object> found;
    const json::value* value = object.if_contains({name.data(), name.size()});
    if (value == nullptr || !value->is_array()) return found;
    for (const auto& item : value->as_array()) {
        if (item.is_object()) found.push_back(item.as_object());
    }
    return found;
}

std::string joined(const json::object& object, std::string_view name) {
    std::string text;
    const json::value* value = object.if_contains({name.data(), name.size()});
    if (value == nullptr || !value->is_array()) return text;
    for (const auto& item : value->as_array()) {
        if (item.is_string()) text += (text.empty() ? "" : ", ") + std::string{item.as_string()};
    }
    return text;
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

std::string time_text(std::int64_t seconds) {
    if (seconds == 0) return "never";
    const std::time_t time = seconds;
    std::tm parts{};
    char line[64];
    if (::gmtime_r(&time, &parts) == nullptr ||
        std::strftime(line, sizeof line, "%Y-%m-%d %H:%M:%S", &parts) == 0)
        return std::to_string(seconds);
    return line;
}

std::string plain_text(std::string_view text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        // U+0080 to U+009F are control characters too.
        const bool second_set =
            byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
        if (second_set) ++i;
        plain += byte < 0x20 || byte == 0x7F || second_set ? '?' : text[i];
    }
    return plain;
}

std::string aligned(const std::vector<TextRow>& rows) {
    constexpr std::size_t kGap = 2;
    if (rows.size() < 2) return {};
    std::vector<std::size_t> widths;
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i)
            widths[i] = std::max(widths[i], characters(plain_text(row[i])));
    }
    std::string text;
    for (const auto& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            const auto cell = plain_text(row[i]);
            line += cell + std::string(widths[i] - characters(cell) + kGap, ' ');
        }
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + '\n';
    }
    return text;
}

}  // namespace orbitalreg::program
