#include "http/ranges.h"

#include "http/ascii.h"

#include <algorithm>
#include <limits>

namespace orbitalreg::frontend {
namespace {

constexpr auto kMax = std::numeric_limits<std::uint64_t>::max();

bool all_digits(std::string_view text) noexcept {
    return std::all_of(text.begin(), text.end(), is_digit);
}

// Digits only; a number beyond 64 bits stands beyond the end of everything.
std::uint64_t parse_clamped(std::string_view digits) noexcept {
    return parse_decimal(digits).value_or(kMax);
}

enum class Spec : std::uint8_t { satisfiable, unsatisfiable, garbage };

// One of `a-b`, `a-`, `-n`, against a blob of `size` bytes.
Spec parse_spec(std::string_view text, std::uint64_t size, ByteRange& range) noexcept {
    const auto dash = text.find('-');
    if (dash == std::string_view::npos) return Spec::garbage;
    const auto first = text.substr(0, dash);
    const auto last = text.substr(dash + 1);
    if (!all_digits(first) || !all_digits(last) || (first.empty() && last.empty()))
        return Spec::garbage;
    if (first.empty()) {
        const auto count = std::min(parse_clamped(last), size);
        range = {size - count, count};
        return count > 0 ? Spec::satisfiable : Spec::unsatisfiable;
    }
    const auto start = parse_clamped(first);
    const auto end = last.empty() ? kMax : parse_clamped(last);
    if (start >= size || end < start) return Spec::unsatisfiable;
    range = {start, std::min(end, size - 1) - start + 1};
    return Spec::satisfiable;
}

bool excessive(const std::vector<ByteRange>& parts, std::uint64_t size,
               const HttpLimits& limits) noexcept {
    if (parts.size() == 1) return false;
    // Each part is at most `size`, and there are at most HttpLimits::ranges of them: the sum fits for every blob
    // below 2^53 bytes; beyond, the blob cannot be stored.
    std::uint64_t sum = 0;
    for (const ByteRange& part : parts) sum += part.size;
    return sum > size * limits.range_excess;
}

}  // namespace

RangeRequest parse_range(std::string_view value, std::uint64_t size, const HttpLimits& limits) {
    constexpr std::string_view kUnit = "bytes=";
    RangeRequest request;
    if (value.size() < kUnit.size() || !equals_ignoring_case(value.substr(0, kUnit.size()), kUnit))
        return request;
    value.remove_prefix(kUnit.size());
    std::size_t unsatisfiable = 0;
    for (bool more = true; more;) {
        const auto comma = value.find(',');
        const auto text = trim_blanks(value.substr(0, comma));
        more = comma != std::string_view::npos;
        value.remove_prefix(more ? comma + 1 : value.size());
        ByteRange range;
        const Spec spec = parse_spec(text, size, range);
        if (spec == Spec::garbage) return {};
        if (spec == Spec::unsatisfiable) ++unsatisfiable;
        if (spec == Spec::satisfiable) request.parts.push_back(range);
        if (request.parts.size() + unsatisfiable > limits.ranges) return {};
    }
    if (request.parts.empty()) {
        request.kind = RangeRequest::Kind::unsatisfiable;
        return request;
    }
    // Clients count parts: a set that cannot be answered part by part is answered whole (DIST-BLOB-14).
    if (unsatisfiable > 0 || excessive(request.parts, size, limits)) return {};
    request.kind = RangeRequest::Kind::parts;
    return request;
}

ChunkRange parse_chunk_range(std::string_view value) noexcept {
    ChunkRange range;
    if (value.size() > 6 && equals_ignoring_case(value.substr(0, 5), "bytes") &&
        (value[5] == ' ' || value[5] == '=')) {
        value = trim_blanks(value.substr(6));
        value = value.substr(0, value.find('/'));
    }
    const auto dash = value.find('-');
    const auto first = value.substr(0, dash);
    const auto last = dash == std::string_view::npos ? std::string_view{} : value.substr(dash + 1);
    if (first.empty() || last.empty() || !all_digits(first) || !all_digits(last)) {
        range.kind = ChunkRange::Kind::malformed;
        return range;
    }
    const auto start = parse_decimal(first);
    const auto end = parse_decimal(last);
    if (!start || !end || *end < *start || *end == kMax) {
        range.kind = ChunkRange::Kind::impossible;
        return range;
    }
    range.start = *start;
    range.size = *end - *start + 1;
    return range;
}

}  // namespace orbitalreg::frontend
