#pragma once
// SpaceWatch keeps the figures of the space report at hand for metrics, whose readers must not wait for the file system.
//
// Life     shared with its refreshes on the way; they end before LaneRooms::wait_for_work() returns.
// Threads  report() any; the look at the files is taken on `environment.background`.
// Limits   figures are at most kAgeMaxNs older than the reading before the one that asks for them.

#include "lane/lane_rooms.h"

#include <cstdint>
#include <memory>
#include <mutex>

namespace orbitalreg::cas {

class SpaceWatch : public std::enable_shared_from_this<SpaceWatch> {
public:
    static constexpr std::int64_t kAgeMaxNs = 5'000'000'000;

    explicit SpaceWatch(std::shared_ptr<LaneRooms> rooms) : rooms_{std::move(rooms)} {}

    // As of the last look; asks for another one when that is old.
    SpaceReport report();

private:
    void look();

    const std::shared_ptr<LaneRooms> rooms_;
    std::mutex mutex_;
    SpaceReport report_;
    bool looking_ = false;
    bool looked_ = false;
    std::int64_t looked_ns_ = 0;
};

}  // namespace orbitalreg::cas
