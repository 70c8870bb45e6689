#include "retention/policy.h"

#include <algorithm>
#include <array>

namespace orbitalreg::engine {

namespace {

constexpr std::array<std::string_view, 5> kKinds{"container_image", "index", "helm_chart", "wasm",
                                                 "oci_artifact"};
constexpr std::array<std::string_view, 6> kRules{"keep_by_age",       "keep_last_n", "keep_tags",
                                                 "keep_untagged_for", "keep_if",     "protect"};

bool any_matches(const std::vector<Pattern>& patterns, std::string_view text) {
    return std::any_of(patterns.begin(), patterns.end(),
                       [text](const Pattern& pattern) { return pattern.matches(text); });
}

}  // namespace

std::string_view to_string(ArtifactKind kind) noexcept {
    return kKinds[static_cast<std::size_t>(kind)];
}

std::optional<ArtifactKind> parse_artifact_kind(std::string_view text) noexcept {
    const auto* const found = std::find(kKinds.begin(), kKinds.end(), text);
    if (found == kKinds.end()) return std::nullopt;
    return static_cast<ArtifactKind>(found - kKinds.begin());
}

std::string_view to_string(RetentionRule::Kind kind) noexcept {
    return kRules[static_cast<std::size_t>(kind)];
}

bool RetentionPolicy::matches(std::string_view image) const {
    return any_matches(repositories, image) && !any_matches(exclude, image);
}

bool RetentionPolicy::needs_facts() const {
    return !kinds.empty() || std::any_of(rules.begin(), rules.end(),
                                         [](const auto& rule) { return rule.label.has_value(); });
}

std::vector<std::string> RetentionPolicies::names() const {
    std::vector<std::string> names;
    for (const auto& policy : all) names.push_back(policy->name);
    return names;
}

std::string PolicyFinding::text() const {
    std::string out = file;
    if (line > 0) out += ':' + std::to_string(line);
    if (!path.empty()) out += (out.empty() ? "" : ": ") + path;
    return out + ": " + message;
}

}  // namespace orbitalreg::engine
