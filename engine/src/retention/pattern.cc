#include "retention/pattern.h"

#include <re2/re2.h>

namespace orbitalreg::engine {

namespace {

constexpr std::int64_t kMemoryMax = 1 << 20;
constexpr int kBracesDepthMax = 4;

// GlobReader makes a regular expression of a glob.
class GlobReader {
public:
    GlobReader(std::string_view glob, bool of_repository) noexcept
        : rest_{glob}, of_repository_{of_repository} {}

    std::optional<std::string> read(std::string& trouble) {
        while (!rest_.empty() && trouble_.empty()) read_one();
        if (trouble_.empty() && depth_ > 0) trouble_ = "has a `{` without its `}`";
        if (trouble_.empty()) return std::move(regex_);
        trouble = trouble_;
        return std::nullopt;
    }

private:
    void read_one() {
        const char c = rest_.front();
        rest_.remove_prefix(1);
        if (c == '*') {
            read_stars();
        } else if (c == '?') {
            regex_ += "[^/]";
        } else if (c == '[') {
            read_class();
        } else if (c == '{') {
            if (++depth_ > kBracesDepthMax) trouble_ = "has braces in braces, too deep";
            regex_ += "(?:";
        } else if (c == '}' && depth_ > 0) {
            --depth_;
            regex_ += ')';
        } else if (c == ',' && depth_ > 0) {
            regex_ += '|';
        } else if (c == '}' || c == ']') {
            trouble_ = "has a closing bracket or brace without its beginning";
        } else {
            regex_ += re2::RE2::QuoteMeta(re2::StringPiece{&c, 1});
        }
    }
    void read_stars() {
        if (!rest_.starts_with('*')) {
            regex_ += "[^/]*";
            return;
        }
        rest_.remove_prefix(1);
        if (!of_repository_) {
            trouble_ = "has `**`, which is for repositories only";
        } else if (rest_.starts_with('/')) {
            rest_.remove_prefix(1);
            regex_ += "(?:.*/)?";
        } else {
            regex_ += ".*";
        }
    }
    void read_class() {
        const auto end = rest_.find(']', 1);
        if (end == rest_.npos) {
            trouble_ = "has a `[` without its `]`";
            return;
        }
        auto members = rest_.substr(0, end);
        rest_.remove_prefix(end + 1);
        regex_ += '[';
        if (members.starts_with('!') || members.starts_with('^')) {
            regex_ += '^';
            members.remove_prefix(1);
        }
        for (const char c : members) {
            if (c == '\\' || c == '[' || c == '^' || c == '/') {
                trouble_ = "has one of \\ [ ^ / in brackets";
                return;
            }
            regex_ += c;
        }
        regex_ += ']';
    }

    std::string_view rest_;
    bool of_repository_;
    int depth_ = 0;
    std::string regex_;
    std::string trouble_;
};

}  // namespace

std::optional<Pattern> Pattern::compile(std::string_view text, Kind kind, std::string& trouble) {
    if (text.empty() || text.size() > kSizeMax) {
        trouble = "is empty or longer than 1024 characters";
        return std::nullopt;
    }
    std::string regex{text};
    if (kind != Kind::regex) {
        auto made = GlobReader{text, kind == Kind::repository_glob}.read(trouble);
        if (!made) return std::nullopt;
        regex = std::move(*made);
    }
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(kMemoryMax);
    auto compiled = std::make_shared<const re2::RE2>(regex, options);
    if (!compiled->ok()) {
        trouble = "cannot be read: " + compiled->error();
        return std::nullopt;
    }
    return Pattern{std::string{text}, std::move(compiled)};
}

bool Pattern::matches(std::string_view text) const {
    return re2::RE2::FullMatch(re2::StringPiece{text.data(), text.size()}, *compiled_);
}

bool Pattern::has_group() const { return compiled_->NumberOfCapturingGroups() > 0; }

std::optional<std::string> Pattern::first_group(std::string_view text) const {
    std::string group;
    if (!re2::RE2::FullMatch(re2::StringPiece{text.data(), text.size()}, *compiled_, &group))
        return std::nullopt;
    return group;
}

}  // namespace orbitalreg::engine
