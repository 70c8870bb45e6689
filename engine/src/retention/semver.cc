#include "retention/semver.h"

#include <algorithm>
#include <array>

namespace orbitalreg::engine {

namespace {

constexpr std::size_t kDigitsMax = 18;  // of a number that fits

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

bool is_number(std::string_view text) noexcept {
    return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}

// Without a leading zero.
std::optional<std::uint64_t> parse_number(std::string_view text) {
    if (!is_number(text) || text.size() > kDigitsMax || (text.size() > 1 && text[0] == '0'))
        return std::nullopt;
    std::uint64_t number = 0;
    for (const char c : text) number = number * 10 + static_cast<std::uint64_t>(c - '0');
    return number;
}

bool is_identifier(std::string_view text) noexcept {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return is_digit(c) || c == '-' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    });
}

std::vector<std::string_view> split(std::string_view text, char at) {
    std::vector<std::string_view> parts;
    for (;;) {
        const auto next = text.find(at);
        parts.push_back(text.substr(0, next));
        if (next == text.npos) return parts;
        text.remove_prefix(next + 1);
    }
}

std::strong_ordering compare_identifiers(const std::string& a, const std::string& b) {
    const bool a_number = is_number(a);
    const bool b_number = is_number(b);
    // Numbers come before words, and go by value.
    if (a_number != b_number)
        return a_number ? std::strong_ordering::less : std::strong_ordering::greater;
    if (a_number && a.size() != b.size()) return a.size() <=> b.size();
    return a <=> b;
}

struct Partial {
    std::array<std::uint64_t, 3> numbers{};
    std::size_t count = 0;
    std::vector<std::string> prerelease;

    Semver lowest() const { return {numbers[0], numbers[1], numbers[2], prerelease}; }
    // The first version whose number at `place` is one higher.
    Semver above(std::size_t place) const {
        auto next = numbers;
        ++next[place];
        std::fill(next.begin() + static_cast<std::ptrdiff_t>(place) + 1, next.end(), 0);
        return {next[0], next[1], next[2], {}};
    }
};

std::optional<std::vector<std::string>> parse_prerelease(std::string_view text) {
    std::vector<std::string> identifiers;
    for (const auto part : split(text, '.')) {
        const bool sane =
            is_identifier(part) && !(is_number(part) && part.size() > 1 && part[0] == '0');
        if (!sane) return std::nullopt;
        identifiers.emplace_back(part);
    }
    return identifiers;
}

std::optional<Partial> parse_partial(std::string_view text) {
    if (text.starts_with('v')) text.remove_prefix(1);
    const auto build = text.find_first_of("+_");
    if (build != text.npos) {
        for (const auto part : split(text.substr(build + 1), '.')) {
            if (!is_identifier(part)) return std::nullopt;
        }
        text = text.substr(0, build);
    }
    Partial partial;
    const auto dash = text.find('-');
    if (dash != text.npos) {
        auto prerelease = parse_prerelease(text.substr(dash + 1));
        if (!prerelease) return std::nullopt;
        partial.prerelease = std::move(*prerelease);
        text = text.substr(0, dash);
    }
    for (const auto part : split(text, '.')) {
        const auto number = parse_number(part);
        if (!number || partial.count == partial.numbers.size()) return std::nullopt;
        partial.numbers[partial.count++] = *number;
    }
    const bool whole = partial.count == partial.numbers.size();
    if (!whole && (dash != text.npos || build != text.npos)) {
        if (!partial.prerelease.empty()) return std::nullopt;
    }
    return partial;
}

}  // namespace

std::optional<Semver> Semver::parse(std::string_view text) {
    const auto partial = parse_partial(text);
    if (!partial || partial->count != 3) return std::nullopt;
    return partial->lowest();
}

std::strong_ordering Semver::operator<=>(const Semver& other) const {
    if (const auto order = major <=> other.major; order != 0) return order;
    if (const auto order = minor <=> other.minor; order != 0) return order;
    if (const auto order = patch <=> other.patch; order != 0) return order;
    if (prerelease.empty() != other.prerelease.empty())
        return prerelease.empty() ? std::strong_ordering::greater : std::strong_ordering::less;
    const auto count = std::min(prerelease.size(), other.prerelease.size());
    for (std::size_t i = 0; i < count; ++i) {
        const auto order = compare_identifiers(prerelease[i], other.prerelease[i]);
        if (order != 0) return order;
    }
    return prerelease.size() <=> other.prerelease.size();
}

bool SemverRange::add(std::string_view comparator, All& bounds) {
    const auto length = comparator.find_first_not_of("=<>~^");
    if (length == comparator.npos) return false;
    const auto sign = comparator.substr(0, length);
    const auto version = parse_partial(comparator.substr(length));
    if (!version || version->count == 0) return false;
    using Is = Bound::Is;
    const auto last = version->count - 1;
    const bool whole = version->count == 3;
    const auto at_least = [&](Semver from) { bounds.push_back({Is::at_least, std::move(from)}); };
    const auto below = [&](Semver to) { bounds.push_back({Is::below, std::move(to)}); };
    // The version right behind a whole one: no other is between the two.
    const auto behind = [&] {
        auto next = version->lowest();
        if (next.prerelease.empty()) {
            ++next.patch;
            next.prerelease = {"0"};
        } else {
            next.prerelease.emplace_back("0");
        }
        return next;
    };
    if (sign.empty() || sign == "=") {
        at_least(version->lowest());
        below(whole ? behind() : version->above(last));
    } else if (sign == ">=") {
        at_least(version->lowest());
    } else if (sign == ">") {
        at_least(whole ? behind() : version->above(last));
    } else if (sign == "<") {
        below(version->lowest());
    } else if (sign == "<=") {
        below(whole ? behind() : version->above(last));
    } else if (sign == "~") {
        at_least(version->lowest());
        below(version->above(std::min<std::size_t>(last, 1)));
    } else if (sign == "^") {
        // The first number that is not zero may not change.
        std::size_t place = 0;
        while (place < last && version->numbers[place] == 0) ++place;
        at_least(version->lowest());
        below(version->above(place));
    } else {
        return false;
    }
    return true;
}

std::optional<SemverRange> SemverRange::parse(std::string_view text) {
    SemverRange range;
    for (;;) {
        const auto bar = text.find("||");
        All bounds;
        for (const auto part : split(text.substr(0, bar), ' ')) {
            if (!part.empty() && !add(part, bounds)) return std::nullopt;
        }
        if (bounds.empty()) return std::nullopt;
        range.alternatives_.push_back(std::move(bounds));
        if (bar == text.npos) return range;
        text.remove_prefix(bar + 2);
    }
}

bool SemverRange::contains(const Semver& version) const {
    const auto holds = [&](const Bound& bound) {
        return bound.is == Bound::Is::at_least ? version >= bound.version : version < bound.version;
    };
    return std::any_of(alternatives_.begin(), alternatives_.end(),
                       [&](const All& all) { return std::all_of(all.begin(), all.end(), holds); });
}

}  // namespace orbitalreg::engine
