#pragma once
// ClaimRules are the rules of the configuration, ready to be held against the claims of a token whose signature, issuer and
// times are in order. Every rule that accepts it adds its grants; what makes a rule refuse is said for the audit log.
//
// Life     made from options that check_oidc() has no errors for.
// Threads  any.
// Limits   matching takes time linear in the size of claims and patterns (SEC-56).

#include "engine/access.h"
#include "frontend/oidc.h"

#include <boost/json/object.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace re2 {
class RE2;
}

namespace orbitalreg::frontend {

// The text that a claim is compared as: a string, a whole number, `true` or `false`. Nothing for any other value.
std::optional<std::string> claim_text(const boost::json::value& value);

class ClaimMatcher {
public:
    explicit ClaimMatcher(const OidcMatcher& options);
    ~ClaimMatcher();
    ClaimMatcher(ClaimMatcher&&) noexcept;
    ClaimMatcher& operator=(ClaimMatcher&&) noexcept;

    // Why it does not match, for people; empty when it does. An array matches if one of its elements does; for not_in, if it
    // has elements and none of them is refused.
    std::string refusal(const boost::json::object& claims) const;
    // Of one value, as text.
    bool accepts(std::string_view text) const;
    // What is wrong with one of the patterns, or nothing.
    const std::string& fault() const noexcept { return fault_; }

private:
    void add_pattern(const std::string& expression);

    OidcMatcher options_;
    std::vector<std::unique_ptr<re2::RE2>> patterns_;
    std::string fault_;
};

// Every text that a pattern accepts lies between the two, in the order of bytes. Nothing where no bound is known.
struct TextRange {
    std::string first;
    std::string last;
};
std::optional<TextRange> texts_of_pattern(OidcMatcher::Kind kind, const std::string& pattern);

// Replaces each `{{claims.NAME}}`. Nothing, and why, where a claim is missing or is no `[a-z0-9-]+`.
struct ExpandedProject {
    std::optional<std::string> name;
    std::string refusal;
};
ExpandedProject expand_project(std::string_view text, const boost::json::object& claims);
// The names of the claims in it; nothing where it is malformed.
std::optional<std::vector<std::string>> template_claims(std::string_view text);

struct RuleMatch {
    std::vector<std::string> rules;  // those that accept; empty: none does
    std::vector<engine::Grant> grants;
    std::int64_t ttl_s = kOidcTtlMaxSeconds;  // the smallest of theirs
    std::string
        refusals;  // of the others, for the audit log: `acme-release: environment is missing`
};

class ClaimRules {
public:
    explicit ClaimRules(const std::vector<OidcRule>& rules);

    // `issuer` is the name it has in the configuration.
    RuleMatch match(std::string_view issuer, const boost::json::object& claims) const;
    bool has(std::string_view name) const;

private:
    struct Rule {
        OidcRule options;
        std::vector<ClaimMatcher> matchers;
    };
    std::vector<Rule> rules_;
};

}  // namespace orbitalreg::frontend
