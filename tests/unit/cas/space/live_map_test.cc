#include "space/live_map.h"

#include "format/lane_record.h"

#include <gtest/gtest.h>

namespace orbitalreg::cas {
namespace {

constexpr std::uint32_t kLane = 9;

// A record of `pages`, header and descriptor included.
Extent record_at(std::uint32_t base, std::uint32_t pages) {
    return {.in_lane = true,
            .file = kLane,
            .position = base,
            .size_bytes = (pages - 2) * kPageSize,
            .uid = base};
}

using Ranges = std::vector<PageRange>;

TEST(LiveMap, TheLaneHeaderStays) {
    LiveMap map;
    map.watch(kLane);
    EXPECT_EQ(map.dead(kLane, 10), (Ranges{{1, 10}}));
    EXPECT_EQ(map.dead(kLane, 1), Ranges{});
}

TEST(LiveMap, WhatLiesBetweenLiveRecordsIsDead) {
    LiveMap map;
    map.watch(kLane);
    map.add_live(record_at(30, 5));
    map.add_live(record_at(4, 6));
    EXPECT_EQ(map.dead(kLane, 50), (Ranges{{1, 4}, {10, 30}, {35, 50}}));
    EXPECT_EQ(map.live_bytes(kLane), 11 * kPageSize);
}

TEST(LiveMap, NothingAtOrBehindTheSettledPageIsDead) {
    LiveMap map;
    map.watch(kLane);
    map.add_live(record_at(20, 5));
    EXPECT_EQ(map.dead(kLane, 15), (Ranges{{1, 15}}));
    EXPECT_EQ(map.dead(kLane, 22), (Ranges{{1, 20}}));
}

TEST(LiveMap, AHeldExtentStaysAndMayStillBeLive) {
    LiveMap map;
    map.watch(kLane);
    map.add_live(record_at(4, 6));
    map.add_pinned(record_at(4, 6));
    EXPECT_EQ(map.dead(kLane, 20), (Ranges{{1, 4}, {10, 20}}));
    EXPECT_FALSE(map.pinned_dead(kLane));
    map.add_condemned(record_at(12, 3));
    EXPECT_EQ(map.dead(kLane, 20), (Ranges{{1, 4}, {10, 12}, {15, 20}}));
    EXPECT_FALSE(map.pinned_dead(kLane));
    map.add_pinned(record_at(12, 3));
    EXPECT_EQ(map.dead(kLane, 20), (Ranges{{1, 4}, {10, 12}, {15, 20}}));
    EXPECT_TRUE(map.pinned_dead(kLane));
    EXPECT_FALSE(map.empty(kLane));
}

TEST(LiveMap, RowsThatOverlapAreNoWitness) {
    LiveMap map;
    map.watch(kLane);
    map.add_live(record_at(4, 6));
    map.add_live(record_at(9, 6));
    EXPECT_EQ(map.dead(kLane, 20), std::nullopt);
}

TEST(LiveMap, ALiveRecordOverTheLaneHeaderIsNoWitness) {
    LiveMap map;
    map.watch(kLane);
    map.add_live(record_at(0, 6));
    EXPECT_EQ(map.dead(kLane, 20), std::nullopt);
}

TEST(LiveMap, OtherLanesAreLeftAlone) {
    LiveMap map;
    map.watch(kLane);
    Extent elsewhere = record_at(4, 6);
    elsewhere.file = kLane + 1;
    map.add_live(elsewhere);
    EXPECT_EQ(map.dead(kLane, 20), (Ranges{{1, 20}}));
    EXPECT_EQ(map.dead(kLane + 1, 20), std::nullopt);
}

}  // namespace
}  // namespace orbitalreg::cas
