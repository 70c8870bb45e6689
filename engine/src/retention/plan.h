#pragma once
// ImagePlan is what policies make of one image name: which tags and untagged manifests go, which stay, and why. A pure function of
// a snapshot, the policies and the time, so that a dry run and a run decide the same.
//
// Evaluation  structural keeps, then `protect`, then the rules; what none of them keeps goes. Rules have no order, and those of all
//             matching policies count.
// Memory      a few bytes for each tag and manifest; reasons in words are made for one unit at a time.
// Threads     one.

#include "engine/retention_store.h"
#include "retention/policy.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace orbitalreg::engine {

// What is known of a manifest beyond the catalog; read where a policy asks.
struct ManifestFacts {
    ArtifactKind kind = ArtifactKind::container_image;
    std::vector<std::pair<std::string, std::string>> labels;
};

struct PlanInput {
    const ImageSnapshot* snapshot = nullptr;
    std::vector<std::shared_ptr<const RetentionPolicy>>
        policies;  // those that match the image name
    // The policy that runs: only what it sees may go. Null: whatever any of them sees.
    const RetentionPolicy* running = nullptr;
    std::uint64_t now_s = 0;
    std::vector<ManifestFacts> facts;  // as ImageSnapshot::manifests; empty: not read
};

enum class UnitReason : std::uint8_t {
    // gone
    no_rule,
    with_subject,
    orphan,
    // kept
    rule,
    protect,
    grace,
    part_of_index,
    attached,
    subject_of_kept,
    untagged_now,
    untagged_not_deleted,
    orphan_waits,
    not_seen,
};
std::string_view to_string(UnitReason reason) noexcept;

struct PlanUnit {
    static constexpr std::uint32_t kNoTag = UINT32_MAX;

    std::uint32_t tag = kNoTag;  // of ImageSnapshot::tags; kNoTag: the manifest
    std::uint32_t manifest = 0;  // of ImageSnapshot::manifests
    UnitReason reason = UnitReason::no_rule;
    bool gone() const noexcept { return reason <= UnitReason::orphan; }
};

// What one rule says of one unit.
struct RuleVerdict {
    static constexpr std::uint64_t kForever = UINT64_MAX;

    bool keeps = false;
    std::string why;
    std::uint64_t until_s = 0;  // keeps it up to and including then, if nothing happens
};
struct NamedVerdict {
    std::string
        rule;  // rules[0].keep_by_age; with the policy's name in front where that is another one
    RuleVerdict verdict;
};
struct UnitExplanation {
    std::vector<NamedVerdict> rules;
    std::string why;
    // The last second in which it is kept if nothing happens. Nothing: it goes now, or there is no end.
    std::optional<std::uint64_t> expires_s;
};

class ImagePlan {
public:
    // `input.snapshot` outlives it.
    explicit ImagePlan(PlanInput input);
    ~ImagePlan();
    ImagePlan(const ImagePlan&) = delete;
    ImagePlan& operator=(const ImagePlan&) = delete;

    // Tags in byte order, then manifests without one, and those that lose their last one now.
    const std::vector<PlanUnit>& units() const noexcept { return units_; }
    std::uint64_t kept() const noexcept { return units_.size() - gone_; }
    std::uint64_t gone() const noexcept { return gone_; }
    // The manifests that go; and those that would follow later, if nothing happened, because they lose their last tag now.
    std::vector<std::uint32_t> manifests_gone() const;
    std::vector<std::uint32_t> manifests_gone_later() const;
    // The manifest to which it is attached, of those that are here.
    std::optional<std::uint32_t> subject_of(std::uint32_t manifest) const noexcept {
        if (subject_of_[manifest] == kNone) return std::nullopt;
        return subject_of_[manifest];
    }
    // Its last tag goes now.
    bool loses_tags(std::uint32_t manifest) const noexcept { return loses_tags_[manifest]; }
    // Of all that could go, at most 100.
    std::uint32_t percent_gone() const noexcept;
    UnitExplanation explain(const PlanUnit& unit) const;
    const ImageSnapshot& snapshot() const noexcept { return *input_.snapshot; }

private:
    class Rules;
    struct Item;

    void find_attached();
    void judge_tags();
    void judge_manifests();
    void spread_keeps();
    void spread(std::vector<bool>& stays, std::vector<UnitReason>* reasons) const;
    void collect_units();
    Item item_of_tag(std::uint32_t tag) const;
    Item item_of_manifest(std::uint32_t manifest) const;
    UnitReason judge_alone(const Item& item) const;
    UnitReason judge_orphan(std::uint64_t since_s) const;
    std::uint64_t orphan_wait_s() const;
    std::uint64_t grace_s() const;
    bool in_grace(std::uint64_t since_s) const;
    std::optional<std::uint64_t> expiry_of(std::uint32_t manifest, int depth) const;
    std::optional<std::uint64_t> expiry_alone(const Item& item) const;
    bool seen_by_running(std::uint32_t manifest) const;
    bool is_signed(std::uint32_t manifest) const;

    PlanInput input_;
    std::unique_ptr<Rules> rules_;
    bool asks_for_signatures_ = false;
    // By manifest.
    static constexpr std::uint32_t kNone = UINT32_MAX;
    std::vector<std::uint32_t> subject_of_;  // kNone: is attached to nothing that is here
    std::vector<std::vector<std::uint32_t>> attached_to_;
    std::vector<bool> orphan_;
    std::vector<bool> stays_;
    std::vector<UnitReason> manifest_reason_;
    std::vector<bool> loses_tags_;
    std::vector<std::uint32_t> kept_tags_;
    // By tag.
    std::vector<bool> attached_tag_;
    std::vector<UnitReason> tag_reason_;

    std::vector<PlanUnit> units_;
    std::uint64_t gone_ = 0;
};

}  // namespace orbitalreg::engine
