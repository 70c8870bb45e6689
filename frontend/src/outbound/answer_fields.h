#pragma once
// Fields of an upstream's answer, read.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace orbitalreg::frontend {

// Without parameters, in small letters.
std::string media_type_of_field(std::string_view content_type);

// `bytes 5-9/10`; `bytes 5-9/*` has no total. What is in itself impossible is none.
struct ContentRange {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    std::optional<std::uint64_t> total;

    friend bool operator==(const ContentRange&, const ContentRange&) = default;
};
std::optional<ContentRange> parse_content_range(std::string_view field);
// The 10 of `bytes */10`, which comes with status 416.
std::optional<std::uint64_t> parse_unsatisfied_range(std::string_view field);

// `97;w=21600`: how many, and within how many seconds.
struct RateField {
    std::uint64_t count = 0;
    std::optional<std::uint64_t> window_s;

    friend bool operator==(const RateField&, const RateField&) = default;
};
std::optional<RateField> parse_rate_field(std::string_view field);

// Seconds, or a date as HTTP has it; at most kRetryAfterMsMax, and 0 for a date that has passed.
inline constexpr std::int64_t kRetryAfterMsMax = 24 * 3'600'000LL;
std::optional<std::int64_t> parse_retry_after_ms(std::string_view field, std::int64_t wall_ns);

// What a Link field calls `next`.
std::optional<std::string_view> next_link(std::string_view field);

}  // namespace orbitalreg::frontend
