#pragma once
// Pattern is a glob or a regular expression that is compiled once and matches a whole text in time linear in its length.
//
// Globs    `*` any run without `/`, `?` one character but `/`, `[a-z]` and `[!a-z]`, `{a,b}`; `**` any run, in those of
//          repositories only. Case counts.
// Threads  any.

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace re2 {
class RE2;
}

namespace orbitalreg::engine {

class Pattern {
public:
    static constexpr std::size_t kSizeMax = 1024;
    enum class Kind { tag_glob, repository_glob, regex };

    // Nothing, and `trouble` says why.
    static std::optional<Pattern> compile(std::string_view text, Kind kind, std::string& trouble);

    bool matches(std::string_view text) const;
    // What the first group matched; empty where the text does not match. Of a regex with groups.
    std::optional<std::string> first_group(std::string_view text) const;
    bool has_group() const;
    const std::string& text() const noexcept { return text_; }

private:
    Pattern(std::string text, std::shared_ptr<const re2::RE2> compiled) noexcept
        : text_{std::move(text)}, compiled_{std::move(compiled)} {}

    std::string text_;
    std::shared_ptr<const re2::RE2> compiled_;
};

}  // namespace orbitalreg::engine
