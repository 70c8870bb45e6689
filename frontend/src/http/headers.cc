#include "http/headers.h"

#include "base/bytes.h"
#include "http/ascii.h"

#include <array>
#include <charconv>

namespace orbitalreg::frontend {
namespace {

constexpr std::size_t kWarningBytesMax = 4096;  // of all values in one answer
constexpr std::size_t kUsualSize = 640;

bool is_value_character(char c) noexcept { return c >= ' ' && c < 0x7f; }

bool is_value(std::string_view text) noexcept { return printable_prefix(text) == text.size(); }

}  // namespace

void Headers::add(HeaderName name, std::string_view value) {
    if (!is_value(value)) {
        unsafe_ = true;
        return;
    }
    if (text_.empty()) text_.reserve(kUsualSize);
    text_.append(name.text).append(": ").append(value).append("\r\n");
}

void Headers::add(HeaderName name, std::uint64_t value) {
    std::array<char, 20> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    add(name, std::string_view{digits.data(), static_cast<std::size_t>(end - digits.data())});
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
    constexpr std::string_view kLocation = "Location: ";
    constexpr std::string_view kLink = "Link: <";
    for (std::size_t line = 0; line < text_.size(); line = text_.find('\n', line) + 1) {
        const auto rest = std::string_view{text_}.substr(line);
        for (const auto before : {kLocation, kLink}) {
            if (rest.starts_with(before) && rest.substr(before.size()).starts_with('/'))
                text_.insert(line + before.size(), base);
        }
    }
}

bool Headers::has(std::string_view name) const noexcept {
    for (std::string_view rest = text_; !rest.empty(); rest.remove_prefix(rest.find('\n') + 1)) {
        if (equals_ignoring_case(rest.substr(0, rest.find(':')), name)) return true;
    }
    return false;
}

}  // namespace orbitalreg::frontend
