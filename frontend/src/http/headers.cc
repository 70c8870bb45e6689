#include "http/headers.h"

#include "http/ascii.h"

#include <algorithm>

namespace orbitalreg::frontend {
namespace {

constexpr std::size_t kWarningBytesMax = 4096;  // of all values in one answer

bool is_value_character(char c) noexcept { return c == ' ' || is_visible_ascii(c); }

}  // namespace

void Headers::add(std::string_view name, std::string_view value) {
    if (name.empty() || !std::all_of(name.begin(), name.end(), is_token_character) ||
        !std::all_of(value.begin(), value.end(), is_value_character)) {
        unsafe_ = true;
        return;
    }
    fields_.push_back({std::string{name}, std::string{value}});
}

void Headers::add_warning(std::string_view text) {
    std::string value = "299 - \"";
    for (const char c : text) {
        if (c == '"' || c == '\\') value += '\\';
        value += is_value_character(c) ? c : '?';
    }
    value += '"';
    if (warning_bytes_ + value.size() > kWarningBytesMax) return;
    warning_bytes_ += value.size();
    add("Warning", value);
}

void Headers::put_before_paths(std::string_view base) {
    if (base.empty()) return;
    for (Field& field : fields_) {
        if (field.name == "Location" && field.value.starts_with('/')) field.value.insert(0, base);
        if (field.name == "Link" && field.value.starts_with("</")) field.value.insert(1, base);
    }
}

bool Headers::has(std::string_view name) const noexcept {
    return std::any_of(fields_.begin(), fields_.end(), [name](const Field& field) {
        return equals_ignoring_case(field.name, name);
    });
}

void Headers::append_to(std::string& out) const {
    for (const Field& field : fields_) {
        out.append(field.name).append(": ").append(field.value).append("\r\n");
    }
}

}  // namespace orbitalreg::frontend
