#include "federation/claim_rules.h"

#include "engine/names.h"
#include "http/ascii.h"

#include <boost/json/array.hpp>

#include <algorithm>
#include <re2/re2.h>

namespace orbitalreg::frontend {
namespace {

namespace json = boost::json;
using Kind = OidcMatcher::Kind;

constexpr std::string_view kTemplateBegin = "{{";
constexpr std::string_view kTemplateEnd = "}}";
constexpr std::string_view kTemplateClaims = "claims.";
constexpr std::int64_t kPatternMemoryBytes = 1 << 20;
constexpr std::size_t kRefusalsSizeMax = 1'000;  // of what the audit log is told
constexpr std::size_t kShownSizeMax = 100;       // of a value in it
constexpr int kRangeSizeMax = 256;

re2::RE2::Options pattern_options() {
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(kPatternMemoryBytes);
    return options;
}

std::string expression_of_glob(std::string_view glob) {
    std::string expression;
    std::size_t literal = 0;
    for (std::size_t i = 0; i <= glob.size(); ++i) {
        if (i < glob.size() && glob[i] != '*') continue;
        const auto part = glob.substr(literal, i - literal);
        expression += re2::RE2::QuoteMeta(re2::StringPiece{part.data(), part.size()});
        if (i < glob.size()) expression += "[^/:]*";
        literal = i + 1;
    }
    return expression;
}

bool is_name_part(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return is_lower(c) || is_digit(c) || c == '-';
    });
}

std::string shown(std::string_view text) {
    return '`' + std::string{text.substr(0, kShownSizeMax)} +
           (text.size() > kShownSizeMax ? "...`" : "`");
}

// One piece of a project's name: text, or the name of a claim whose value stands there.
struct Piece {
    std::string_view text;
    bool claim = false;
};

std::optional<std::vector<Piece>> pieces_of(std::string_view text) {
    std::vector<Piece> pieces;
    while (!text.empty()) {
        const auto begin = text.find(kTemplateBegin);
        const auto plain = text.substr(0, begin);
        if (plain.find_first_of("{}") != plain.npos) return std::nullopt;
        if (!plain.empty()) pieces.push_back({plain, false});
        if (begin == text.npos) break;
        text.remove_prefix(begin + kTemplateBegin.size());
        const auto end = text.find(kTemplateEnd);
        if (end == text.npos || !text.starts_with(kTemplateClaims)) return std::nullopt;
        const auto name = text.substr(kTemplateClaims.size(), end - kTemplateClaims.size());
        if (name.empty() || name.find_first_of("{} ") != name.npos) return std::nullopt;
        pieces.push_back({name, true});
        text.remove_prefix(end + kTemplateEnd.size());
    }
    return pieces;
}

struct Granted {
    std::vector<engine::Grant> grants;
    std::string refusal;  // then there are none
};

Granted grants_of(const OidcRule& rule, const json::object& claims) {
    Granted granted;
    for (const auto& options : rule.grants) {
        engine::Grant grant;
        const auto role = engine::parse_role(options.role);
        if (!role) return {{}, "its role is none"};
        grant.role = *role;
        grant.patterns = options.repositories;
        for (const auto& name : options.actions) {
            const auto action = engine::parse_action(name);
            if (!action) return {{}, "its action is none"};
            grant.only.push_back(*action);
        }
        grant.origin = "rule " + rule.name;
        for (const auto& project : options.projects) {
            auto expanded = expand_project(project, claims);
            if (!expanded.name) return {{}, std::move(expanded.refusal)};
            grant.project = std::move(*expanded.name);
            granted.grants.push_back(grant);
        }
    }
    if (granted.grants.empty()) granted.refusal = "it grants nothing";
    return granted;
}

}  // namespace

std::optional<std::string> claim_text(const json::value& value) {
    switch (value.kind()) {
        case json::kind::string:
            return std::string{value.get_string().data(), value.get_string().size()};
        case json::kind::bool_:
            return value.get_bool() ? "true" : "false";
        case json::kind::int64:
            return std::to_string(value.get_int64());
        case json::kind::uint64:
            return std::to_string(value.get_uint64());
        default:
            return std::nullopt;  // of a fraction there are many texts
    }
}

ClaimMatcher::ClaimMatcher(const OidcMatcher& options) : options_{options} {
    for (const auto& value : options_.values) {
        if (options_.kind == Kind::glob) add_pattern(expression_of_glob(value));
        if (options_.kind == Kind::regex) add_pattern(value);
    }
}
ClaimMatcher::~ClaimMatcher() = default;
ClaimMatcher::ClaimMatcher(ClaimMatcher&&) noexcept = default;
ClaimMatcher& ClaimMatcher::operator=(ClaimMatcher&&) noexcept = default;

void ClaimMatcher::add_pattern(const std::string& expression) {
    auto pattern = std::make_unique<re2::RE2>(expression, pattern_options());
    if (!pattern->ok()) fault_ = pattern->error();
    patterns_.push_back(std::move(pattern));
}

bool ClaimMatcher::accepts(std::string_view text) const {
    const auto& values = options_.values;
    const bool listed = std::find(values.begin(), values.end(), text) != values.end();
    const re2::StringPiece piece{text.data(), text.size()};
    switch (options_.kind) {
        case Kind::equal:
            return listed;
        case Kind::not_in:
            return !listed;
        case Kind::present:
            return true;
        case Kind::glob:
        case Kind::regex:
            return std::any_of(patterns_.begin(), patterns_.end(), [&piece](const auto& pattern) {
                return pattern->ok() && re2::RE2::FullMatch(piece, *pattern);
            });
    }
    return false;
}

std::string ClaimMatcher::refusal(const json::object& claims) const {
    const auto* value = claims.if_contains(options_.claim);
    if (value == nullptr || value->is_null()) return options_.claim + " is missing";
    const auto fits = [this](const json::value& element) {
        const auto text = claim_text(element);
        return text ? accepts(*text) : options_.kind == Kind::present;
    };
    if (!value->is_array()) {
        if (fits(*value)) return {};
        const auto text = claim_text(*value);
        return options_.claim + (text ? " is " + shown(*text) : " is no single value");
    }
    const auto& elements = value->get_array();
    const bool every = options_.kind == Kind::not_in;
    const bool fit = every
                         ? !elements.empty() && std::all_of(elements.begin(), elements.end(), fits)
                         : std::any_of(elements.begin(), elements.end(), fits);
    return fit ? std::string{} : options_.claim + " has no element that fits";
}

std::optional<TextRange> texts_of_pattern(Kind kind, const std::string& pattern) {
    const re2::RE2 compiled{kind == Kind::glob ? expression_of_glob(pattern) : pattern,
                            pattern_options()};
    TextRange range;
    if (!compiled.ok() || !compiled.PossibleMatchRange(&range.first, &range.last, kRangeSizeMax))
        return std::nullopt;
    return range;
}

std::optional<std::vector<std::string>> template_claims(std::string_view text) {
    const auto pieces = pieces_of(text);
    if (!pieces) return std::nullopt;
    std::vector<std::string> names;
    for (const auto& piece : *pieces) {
        if (piece.claim) names.emplace_back(piece.text);
    }
    return names;
}

ExpandedProject expand_project(std::string_view text, const json::object& claims) {
    const auto pieces = pieces_of(text);
    if (!pieces) return {{}, "its project is malformed"};
    std::string name;
    for (const auto& piece : *pieces) {
        if (!piece.claim) {
            name += piece.text;
            continue;
        }
        const auto* value = claims.if_contains(piece.text);
        const auto part = value != nullptr ? claim_text(*value) : std::nullopt;
        if (!part) return {{}, std::string{piece.text} + " is missing, or no single value"};
        if (!is_name_part(*part))
            return {{}, std::string{piece.text} + " is " + shown(*part) + ", no part of a name"};
        name += *part;
    }
    const auto parsed = engine::ImageName::parse(name);
    if (!parsed || parsed.value().component_count() != 1)
        return {{}, shown(name) + " is no name of a project"};
    return {std::move(name), {}};
}

ClaimRules::ClaimRules(const std::vector<OidcRule>& rules) {
    for (const auto& options : rules) {
        Rule rule{options, {}};
        for (const auto& matcher : options.claims) rule.matchers.emplace_back(matcher);
        rules_.push_back(std::move(rule));
    }
}

RuleMatch ClaimRules::match(std::string_view issuer, const json::object& claims) const {
    RuleMatch match;
    const auto refuse = [&match](const OidcRule& rule, const std::string& why) {
        if (match.refusals.size() > kRefusalsSizeMax) return;
        match.refusals += (match.refusals.empty() ? "" : "; ") + rule.name + ": " + why;
    };
    for (const auto& rule : rules_) {
        if (rule.options.issuer != issuer) continue;
        std::string refusal;
        for (const auto& matcher : rule.matchers) {
            refusal = matcher.refusal(claims);
            if (!refusal.empty()) break;
        }
        // A rule without a condition would accept anybody.
        if (rule.matchers.empty()) refusal = "it has no condition";
        if (!refusal.empty()) {
            refuse(rule.options, refusal);
            continue;
        }
        auto granted = grants_of(rule.options, claims);
        if (!granted.refusal.empty()) {
            refuse(rule.options, granted.refusal);
            continue;
        }
        match.rules.push_back(rule.options.name);
        match.ttl_s = std::min(match.ttl_s, rule.options.ttl_s);
        std::move(granted.grants.begin(), granted.grants.end(), std::back_inserter(match.grants));
    }
    return match;
}

bool ClaimRules::has(std::string_view name) const {
    return std::any_of(rules_.begin(), rules_.end(),
                       [name](const Rule& rule) { return rule.options.name == name; });
}

}  // namespace orbitalreg::frontend
