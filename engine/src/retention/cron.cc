#include "retention/cron.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <string_view>

namespace orbitalreg::engine {

namespace {

constexpr std::int64_t kDaySeconds = 86'400;
constexpr std::int64_t kDaysSearched = 9 * 366;  // 29 February may be eight years away

std::optional<unsigned> parse_number(std::string_view text) {
    if (text.empty() || text.size() > 2) return std::nullopt;
    unsigned number = 0;
    for (const char c : text) {
        if (c < '0' || c > '9') return std::nullopt;
        number = number * 10 + static_cast<unsigned>(c - '0');
    }
    return number;
}

// `*`, `7`, `1-5`, each perhaps with `/2`.
template <std::size_t N>
bool add_part(std::string_view part, unsigned from, unsigned to, std::bitset<N>& values) {
    unsigned step = 1;
    const auto slash = part.find('/');
    if (slash != part.npos) {
        const auto given = parse_number(part.substr(slash + 1));
        if (!given || *given == 0) return false;
        step = *given;
        part = part.substr(0, slash);
    }
    unsigned first = from;
    unsigned last = to;
    if (part != "*") {
        const auto dash = part.find('-');
        const auto low = parse_number(part.substr(0, dash));
        const auto high = dash == part.npos ? low : parse_number(part.substr(dash + 1));
        if (!low || !high || *low < from || *high > to || *low > *high) return false;
        first = *low;
        last = dash == part.npos && slash != part.npos ? to : *high;
    }
    for (unsigned value = first; value <= last; value += step) values.set(value);
    return true;
}

template <std::size_t N>
bool read_field(std::string_view field, unsigned from, unsigned to, std::bitset<N>& values) {
    for (;;) {
        const auto comma = field.find(',');
        if (!add_part(field.substr(0, comma), from, to, values)) return false;
        if (comma == field.npos) return true;
        field.remove_prefix(comma + 1);
    }
}

}  // namespace

std::optional<Cron> Cron::parse(std::string_view text) {
    std::array<std::string_view, 5> fields;
    std::size_t count = 0;
    while (!text.empty()) {
        const auto begin = text.find_first_not_of(' ');
        if (begin == text.npos) break;
        text.remove_prefix(begin);
        const auto end = std::min(text.find(' '), text.size());
        if (count == fields.size()) return std::nullopt;
        fields[count++] = text.substr(0, end);
        text.remove_prefix(end);
    }
    Cron cron;
    const bool read =
        count == fields.size() && read_field(fields[0], 0, 59, cron.minutes_) &&
        read_field(fields[1], 0, 23, cron.hours_) && read_field(fields[2], 1, 31, cron.days_) &&
        read_field(fields[3], 1, 12, cron.months_) && read_field(fields[4], 0, 7, cron.weekdays_);
    if (!read) return std::nullopt;
    if (cron.weekdays_[7]) cron.weekdays_.set(0);
    cron.any_day_ = fields[2].starts_with('*');
    cron.any_weekday_ = fields[4].starts_with('*');
    if (!cron.find_next(0)) return std::nullopt;
    return cron;
}

bool Cron::is_day(std::int64_t day) const {
    const std::chrono::sys_days date{std::chrono::days{day}};
    const std::chrono::year_month_day calendar{date};
    if (!months_[static_cast<unsigned>(calendar.month())]) return false;
    const bool by_day = days_[static_cast<unsigned>(calendar.day())];
    const bool by_weekday = weekdays_[std::chrono::weekday{date}.c_encoding()];
    if (any_day_ || any_weekday_) return by_day && by_weekday;
    return by_day || by_weekday;
}

std::optional<std::int64_t> Cron::find_next(std::int64_t after_s) const {
    const auto first = after_s / kDaySeconds;
    for (auto day = first; day < first + kDaysSearched; ++day) {
        if (!is_day(day)) continue;
        for (unsigned hour = 0; hour < hours_.size(); ++hour) {
            if (!hours_[hour]) continue;
            for (unsigned minute = 0; minute < minutes_.size(); ++minute) {
                const auto at = day * kDaySeconds + hour * 3600 + minute * 60;
                if (minutes_[minute] && at > after_s) return at;
            }
        }
    }
    return std::nullopt;
}

std::int64_t Cron::next(std::int64_t after_s) const {
    return find_next(std::max<std::int64_t>(after_s, 0)).value_or(INT64_MAX);
}

}  // namespace orbitalreg::engine
