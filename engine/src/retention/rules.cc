#include "retention/rules.h"

#include "base/assert.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <unordered_map>

namespace orbitalreg::engine {

namespace {

constexpr std::uint64_t kForever = RuleVerdict::kForever;

std::uint64_t since(std::uint64_t now_s, std::uint64_t then_s) noexcept {
    return now_s > then_s ? now_s - then_s : 0;
}

bool any_matches(const std::vector<Pattern>& patterns, const std::string& text) {
    return std::any_of(patterns.begin(), patterns.end(),
                       [&](const Pattern& pattern) { return pattern.matches(text); });
}

// A rule with `tags` sees no manifest without one.
bool sees(const RetentionRule& rule, const std::string* tag) {
    if (tag == nullptr) return rule.tags.empty();
    return (rule.tags.empty() || any_matches(rule.tags, *tag)) &&
           !any_matches(rule.exclude_tags, *tag);
}

std::string span_text(std::uint64_t seconds) {
    constexpr std::uint64_t kDay = 86'400;
    constexpr std::uint64_t kHour = 3'600;
    if (seconds >= kDay && seconds % kDay == 0) return std::to_string(seconds / kDay) + 'd';
    if (seconds >= 2 * kDay) return std::to_string(seconds / kDay) + 'd';
    if (seconds >= kHour) return std::to_string(seconds / kHour) + 'h';
    return std::to_string(seconds) + 's';
}

}  // namespace

enum class ImagePlan::Rules::Why : std::uint8_t {
    not_seen,
    age,
    pulled_within_window,
    last_access,
    never_pulled_yet,
    too_old,
    pulled_too_long_ago,
    rank,
    no_rank,
    name,
    no_name,
    no_version,
    no_range,
    prerelease,
    untagged_for,
    untagged_too_long,
    tagged,
    untagged,
    facts,
    no_facts,
    kind,
};

ImagePlan::Rules::Rules(const PlanInput& input, const std::vector<bool>& attached) : input_{input} {
    for (const auto& policy : input_.policies) {
        auto& of_policy = ranked_.emplace_back();
        for (const auto& rule : policy->rules) {
            const bool ranks = rule.kind == RetentionRule::Kind::keep_last_n;
            of_policy.push_back(ranks ? std::optional{rank(rule, attached)} : std::nullopt);
        }
    }
}

bool ImagePlan::Rules::sees_kind(const RetentionPolicy& policy, std::uint32_t manifest) const {
    if (policy.kinds.empty()) return true;
    return manifest < input_.facts.size() && policy.kinds.contains(input_.facts[manifest].kind);
}

template <class Visit>
void ImagePlan::Rules::each(const Item& item, Visit visit) const {
    for (std::size_t p = 0; p < input_.policies.size(); ++p) {
        const auto& policy = *input_.policies[p];
        for (std::size_t r = 0; r < policy.rules.size(); ++r) {
            const auto& rule = policy.rules[r];
            const auto& ranked = ranked_[p][r];
            visit(policy, r, rule, judge(policy, rule, ranked ? &*ranked : nullptr, item));
        }
    }
}

ImagePlan::Rules::Kept ImagePlan::Rules::kept(const Item& item) const {
    Kept kept;
    each(item, [&](const RetentionPolicy&, std::size_t, const RetentionRule& rule,
                   const Judgement& judgement) {
        if (!judgement.keeps) return;
        (rule.kind == RetentionRule::Kind::protect ? kept.by_protect : kept.by_rule) = true;
    });
    return kept;
}

std::optional<std::uint64_t> ImagePlan::Rules::until(const Item& item) const {
    std::optional<std::uint64_t> until;
    each(item, [&](const RetentionPolicy&, std::size_t, const RetentionRule&,
                   const Judgement& judgement) {
        if (judgement.keeps) until = std::max(until.value_or(0), judgement.until_s);
    });
    return until;
}

std::vector<NamedVerdict> ImagePlan::Rules::verdicts(const Item& item) const {
    std::vector<NamedVerdict> verdicts;
    each(item, [&](const RetentionPolicy& policy, std::size_t number, const RetentionRule& rule,
                   const Judgement& judgement) {
        const bool other =
            input_.running == nullptr ? input_.policies.size() > 1 : &policy != input_.running;
        std::string name = other ? policy.name + ": " : "";
        name += "rules[" + std::to_string(number) + "].";
        name += to_string(rule.kind);
        verdicts.push_back(
            {std::move(name), {judgement.keeps, words(rule, judgement), judgement.until_s}});
    });
    return verdicts;
}

ImagePlan::Rules::Judgement ImagePlan::Rules::judge(const RetentionPolicy& policy,
                                                    const RetentionRule& rule, const Ranked* ranked,
                                                    const Item& item) const {
    using Kind = RetentionRule::Kind;
    if (!sees_kind(policy, item.manifest)) return {false, 0, Why::kind};
    if (rule.kind == Kind::keep_untagged_for && item.tag != nullptr) return {false, 0, Why::tagged};
    const bool names_only = rule.kind == Kind::keep_last_n || rule.kind == Kind::keep_tags ||
                            rule.kind == Kind::protect;
    if (names_only && item.tag == nullptr) return {false, 0, Why::untagged};
    if (!sees(rule, item.tag)) return {false, 0, Why::not_seen};
    switch (rule.kind) {
        case Kind::keep_by_age:
            return by_age(rule, item);
        case Kind::keep_last_n:
            ORB_ASSERT(ranked != nullptr);
            return by_rank(rule, *ranked, item);
        case Kind::keep_tags:
            return by_name(rule, item);
        case Kind::keep_untagged_for:
            return by_untagged(rule, item);
        case Kind::keep_if:
            return by_facts(rule, item);
        case Kind::protect:
            return {true, kForever, Why::name};
    }
    return {};
}

// docs/operations/retention.md, "keep_by_age". Ages are inclusive: what is exactly as old as it may be is kept.
ImagePlan::Rules::Judgement ImagePlan::Rules::by_age(const RetentionRule& rule,
                                                     const Item& item) const {
    const auto age = since(input_.now_s, item.pushed_s);
    const auto& pulled = item.pulled_fail_s;
    const auto limit = rule.max_age_s;
    const auto window = rule.pulled_in_last_s;
    const bool counts = window && pulled;
    const auto pulled_ago = counts ? since(input_.now_s, *pulled) : 0;
    auto reach = window.value_or(0);  // how long a pull protects
    if (limit && !rule.strict) reach = std::max(reach, *limit);
    Judgement judgement;
    if (limit) judgement.until_s = item.pushed_s + *limit;
    if (!limit && !pulled) judgement.until_s = item.pushed_s + *window;
    if (counts) judgement.until_s = std::max(judgement.until_s, *pulled + reach);
    judgement.keeps = input_.now_s <= judgement.until_s;
    const auto accessed_ago = counts ? std::min(age, pulled_ago) : age;
    judgement.a = accessed_ago;
    judgement.b = limit.value_or(window.value_or(0));
    if (!judgement.keeps) {
        judgement.why = limit ? Why::too_old : Why::pulled_too_long_ago;
    } else if (limit && age <= *limit) {
        judgement.why = Why::age;
    } else if (!counts) {
        judgement.why = Why::never_pulled_yet;
    } else {
        judgement.why = pulled_ago <= *window ? Why::pulled_within_window : Why::last_access;
    }
    return judgement;
}

ImagePlan::Rules::Judgement ImagePlan::Rules::by_rank(const RetentionRule& rule,
                                                      const Ranked& ranked,
                                                      const Item& item) const {
    const auto place = ranked.rank[item.tag_index];
    if (place == 0) return {false, 0, Why::no_rank};
    const bool keeps = place <= rule.count;
    return {keeps, keeps ? kForever : 0, Why::rank, place, ranked.of[item.tag_index]};
}

ImagePlan::Rules::Judgement ImagePlan::Rules::by_name(const RetentionRule& rule,
                                                      const Item& item) const {
    if (rule.regex && !rule.regex->matches(*item.tag)) return {false, 0, Why::no_name};
    if (rule.semver) {
        const auto version = Semver::parse(*item.tag);
        if (!version) return {false, 0, Why::no_version};
        if (!version->prerelease.empty() && !rule.prerelease) return {false, 0, Why::prerelease};
        if (!rule.semver->contains(*version)) return {false, 0, Why::no_range};
    }
    return {true, kForever, Why::name};
}

ImagePlan::Rules::Judgement ImagePlan::Rules::by_untagged(const RetentionRule& rule,
                                                          const Item& item) const {
    const auto until = item.untagged_s + rule.untagged_s;
    const bool keeps = input_.now_s <= until;
    return {keeps, until, keeps ? Why::untagged_for : Why::untagged_too_long,
            since(input_.now_s, item.untagged_s), rule.untagged_s};
}

// Nothing is quarantined as long as nothing is scanned.
ImagePlan::Rules::Judgement ImagePlan::Rules::by_facts(const RetentionRule& rule,
                                                       const Item& item) const {
    bool holds = !rule.quarantined || !*rule.quarantined;
    if (rule.is_signed) holds = holds && *rule.is_signed == item.is_signed;
    if (rule.label) {
        const bool known = item.manifest < input_.facts.size();
        holds = holds && known &&
                std::find(input_.facts[item.manifest].labels.begin(),
                          input_.facts[item.manifest].labels.end(),
                          *rule.label) != input_.facts[item.manifest].labels.end();
    }
    return {holds, holds ? kForever : 0, holds ? Why::facts : Why::no_facts};
}

// --- ranks ---

ImagePlan::Rules::Ranked ImagePlan::Rules::rank(const RetentionRule& rule,
                                                const std::vector<bool>& attached) const {
    using By = RetentionRule::By;
    const auto& tags = input_.snapshot->tags;
    struct Candidate {
        std::uint32_t tag = 0;
        std::uint64_t key = 0;
        std::optional<Semver> version;
    };
    std::map<std::string, std::vector<Candidate>> groups;
    for (std::uint32_t i = 0; i < tags.size(); ++i) {
        const auto& tag = tags[i];
        if (attached[i] || !sees(rule, &tag.tag)) continue;
        Candidate candidate{i, tag.pushed_s, {}};
        if (rule.by == By::pulled) candidate.key = tag.pulled_s;
        if (rule.by == By::active) candidate.key = std::max(tag.pushed_s, tag.pulled_s);
        if (rule.by == By::semver) {
            candidate.version = Semver::parse(tag.tag);
            if (!candidate.version) continue;
        }
        std::string group;
        if (rule.group) {
            auto named = rule.group->first_group(tag.tag);
            if (!named) continue;
            group = std::move(*named);
        }
        groups[group].push_back(std::move(candidate));
    }
    Ranked ranked{std::vector<std::uint32_t>(tags.size()), std::vector<std::uint32_t>(tags.size())};
    for (auto& [name, candidates] : groups) {
        // Tags stand in byte order already.
        std::stable_sort(candidates.begin(), candidates.end(),
                         [](const Candidate& a, const Candidate& b) {
                             return a.version ? *a.version > *b.version : a.key > b.key;
                         });
        std::unordered_map<std::uint32_t, std::uint32_t> slots;  // by manifest
        for (const auto& candidate : candidates) {
            const auto next = static_cast<std::uint32_t>(slots.size()) + 1;
            const auto slot = slots.try_emplace(
                rule.distinct_tags ? candidate.tag : tags[candidate.tag].manifest, next);
            ranked.rank[candidate.tag] = slot.first->second;
        }
        for (const auto& candidate : candidates)
            ranked.of[candidate.tag] = static_cast<std::uint32_t>(slots.size());
    }
    return ranked;
}

// --- words ---

std::string ImagePlan::Rules::words(const RetentionRule& rule, const Judgement& judgement) const {
    const auto a = judgement.a;
    const auto b = judgement.b;
    switch (judgement.why) {
        case Why::not_seen:
            return "not seen by this rule: tags, exclude_tags";
        case Why::age:
            return "age";
        case Why::pulled_within_window:
            return "pulled_within_window";
        case Why::last_access:
            return "last_access";
        case Why::never_pulled_yet:
            return "not pulled yet, pushed " + span_text(a) + " ago";
        case Why::too_old:
            return (rule.strict ? "pushed or pulled too long ago, last access " : "last access ") +
                   span_text(a) + " ago > " + span_text(b);
        case Why::pulled_too_long_ago:
            return "last access " + span_text(a) + " ago > " + span_text(b);
        case Why::rank:
            return "rank " + std::to_string(a) + " of " + std::to_string(b) +
                   ", n=" + std::to_string(rule.count);
        case Why::no_rank:
            return rule.by == RetentionRule::By::semver ? "no version, or in no group"
                                                        : "in no group";
        case Why::name:
            return rule.reason.empty() ? "the tag matches" : rule.reason;
        case Why::no_name:
            return "the tag does not match";
        case Why::no_version:
            return "the tag is no version";
        case Why::no_range:
            return "the version is out of range";
        case Why::prerelease:
            return "a prerelease";
        case Why::untagged_for:
            return "untagged " + span_text(a) + " ago <= " + span_text(b);
        case Why::untagged_too_long:
            return "untagged " + span_text(a) + " ago > " + span_text(b);
        case Why::tagged:
            return "item is tagged";
        case Why::untagged:
            return "item is untagged";
        case Why::facts:
            return "all conditions hold";
        case Why::no_facts:
            return "not all conditions hold";
        case Why::kind:
            return "not of the policy's kinds";
    }
    return {};
}

}  // namespace orbitalreg::engine
