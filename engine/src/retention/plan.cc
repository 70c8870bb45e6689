#include "retention/plan.h"

#include "retention/rules.h"

#include <algorithm>
#include <map>

namespace orbitalreg::engine {

namespace {

constexpr std::uint64_t kOrphanWaitS = 7 * 86'400;
constexpr int kChainMax = 8;  // of attached to attached, for an expiry

// `sha256-<hex>.sig`: what is attached by the name of its tag. Without an ending: a list of referrers.
std::optional<Digest> subject_of_tag(const std::string& tag) {
    constexpr std::string_view kPrefix = "sha256-";
    constexpr std::size_t kHexSize = 64;
    if (!tag.starts_with(kPrefix) || tag.size() < kPrefix.size() + kHexSize) return std::nullopt;
    const auto end = kPrefix.size() + kHexSize;
    if (tag.size() > end && tag[end] != '.') return std::nullopt;
    const auto digest = parse_digest("sha256:" + tag.substr(kPrefix.size(), kHexSize));
    return digest ? std::optional{digest.value()} : std::nullopt;
}

bool is_signature(const std::string& artifact_type) {
    return artifact_type.find("signature") != std::string::npos ||
           artifact_type.find("sigstore.bundle") != std::string::npos ||
           artifact_type.find("cosign") != std::string::npos;
}

}  // namespace

std::string_view to_string(UnitReason reason) noexcept {
    switch (reason) {
        case UnitReason::no_rule:
            return "no rule keeps it";
        case UnitReason::with_subject:
            return "goes with its subject";
        case UnitReason::orphan:
            return "its subject is not here";
        case UnitReason::rule:
            return "rule";
        case UnitReason::protect:
            return "protect";
        case UnitReason::grace:
            return "grace_hours";
        case UnitReason::part_of_index:
            return "part of an index that stays";
        case UnitReason::attached:
            return "follows its subject";
        case UnitReason::subject_of_kept:
            return "what is attached to it stays";
        case UnitReason::untagged_now:
            return "untagged by this run";
        case UnitReason::untagged_not_deleted:
            return "delete_untagged: false";
        case UnitReason::orphan_waits:
            return "its subject is not here; waits";
        case UnitReason::not_seen:
            return "not of the policy's kinds";
    }
    return {};
}

ImagePlan::ImagePlan(PlanInput input) : input_{std::move(input)} {
    const auto& snapshot = *input_.snapshot;
    const auto manifests = snapshot.manifests.size();
    subject_of_.assign(manifests, kNone);
    attached_to_.resize(manifests);
    orphan_.assign(manifests, false);
    stays_.assign(manifests, false);
    manifest_reason_.assign(manifests, UnitReason::no_rule);
    loses_tags_.assign(manifests, false);
    kept_tags_.assign(manifests, 0);
    attached_tag_.assign(snapshot.tags.size(), false);
    tag_reason_.assign(snapshot.tags.size(), UnitReason::no_rule);
    for (const auto& policy : input_.policies) {
        for (const auto& rule : policy->rules)
            asks_for_signatures_ = asks_for_signatures_ || rule.is_signed.has_value();
    }
    find_attached();
    rules_ = std::make_unique<Rules>(input_, attached_tag_);
    judge_tags();
    judge_manifests();
    spread_keeps();
    collect_units();
}

ImagePlan::~ImagePlan() = default;

void ImagePlan::find_attached() {
    const auto& snapshot = *input_.snapshot;
    std::map<Digest, std::uint32_t> places;
    for (std::uint32_t i = 0; i < snapshot.manifests.size(); ++i)
        places.emplace(snapshot.manifests[i].digest, i);
    const auto attach = [&](std::uint32_t manifest, const Digest& subject) {
        const auto place = places.find(subject);
        if (place == places.end() || place->second == manifest) {
            orphan_[manifest] = true;
            return;
        }
        subject_of_[manifest] = place->second;
        attached_to_[place->second].push_back(manifest);
    };
    for (std::uint32_t i = 0; i < snapshot.manifests.size(); ++i) {
        if (snapshot.manifests[i].subject) attach(i, *snapshot.manifests[i].subject);
    }
    for (std::uint32_t i = 0; i < snapshot.tags.size(); ++i) {
        const auto subject = subject_of_tag(snapshot.tags[i].tag);
        if (!subject) continue;
        attached_tag_[i] = true;
        const auto manifest = snapshot.tags[i].manifest;
        if (subject_of_[manifest] == kNone && !orphan_[manifest]) attach(manifest, *subject);
    }
}

bool ImagePlan::is_signed(std::uint32_t manifest) const {
    const auto& snapshot = *input_.snapshot;
    const auto& attached = attached_to_[manifest];
    const bool by_referrer = std::any_of(attached.begin(), attached.end(), [&](std::uint32_t each) {
        return is_signature(snapshot.manifests[each].artifact_type);
    });
    if (by_referrer) return true;
    auto name = snapshot.manifests[manifest].digest.to_string();
    std::replace(name.begin(), name.end(), ':', '-');
    name += ".sig";
    const auto tag = std::lower_bound(
        snapshot.tags.begin(), snapshot.tags.end(), name,
        [](const HeldTag& held, const std::string& wanted) { return held.tag < wanted; });
    return tag != snapshot.tags.end() && tag->tag == name;
}

// --- items ---

ImagePlan::Item ImagePlan::item_of_tag(std::uint32_t index) const {
    const auto& snapshot = *input_.snapshot;
    const auto& tag = snapshot.tags[index];
    const std::uint64_t history_s =
        snapshot.history_since_s == 0 ? input_.now_s : snapshot.history_since_s;
    Item item;
    item.tag = &tag.tag;
    item.tag_index = index;
    item.manifest = tag.manifest;
    // What is not known happened when times began to be kept: nothing goes too early.
    item.pushed_s = tag.pushed_s == 0 ? history_s : tag.pushed_s;
    item.touched_s = item.pushed_s;
    if (tag.pulled_s != 0) item.pulled_s = tag.pulled_s;
    item.pulled_fail_s = item.pulled_s;
    if (tag.pushed_s < history_s)
        item.pulled_fail_s = std::max(item.pulled_s.value_or(0), history_s);
    item.is_signed = asks_for_signatures_ && is_signed(tag.manifest);
    return item;
}

ImagePlan::Item ImagePlan::item_of_manifest(std::uint32_t index) const {
    const auto& snapshot = *input_.snapshot;
    const auto& manifest = snapshot.manifests[index];
    const std::uint64_t history_s =
        snapshot.history_since_s == 0 ? input_.now_s : snapshot.history_since_s;
    Item item;
    item.manifest = index;
    item.pushed_s = manifest.pushed_s == 0 ? history_s : manifest.pushed_s;
    item.untagged_s = manifest.untagged_s == 0 ? item.pushed_s : manifest.untagged_s;
    if (loses_tags_[index]) item.untagged_s = input_.now_s;
    item.touched_s = std::max<std::uint64_t>({item.pushed_s, manifest.put_s, item.untagged_s});
    if (manifest.pulled_s != 0) item.pulled_s = manifest.pulled_s;
    item.pulled_fail_s = item.pulled_s;
    if (manifest.pushed_s < history_s)
        item.pulled_fail_s = std::max(item.pulled_s.value_or(0), history_s);
    item.is_signed = asks_for_signatures_ && is_signed(index);
    return item;
}

std::uint64_t ImagePlan::grace_s() const {
    std::uint64_t grace = 0;
    for (const auto& policy : input_.policies) grace = std::max(grace, policy->grace_s);
    return grace;
}

bool ImagePlan::in_grace(std::uint64_t since_s) const {
    return input_.now_s <= since_s + grace_s();
}

bool ImagePlan::seen_by_running(std::uint32_t manifest) const {
    const auto sees = [&](const RetentionPolicy& policy) {
        return policy.kinds.empty() || (manifest < input_.facts.size() &&
                                        policy.kinds.contains(input_.facts[manifest].kind));
    };
    if (input_.running != nullptr) return sees(*input_.running);
    return std::any_of(input_.policies.begin(), input_.policies.end(),
                       [&](const auto& policy) { return sees(*policy); });
}

UnitReason ImagePlan::judge_alone(const Item& item) const {
    if (!seen_by_running(item.manifest)) return UnitReason::not_seen;
    if (in_grace(item.touched_s)) return UnitReason::grace;
    const auto kept = rules_->kept(item);
    if (kept.by_protect) return UnitReason::protect;
    if (kept.by_rule) return UnitReason::rule;
    const bool stays_untagged =
        item.tag == nullptr &&
        std::any_of(input_.policies.begin(), input_.policies.end(),
                    [](const auto& policy) { return !policy->delete_untagged; });
    return stays_untagged ? UnitReason::untagged_not_deleted : UnitReason::no_rule;
}

std::uint64_t ImagePlan::orphan_wait_s() const {
    std::uint64_t wait = 0;
    for (const auto& policy : input_.policies) {
        for (const auto& rule : policy->rules) {
            if (rule.kind == RetentionRule::Kind::keep_untagged_for)
                wait = std::max(wait, rule.untagged_s);
        }
    }
    return wait == 0 ? kOrphanWaitS : wait;
}

UnitReason ImagePlan::judge_orphan(std::uint64_t since_s) const {
    if (in_grace(since_s)) return UnitReason::grace;
    return input_.now_s <= since_s + orphan_wait_s() ? UnitReason::orphan_waits
                                                     : UnitReason::orphan;
}

// --- decisions ---

void ImagePlan::judge_tags() {
    const auto& tags = input_.snapshot->tags;
    for (std::uint32_t i = 0; i < tags.size(); ++i) {
        const auto item = item_of_tag(i);
        const auto manifest = tags[i].manifest;
        auto reason = UnitReason::no_rule;
        if (!attached_tag_[i]) {
            reason = judge_alone(item);
        } else if (!seen_by_running(manifest)) {
            reason = UnitReason::not_seen;
        } else if (orphan_[manifest]) {
            reason = judge_orphan(item.touched_s);
        } else if (in_grace(item.touched_s)) {
            reason = UnitReason::grace;
        }
        tag_reason_[i] = reason;
        if (reason > UnitReason::orphan) {
            ++kept_tags_[manifest];
        } else {
            loses_tags_[manifest] = true;
        }
    }
    for (std::uint32_t i = 0; i < kept_tags_.size(); ++i) {
        if (kept_tags_[i] > 0) loses_tags_[i] = false;
    }
}

void ImagePlan::judge_manifests() {
    for (std::uint32_t i = 0; i < stays_.size(); ++i) {
        auto reason = UnitReason::no_rule;
        if (kept_tags_[i] > 0) {
            reason = UnitReason::rule;
        } else if (subject_of_[i] != kNone) {
            const auto item = item_of_manifest(i);
            // Loses its tags only together with its subject.
            const auto pushed =
                std::max<std::uint64_t>(item.pushed_s, input_.snapshot->manifests[i].put_s);
            const auto touched = loses_tags_[i] ? pushed : item.touched_s;
            if (in_grace(touched)) reason = UnitReason::grace;
        } else if (loses_tags_[i]) {
            reason = UnitReason::untagged_now;
        } else if (orphan_[i]) {
            reason = judge_orphan(item_of_manifest(i).touched_s);
        } else {
            reason = judge_alone(item_of_manifest(i));
        }
        manifest_reason_[i] = reason;
        stays_[i] = reason > UnitReason::orphan;
    }
}

// What stays keeps its parts, its subject and what is attached to it.
void ImagePlan::spread_keeps() { spread(stays_, &manifest_reason_); }

void ImagePlan::spread(std::vector<bool>& stays, std::vector<UnitReason>* reasons) const {
    const auto& manifests = input_.snapshot->manifests;
    std::vector<std::uint32_t> next;
    for (std::uint32_t i = 0; i < stays.size(); ++i) {
        if (stays[i]) next.push_back(i);
    }
    const auto keep = [&](std::uint32_t manifest, UnitReason reason) {
        if (stays[manifest]) return;
        stays[manifest] = true;
        if (reasons != nullptr) (*reasons)[manifest] = reason;
        next.push_back(manifest);
    };
    while (!next.empty()) {
        const auto manifest = next.back();
        next.pop_back();
        for (const auto child : manifests[manifest].children)
            keep(child, UnitReason::part_of_index);
        if (subject_of_[manifest] != kNone)
            keep(subject_of_[manifest], UnitReason::subject_of_kept);
        for (const auto attached : attached_to_[manifest]) keep(attached, UnitReason::attached);
    }
}

std::vector<std::uint32_t> ImagePlan::manifests_gone() const {
    std::vector<std::uint32_t> gone;
    for (const auto& unit : units_) {
        if (unit.tag == PlanUnit::kNoTag && unit.gone()) gone.push_back(unit.manifest);
    }
    return gone;
}

std::vector<std::uint32_t> ImagePlan::manifests_gone_later() const {
    std::vector<bool> stays(stays_.size());
    for (std::uint32_t i = 0; i < stays.size(); ++i) {
        const auto reason = manifest_reason_[i];
        const bool by_itself = reason == UnitReason::rule || reason == UnitReason::protect ||
                               reason == UnitReason::untagged_not_deleted ||
                               reason == UnitReason::not_seen || reason == UnitReason::grace ||
                               reason == UnitReason::orphan_waits;
        const bool for_ever =
            reason == UnitReason::untagged_now &&
            rules_->until(item_of_manifest(i)).value_or(0) == RuleVerdict::kForever;
        stays[i] = by_itself || for_ever;
    }
    spread(stays, nullptr);
    std::vector<std::uint32_t> later;
    for (std::uint32_t i = 0; i < stays.size(); ++i) {
        if (stays_[i] && !stays[i]) later.push_back(i);
    }
    return later;
}

void ImagePlan::collect_units() {
    const auto& snapshot = *input_.snapshot;
    for (std::uint32_t i = 0; i < snapshot.tags.size(); ++i) {
        const auto manifest = snapshot.tags[i].manifest;
        auto reason = tag_reason_[i];
        const bool follows = subject_of_[manifest] != kNone && reason <= UnitReason::orphan;
        if (follows) reason = stays_[manifest] ? UnitReason::attached : UnitReason::with_subject;
        units_.push_back({i, manifest, reason});
    }
    std::vector<bool> tagged(snapshot.manifests.size(), false);
    for (const auto& tag : snapshot.tags) tagged[tag.manifest] = true;
    for (std::uint32_t i = 0; i < snapshot.manifests.size(); ++i) {
        const bool attached = subject_of_[i] != kNone;
        auto reason = manifest_reason_[i];
        if (attached && !stays_[i]) reason = UnitReason::with_subject;
        const bool shown = !tagged[i] || (loses_tags_[i] && (!attached || !stays_[i]));
        if (shown) units_.push_back({PlanUnit::kNoTag, i, reason});
    }
    gone_ = static_cast<std::uint64_t>(std::count_if(
        units_.begin(), units_.end(), [](const PlanUnit& unit) { return unit.gone(); }));
}

std::uint32_t ImagePlan::percent_gone() const noexcept {
    if (units_.empty()) return 0;
    // Rounded up: a limit of 50 is not passed by 50.4.
    return static_cast<std::uint32_t>((gone_ * 100 + units_.size() - 1) / units_.size());
}

// --- explanations ---

std::optional<std::uint64_t> ImagePlan::expiry_alone(const Item& item) const {
    const auto until = rules_->until(item).value_or(0);
    if (until == RuleVerdict::kForever) return std::nullopt;
    return std::max(until, item.touched_s + grace_s());
}

std::optional<std::uint64_t> ImagePlan::expiry_of(std::uint32_t manifest, int depth) const {
    if (depth > kChainMax || kept_tags_[manifest] > 0) return std::nullopt;
    switch (manifest_reason_[manifest]) {
        case UnitReason::rule:
        case UnitReason::grace:
        case UnitReason::untagged_now:
            return subject_of_[manifest] == kNone ? expiry_alone(item_of_manifest(manifest))
                                                  : expiry_of(subject_of_[manifest], depth + 1);
        case UnitReason::attached:
            return expiry_of(subject_of_[manifest], depth + 1);
        case UnitReason::orphan_waits:
            return item_of_manifest(manifest).touched_s + orphan_wait_s();
        default:
            return std::nullopt;
    }
}

UnitExplanation ImagePlan::explain(const PlanUnit& unit) const {
    UnitExplanation explanation;
    const bool tagged = unit.tag != PlanUnit::kNoTag;
    const auto item = tagged ? item_of_tag(unit.tag) : item_of_manifest(unit.manifest);
    const bool attached_name = tagged && attached_tag_[unit.tag];
    if (!attached_name && (tagged || subject_of_[unit.manifest] == kNone))
        explanation.rules = rules_->verdicts(item);
    explanation.why = to_string(unit.reason);
    if (unit.reason == UnitReason::rule || unit.reason == UnitReason::protect) {
        for (const auto& named : explanation.rules) {
            if (!named.verdict.keeps) continue;
            explanation.why = named.verdict.why;
            break;
        }
    }
    if (unit.gone()) return explanation;
    if (!tagged) {
        explanation.expires_s = expiry_of(unit.manifest, 0);
    } else if (unit.reason == UnitReason::attached) {
        explanation.expires_s = expiry_of(unit.manifest, 0);
    } else if (unit.reason == UnitReason::rule || unit.reason == UnitReason::grace) {
        explanation.expires_s = expiry_alone(item);
    } else if (unit.reason == UnitReason::orphan_waits) {
        explanation.expires_s = item.touched_s + orphan_wait_s();
    }
    return explanation;
}

}  // namespace orbitalreg::engine
