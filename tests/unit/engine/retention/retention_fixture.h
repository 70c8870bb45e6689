#pragma once
// An image name made of days: what was pushed, pulled and untagged when, and what policies make of it.

#include "base/bytes.h"
#include "retention/plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace orbitalreg::engine {

inline constexpr std::uint32_t kDay = 86'400;
// Day 0: late enough that nothing comes before the start of time.
inline constexpr std::uint32_t kDayZero = 1000 * kDay;

inline std::uint32_t day(double number) {
    return kDayZero + static_cast<std::uint32_t>(number * kDay);
}

inline Digest sha(const std::string& name) {
    return Digest::of(DigestAlgorithm::sha256, as_bytes(name));
}

inline std::vector<std::shared_ptr<const RetentionPolicy>> policies_of(const std::string& text) {
    const auto read = read_policy_text("test.yaml", text);
    for (const auto& error : read.errors) ADD_FAILURE() << error.text();
    return read.policies ? read.policies->all
                         : std::vector<std::shared_ptr<const RetentionPolicy>>{};
}

class ImageOfDays {
public:
    ImageOfDays() {
        snapshot.image = "team/app";
        snapshot.history_since_s = day(-500);
    }

    std::uint32_t manifest(const std::string& name, double pushed,
                           std::optional<double> pulled = {}, std::optional<double> untagged = {}) {
        const auto known = places.find(name);
        if (known != places.end()) return known->second;
        HeldManifest held;
        held.digest = sha(name);
        held.size_bytes = 100;
        held.pushed_s = day(pushed);
        held.put_s = day(pushed);
        if (pulled) held.pulled_s = day(*pulled);
        if (untagged) held.untagged_s = day(*untagged);
        snapshot.manifests.push_back(held);
        const auto place = static_cast<std::uint32_t>(snapshot.manifests.size() - 1);
        places.emplace(name, place);
        return place;
    }
    void tag(const std::string& name, const std::string& points_at, double pushed,
             std::optional<double> pulled = {}) {
        const auto place = manifest(points_at, pushed, pulled);
        HeldTag held{name, place, day(pushed), pulled ? day(*pulled) : 0};
        const auto at = std::lower_bound(
            snapshot.tags.begin(), snapshot.tags.end(), name,
            [](const HeldTag& each, const std::string& wanted) { return each.tag < wanted; });
        snapshot.tags.insert(at, held);
    }
    void attach(const std::string& name, const std::string& subject, double pushed,
                const std::string& type = "application/vnd.example.signature") {
        auto& held = snapshot.manifests[manifest(name, pushed)];
        held.subject = sha(subject);
        held.artifact_type = type;
    }
    void index(const std::string& name, double pushed, const std::vector<std::string>& children) {
        const auto place = manifest(name, pushed);
        snapshot.manifests[place].kind = ManifestKind::oci_index;
        for (const auto& child : children)
            snapshot.manifests[place].children.push_back(places.at(child));
    }

    ImagePlan plan(const std::string& policies, std::uint64_t now_s) const {
        PlanInput input;
        input.snapshot = &snapshot;
        input.policies = policies_of(policies);
        if (input.policies.size() == 1) input.running = input.policies.front().get();
        input.now_s = now_s;
        return ImagePlan{std::move(input)};
    }

    ImageSnapshot snapshot;
    std::map<std::string, std::uint32_t> places;
};

// Names of what goes: tags, and manifests as `@name`.
inline std::vector<std::string> gone(const ImageOfDays& image, const ImagePlan& plan) {
    std::vector<std::string> names;
    for (const auto& unit : plan.units()) {
        if (!unit.gone()) continue;
        if (unit.tag != PlanUnit::kNoTag) {
            names.push_back(image.snapshot.tags[unit.tag].tag);
            continue;
        }
        for (const auto& [name, place] : image.places) {
            if (place == unit.manifest) names.push_back('@' + name);
        }
    }
    return names;
}

inline const PlanUnit* unit_of(const ImageOfDays& image, const ImagePlan& plan,
                               const std::string& name) {
    for (const auto& unit : plan.units()) {
        const bool tag = unit.tag != PlanUnit::kNoTag && image.snapshot.tags[unit.tag].tag == name;
        const bool manifest = unit.tag == PlanUnit::kNoTag && name.starts_with('@') &&
                              image.places.at(name.substr(1)) == unit.manifest;
        if (tag || manifest) return &unit;
    }
    return nullptr;
}

}  // namespace orbitalreg::engine
