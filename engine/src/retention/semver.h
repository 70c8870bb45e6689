#pragma once
// Semantic versions as tags write them, and ranges of them. The grammar is that of semver 2.0, with an optional `v` in front;
// `_` stands for the `+` that no tag may hold.
//
// Ranges   `=` `>` `>=` `<` `<=` `~` `^`, with blanks between those that must all hold, `||` between alternatives; a version in a
//          range may leave out its last numbers.

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orbitalreg::engine {

struct Semver {
    std::uint64_t major = 0;
    std::uint64_t minor = 0;
    std::uint64_t patch = 0;
    std::vector<std::string> prerelease;  // identifiers; empty: a release

    // Nothing for what is no version. What stands behind `+` does not order.
    static std::optional<Semver> parse(std::string_view text);
    std::strong_ordering operator<=>(const Semver& other) const;
    bool operator==(const Semver& other) const { return (*this <=> other) == 0; }
};

class SemverRange {
public:
    static std::optional<SemverRange> parse(std::string_view text);
    // Only the bounds: whether a prerelease counts is the rule's to say.
    bool contains(const Semver& version) const;

private:
    struct Bound {
        enum class Is { at_least, below } is;
        Semver version;
    };
    using All = std::vector<Bound>;
    static bool add(std::string_view comparator, All& bounds);

    std::vector<All> alternatives_;
};

}  // namespace orbitalreg::engine
