#pragma once
// Cron is a schedule of five fields in UTC: minute, hour, day of the month, month, day of the week (0 and 7 are Sunday). Each is
// `*`, numbers, ranges, steps and lists of them; where both kinds of day are restricted, either will do.

#include <bitset>
#include <cstdint>
#include <optional>
#include <string_view>

namespace orbitalreg::engine {

class Cron {
public:
    // Nothing for what cannot be read, and for a day that never comes.
    static std::optional<Cron> parse(std::string_view text);

    // The first minute behind `after_s`, in seconds since 1970.
    std::int64_t next(std::int64_t after_s) const;

private:
    bool is_day(std::int64_t day) const;
    std::optional<std::int64_t> find_next(std::int64_t after_s) const;

    std::bitset<60> minutes_;
    std::bitset<24> hours_;
    std::bitset<32> days_;
    std::bitset<13> months_;
    std::bitset<8> weekdays_;
    bool any_day_ = false;
    bool any_weekday_ = false;
};

}  // namespace orbitalreg::engine
