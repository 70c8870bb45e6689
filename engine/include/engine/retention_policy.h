#pragma once
// RetentionPolicies are what the operator wrote about what is kept, read and compiled. docs/operations/retention.md has the
// language; one file may hold `policies:`, a list of them, or one bare policy.
//
// Life     immutable once read; shared with whoever evaluates.
// Errors   everything that is wrong, with file, line and path; then there are no policies.
// Limits   kTextMax bytes a file, kPoliciesMax policies, kRulesMax rules each; anchors and aliases are refused.

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace orbitalreg::engine {

struct RetentionPolicy;

struct RetentionPolicies {
    static constexpr std::size_t kTextMax = 1024 * 1024;
    static constexpr std::size_t kPoliciesMax = 1000;
    static constexpr std::size_t kRulesMax = 100;

    std::vector<std::shared_ptr<const RetentionPolicy>> all;

    std::vector<std::string> names() const;
};

struct PolicyText {
    std::string file;  // as errors name it
    std::string text;
    std::string
        section;  // `retention.policies` where the text is a whole configuration; empty: all of it

    friend bool operator==(const PolicyText&, const PolicyText&) = default;
};

struct PolicyFinding {
    std::string file;
    int line = 0;      // from 1; 0: none
    std::string path;  // policies[0].rules[1].keep_last_n.n
    std::string message;

    std::string text() const;
};

struct ReadPolicies {
    std::shared_ptr<const RetentionPolicies> policies;  // null where there are errors
    std::vector<PolicyFinding> errors;
};

// Names are unique over all texts.
ReadPolicies read_retention_policies(const std::vector<PolicyText>& texts);

}  // namespace orbitalreg::engine
