#include "outbound/answer_fields.h"

#include "http/ascii.h"

#include <algorithm>
#include <ctime>
#include <locale.h>

namespace orbitalreg::frontend {
namespace {

constexpr std::int64_t kNsPerMs = 1'000'000;
constexpr std::int64_t kMsPerSecond = 1'000;
constexpr std::string_view kBytesUnit = "bytes";

// What stands behind `bytes`.
std::optional<std::string_view> range_of(std::string_view field) {
    field = trim_blanks(field);
    if (!equals_ignoring_case(field.substr(0, kBytesUnit.size()), kBytesUnit)) return std::nullopt;
    field.remove_prefix(kBytesUnit.size());
    if (field.empty() || field.front() != ' ') return std::nullopt;
    return trim_blanks(field);
}

// The date that RFC 9110 says to send; the two antique forms are not read.
std::optional<std::int64_t> parse_http_date_s(std::string_view text) {
    static const locale_t plain = ::newlocale(LC_ALL_MASK, "C", nullptr);
    std::tm parts{};
    const std::string copy{text};
    const char* end = ::strptime_l(copy.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts, plain);
    if (end == nullptr || *end != '\0') return std::nullopt;
    return static_cast<std::int64_t>(::timegm(&parts));
}

bool is_next(std::string_view parameters) {
    while (!parameters.empty()) {
        const auto end = std::min(parameters.find(';'), parameters.size());
        auto parameter = trim_blanks(parameters.substr(0, end));
        parameters.remove_prefix(std::min(end + 1, parameters.size()));
        const auto equals = parameter.find('=');
        if (equals == parameter.npos ||
            !equals_ignoring_case(trim_blanks(parameter.substr(0, equals)), "rel"))
            continue;
        auto value = trim_blanks(parameter.substr(equals + 1));
        if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
            value = value.substr(1, value.size() - 2);
        if (equals_ignoring_case(value, "next")) return true;
    }
    return false;
}

}  // namespace

std::string media_type_of_field(std::string_view content_type) {
    std::string type{trim_blanks(content_type.substr(0, content_type.find(';')))};
    std::transform(type.begin(), type.end(), type.begin(), to_lower);
    return type;
}

std::optional<ContentRange> parse_content_range(std::string_view field) {
    const auto range = range_of(field);
    if (!range) return std::nullopt;
    const auto dash = range->find('-');
    const auto slash = range->find('/');
    if (dash == range->npos || slash == range->npos || slash < dash) return std::nullopt;
    const auto first = parse_decimal(range->substr(0, dash));
    const auto last = parse_decimal(range->substr(dash + 1, slash - dash - 1));
    if (!first || !last || *last < *first) return std::nullopt;
    ContentRange parsed{*first, *last, std::nullopt};
    const auto total_text = range->substr(slash + 1);
    if (total_text == "*") return parsed;
    parsed.total = parse_decimal(total_text);
    if (!parsed.total || *last >= *parsed.total) return std::nullopt;
    return parsed;
}

std::optional<std::uint64_t> parse_unsatisfied_range(std::string_view field) {
    const auto range = range_of(field);
    if (!range || !range->starts_with("*/")) return std::nullopt;
    return parse_decimal(range->substr(2));
}

std::optional<RateField> parse_rate_field(std::string_view field) {
    const auto semicolon = std::min(field.find(';'), field.size());
    const auto count = parse_decimal(trim_blanks(field.substr(0, semicolon)));
    if (!count) return std::nullopt;
    RateField rate{*count, std::nullopt};
    auto parameter = trim_blanks(field.substr(std::min(semicolon + 1, field.size())));
    if (parameter.starts_with("w=")) rate.window_s = parse_decimal(parameter.substr(2));
    return rate;
}

std::optional<std::int64_t> parse_retry_after_ms(std::string_view field, std::int64_t wall_ns) {
    field = trim_blanks(field);
    if (!field.empty() && std::all_of(field.begin(), field.end(), is_digit)) {
        const auto seconds = parse_decimal(field);
        constexpr std::uint64_t kSecondsMax = kRetryAfterMsMax / kMsPerSecond;
        if (!seconds || *seconds > kSecondsMax) return kRetryAfterMsMax;
        return static_cast<std::int64_t>(*seconds) * kMsPerSecond;
    }
    const auto date_s = parse_http_date_s(field);
    if (!date_s) return std::nullopt;
    const auto ms = *date_s * kMsPerSecond - wall_ns / kNsPerMs;
    return std::clamp<std::int64_t>(ms, 0, kRetryAfterMsMax);
}

std::optional<std::string_view> next_link(std::string_view field) {
    while (!field.empty()) {
        const auto open = field.find('<');
        const auto close = field.find('>');
        if (open == field.npos || close == field.npos || close < open) return std::nullopt;
        const auto target = field.substr(open + 1, close - open - 1);
        field.remove_prefix(close + 1);
        // A comma within quotes would cut a parameter short; no registry sends one.
        const auto end = std::min(field.find(','), field.size());
        if (is_next(field.substr(0, end))) return target;
        field.remove_prefix(std::min(end + 1, field.size()));
    }
    return std::nullopt;
}

}  // namespace orbitalreg::frontend
