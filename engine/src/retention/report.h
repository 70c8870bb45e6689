#pragma once
// Reports of retention as JSON: items, totals, times as people write them.
//
// Times    store time is shown as the wall clock would have said it: now, less what has passed on the store's own clock.

#include "retention/plan.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace orbitalreg::engine {

struct TimesShown {
    std::uint64_t store_now_s = 0;
    std::int64_t wall_now_s = 0;

    // 2026-04-11T03:00:00Z
    std::string text(std::uint64_t store_s) const;
};

std::string utc_text(std::int64_t seconds);

boost::json::object item_json(const ImagePlan& plan, const PlanUnit& unit, const TimesShown& times);

struct RetentionTotals {
    std::uint64_t repositories = 0;
    std::uint64_t kept = 0;
    std::uint64_t deleted = 0;
    std::uint64_t skipped = 0;  // changed since they were judged
    std::uint64_t bytes_unreferenced = 0;
    std::uint64_t bytes_unreferenced_estimate = 0;
};
boost::json::object to_json(const RetentionTotals& totals);

}  // namespace orbitalreg::engine
