#pragma once
// The words of reports: members of a JSON object, which is what a server answers, as text for people.
//
// Errors   a member that is not there or of another type counts as 0, empty, false.

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orbitalreg::program {

namespace json = boost::json;

std::optional<json::object> parse_object(std::string_view text);
std::int64_t number(const json::object& object, std::string_view name);
std::string text(const json::object& object, std::string_view name);
bool flag(const json::object& object, std::string_view name);
json::object part(const json::object& object, std::string_view name);
// The objects in the array of that name.
std::vector<json::object> objects(const json::object& object, std::string_view name);
// The strings in it, with `, ` between them.
std::string joined(const json::object& object, std::string_view name);

// As 12.3 MiB, and exact below a KiB.
std::string bytes_text(std::int64_t bytes);
std::string duration_text(std::int64_t ms);
std::string plural(std::int64_t count, std::string_view one);
// UTC, as 2026-01-31 12:00:00; `never` for 0.
std::string time_text(std::int64_t seconds);

// What others wrote, fit for a terminal: control characters, which could drive it, become `?`.
std::string plain_text(std::string_view text);

// Rows of cells in columns that are aligned, each cell as plain_text(); the first row is the heading. Trailing cells may be
// missing. Just the heading: empty.
using TextRow = std::vector<std::string>;
std::string aligned(const std::vector<TextRow>& rows);

}  // namespace orbitalreg::program
