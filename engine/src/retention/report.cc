#include "retention/report.h"

#include <chrono>
#include <cstdio>

namespace orbitalreg::engine {

namespace json = boost::json;

std::string utc_text(std::int64_t seconds) {
    constexpr std::int64_t kDaySeconds = 86'400;
    const auto days = seconds / kDaySeconds;
    const auto rest = seconds % kDaySeconds;
    const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{days}}};
    char text[40];
    std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02dZ",
                  static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                  static_cast<unsigned>(date.day()), static_cast<int>(rest / 3600),
                  static_cast<int>(rest / 60 % 60), static_cast<int>(rest % 60));
    return text;
}

std::string TimesShown::text(std::uint64_t store_s) const {
    constexpr std::int64_t kLatestS = 253'402'300'799;  // year 9999
    const auto shown =
        wall_now_s + static_cast<std::int64_t>(store_s) - static_cast<std::int64_t>(store_now_s);
    return utc_text(std::clamp<std::int64_t>(shown, 0, kLatestS));
}

namespace {

json::value time_or_null(const TimesShown& times, std::uint64_t store_s) {
    if (store_s == 0) return nullptr;
    return json::string{times.text(store_s)};
}

json::string string_of(std::string_view text) { return json::string{text.data(), text.size()}; }

}  // namespace

json::object item_json(const ImagePlan& plan, const PlanUnit& unit, const TimesShown& times) {
    const auto& snapshot = plan.snapshot();
    const auto& manifest = snapshot.manifests[unit.manifest];
    const auto explained = plan.explain(unit);
    json::object item;
    item["repo"] = snapshot.image;
    std::uint64_t pushed_s = manifest.pushed_s;
    std::uint64_t pulled_s = manifest.pulled_s;
    if (unit.tag != PlanUnit::kNoTag) {
        const auto& tag = snapshot.tags[unit.tag];
        item["tag"] = tag.tag;
        pushed_s = tag.pushed_s;
        pulled_s = tag.pulled_s;
    }
    item["digest"] = manifest.digest.to_string();
    item["decision"] = unit.gone() ? "delete" : "keep";
    item["pushed_at"] = time_or_null(times, pushed_s);
    item["last_pulled_at"] = time_or_null(times, pulled_s);
    if (unit.tag == PlanUnit::kNoTag)
        item["untagged_at"] = time_or_null(times, manifest.untagged_s);
    json::array kept_by;
    json::array rules;
    for (const auto& [name, verdict] : explained.rules) {
        if (verdict.keeps) kept_by.push_back(string_of(name));
        rules.push_back(
            json::object{{"rule", name}, {"keeps", verdict.keeps}, {"why", verdict.why}});
    }
    if (!unit.gone()) {
        item["kept_by"] = std::move(kept_by);
        item["expires_at"] = nullptr;
        if (explained.expires_s) item["expires_at"] = time_or_null(times, *explained.expires_s);
    }
    item["why"] = explained.why;
    item["rules"] = std::move(rules);
    return item;
}

json::object to_json(const RetentionTotals& totals) {
    return {{"repositories", totals.repositories},
            {"kept", totals.kept},
            {"deleted", totals.deleted},
            {"skipped", totals.skipped},
            {"bytes_unreferenced", totals.bytes_unreferenced},
            {"bytes_unreferenced_estimate", totals.bytes_unreferenced_estimate}};
}

}  // namespace orbitalreg::engine
