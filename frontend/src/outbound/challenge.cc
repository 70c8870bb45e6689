#include "outbound/challenge.h"

#include "http/ascii.h"

#include <algorithm>
#include <optional>

namespace orbitalreg::frontend {
namespace {

// Scanner walks over a field; each step takes at least one character, or the text is at its end.
class Scanner {
public:
    explicit Scanner(std::string_view text) noexcept : rest_{text} {}

    bool done() const noexcept { return rest_.empty(); }
    void skip_blanks() noexcept {
        while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t'))
            rest_.remove_prefix(1);
    }
    void skip_separators() noexcept {
        while (!rest_.empty() &&
               (rest_.front() == ' ' || rest_.front() == '\t' || rest_.front() == ','))
            rest_.remove_prefix(1);
    }
    void skip_to_comma() noexcept { rest_.remove_prefix(std::min(rest_.find(','), rest_.size())); }
    bool take(char c) noexcept {
        if (rest_.empty() || rest_.front() != c) return false;
        rest_.remove_prefix(1);
        return true;
    }
    std::string_view take_token() noexcept {
        const auto end = std::find_if_not(rest_.begin(), rest_.end(), is_token_character);
        const auto token = rest_.substr(0, static_cast<std::size_t>(end - rest_.begin()));
        rest_.remove_prefix(token.size());
        return token;
    }
    // A quoted string, or whatever stands up to a comma or a blank.
    std::string take_value() {
        if (!take('"')) {
            const auto plain = rest_.substr(0, rest_.find_first_of(", \t"));
            rest_.remove_prefix(plain.size());
            return std::string{plain};
        }
        std::string value;
        while (!rest_.empty() && rest_.front() != '"') {
            if (rest_.front() == '\\' && rest_.size() > 1) rest_.remove_prefix(1);
            value += rest_.front();
            rest_.remove_prefix(1);
        }
        take('"');
        return value;
    }

private:
    std::string_view rest_;
};

std::optional<Challenge::Scheme> scheme_of(std::string_view token) noexcept {
    if (equals_ignoring_case(token, "bearer")) return Challenge::Scheme::bearer;
    if (equals_ignoring_case(token, "basic")) return Challenge::Scheme::basic;
    return std::nullopt;
}

void put_parameter(Challenge& challenge, std::string_view name, std::string value) {
    const auto put = [&](std::string_view known, std::string& member) {
        if (equals_ignoring_case(name, known) && member.empty()) member = std::move(value);
    };
    put("realm", challenge.realm);
    put("service", challenge.service);
    put("scope", challenge.scope);
    put("error", challenge.error);
}

}  // namespace

std::vector<Challenge> parse_challenges(std::string_view field) {
    std::vector<Challenge> challenges;
    Scanner scanner{field.substr(0, kChallengeTextMax)};
    bool known = false;  // the parameters that come now belong to the last one
    for (scanner.skip_separators(); !scanner.done(); scanner.skip_separators()) {
        const auto token = scanner.take_token();
        if (token.empty()) {
            scanner.skip_to_comma();
            continue;
        }
        scanner.skip_blanks();
        if (scanner.take('=')) {
            scanner.skip_blanks();
            auto value = scanner.take_value();
            if (known) put_parameter(challenges.back(), token, std::move(value));
            continue;
        }
        const auto scheme = scheme_of(token);
        known = scheme && challenges.size() < kChallengesMax;
        if (known) challenges.push_back({*scheme, {}, {}, {}, {}});
    }
    return challenges;
}

}  // namespace orbitalreg::frontend
