#pragma once
// ImagePlan::Rules says what each rule of the matching policies makes of one item. Ranks of `keep_last_n` are made once for the
// whole image name. Private to the plan's own sources.

#include "retention/plan.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace orbitalreg::engine {

// A tag, or a manifest without one, as rules see it.
struct ImagePlan::Item {
    const std::string* tag = nullptr;  // null: untagged
    std::uint32_t tag_index = PlanUnit::kNoTag;
    std::uint32_t manifest = 0;
    std::uint64_t pushed_s = 0;
    std::uint64_t touched_s =
        0;  // the last push of any kind, or the loss of the last tag: from here the grace counts
    std::uint64_t untagged_s = 0;           // without a tag since
    std::optional<std::uint64_t> pulled_s;  // as noted
    std::optional<std::uint64_t>
        pulled_fail_s;  // as `match_pulled_in_last` takes it: at the latest at the start of the history
    bool is_signed = false;
};

class ImagePlan::Rules {
public:
    // `input` outlives it. `attached`: by tag, what no rule sees.
    Rules(const PlanInput& input, const std::vector<bool>& attached);

    struct Kept {
        bool by_rule = false;
        bool by_protect = false;
    };
    Kept kept(const Item& item) const;
    // The last second up to which any keeps it; kForever.
    std::optional<std::uint64_t> until(const Item& item) const;
    std::vector<NamedVerdict> verdicts(const Item& item) const;

private:
    enum class Why : std::uint8_t;
    // As a verdict, without words.
    struct Judgement {
        bool keeps = false;
        std::uint64_t until_s = 0;
        Why why{};
        std::uint64_t a = 0;
        std::uint64_t b = 0;
    };
    struct Ranked {
        std::vector<std::uint32_t> rank;  // by tag, from 1; 0: not seen
        std::vector<std::uint32_t> of;    // by tag: how many there are in its group
    };

    Judgement judge(const RetentionPolicy& policy, const RetentionRule& rule, const Ranked* ranked,
                    const Item& item) const;
    Judgement by_age(const RetentionRule& rule, const Item& item) const;
    Judgement by_rank(const RetentionRule& rule, const Ranked& ranked, const Item& item) const;
    Judgement by_name(const RetentionRule& rule, const Item& item) const;
    Judgement by_untagged(const RetentionRule& rule, const Item& item) const;
    Judgement by_facts(const RetentionRule& rule, const Item& item) const;
    Ranked rank(const RetentionRule& rule, const std::vector<bool>& attached) const;
    std::string words(const RetentionRule& rule, const Judgement& judgement) const;
    bool sees_kind(const RetentionPolicy& policy, std::uint32_t manifest) const;
    template <class Visit>
    void each(const Item& item, Visit visit) const;

    const PlanInput& input_;
    std::vector<std::vector<std::optional<Ranked>>> ranked_;  // by policy and rule
};

}  // namespace orbitalreg::engine
