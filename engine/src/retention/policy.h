#pragma once
// RetentionPolicy as it is evaluated: names are compiled, ages are seconds.
//
// Threads  immutable.

#include "engine/retention_policy.h"
#include "retention/cron.h"
#include "retention/pattern.h"
#include "retention/semver.h"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace orbitalreg::engine {

enum class ArtifactKind : std::uint8_t { container_image, index, helm_chart, wasm, oci_artifact };
std::string_view to_string(ArtifactKind kind) noexcept;
std::optional<ArtifactKind> parse_artifact_kind(std::string_view text) noexcept;

struct RetentionRule {
    enum class Kind : std::uint8_t {
        keep_by_age,
        keep_last_n,
        keep_tags,
        keep_untagged_for,
        keep_if,
        protect,
    };
    enum class By : std::uint8_t { pushed, pulled, active, semver };

    Kind kind = Kind::keep_by_age;
    // What the rule sees; empty: everything.
    std::vector<Pattern> tags;
    std::vector<Pattern> exclude_tags;

    // keep_by_age
    std::optional<std::uint64_t> max_age_s;
    std::optional<std::uint64_t> pulled_in_last_s;
    bool strict = false;
    // keep_last_n
    std::uint32_t count = 0;
    By by = By::pushed;
    std::optional<Pattern> group;  // per: group
    bool distinct_tags = false;    // count tags, not digests
    // keep_tags
    std::optional<Pattern> regex;
    std::optional<SemverRange> semver;
    bool prerelease = false;
    // keep_untagged_for
    std::uint64_t untagged_s = 0;
    // keep_if
    std::optional<bool> quarantined;
    std::optional<bool> is_signed;
    std::optional<std::pair<std::string, std::string>> label;
    // protect
    std::string reason;
};
std::string_view to_string(RetentionRule::Kind kind) noexcept;

struct RetentionPolicy {
    std::string name;
    std::vector<Pattern> repositories;
    std::vector<Pattern> exclude;
    std::set<ArtifactKind> kinds;  // empty: all
    std::string schedule_text;
    Cron schedule;
    bool dry_run = false;
    std::uint64_t grace_s = 24 * 3600;
    bool delete_untagged = true;
    std::uint32_t max_delete_percent = 50;
    bool respect_immutable = true;
    std::vector<RetentionRule> rules;

    bool matches(std::string_view image) const;
    // Whether something about manifests must be read that the catalog does not hold.
    bool needs_facts() const;
};

// One policy text beside the stored ones, as a dry run takes it.
ReadPolicies read_policy_text(const std::string& file, const std::string& text);

}  // namespace orbitalreg::engine
