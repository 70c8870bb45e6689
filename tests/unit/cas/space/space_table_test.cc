#include "space/space_table.h"

#include "format/lane_record.h"

#include <gtest/gtest.h>

namespace orbitalreg::cas {
namespace {

Extent in_lane(std::uint32_t lane, std::uint32_t base, std::uint64_t size) {
    return {.in_lane = true, .file = lane, .position = base, .size_bytes = size, .uid = base + 1};
}

Extent in_log(std::uint32_t segment, std::uint64_t size) {
    return {.in_lane = false, .file = segment, .position = 64, .size_bytes = size, .uid = 7};
}

TEST(SpaceTable, CountsWholeRecordsOfALane) {
    SpaceTable space;
    space.add(in_lane(3, 1, 100'000));
    EXPECT_EQ(space.of_lane(3).bytes, record_pages(100'000) * kPageSize);
    EXPECT_EQ(space.of_lane(3).extents, 1U);
    EXPECT_TRUE(space.of_lane(4).empty());
    EXPECT_EQ(space.in_lanes().bytes, space.of_lane(3).bytes);
}

TEST(SpaceTable, AnEmptyBlobKeepsItsSegment) {
    SpaceTable space;
    space.add(in_log(2, 0));
    EXPECT_FALSE(space.of_segment(2).empty());
    space.remove(in_log(2, 0));
    EXPECT_TRUE(space.of_segment(2).empty());
}

TEST(SpaceTable, MarksOfOpenUploadsAreLive) {
    SpaceTable space;
    space.add_mark(5, 300);
    space.add_mark(5, 20);
    EXPECT_EQ(space.of_segment(5).mark_bytes, 320U);
    space.remove_mark(5, 300);
    EXPECT_FALSE(space.of_segment(5).empty());
    space.remove_mark(5, 20);
    EXPECT_TRUE(space.of_segment(5).empty());
}

TEST(SpaceTable, LanesThatLostSomethingAreTakenOnce) {
    SpaceTable space;
    space.add(in_lane(3, 1, 100'000));
    EXPECT_TRUE(space.take_touched_lanes().empty());
    space.remove(in_lane(3, 1, 100'000));
    EXPECT_EQ(space.take_touched_lanes(), std::set<std::uint32_t>{3});
    EXPECT_TRUE(space.take_touched_lanes().empty());
}

TEST(SpaceTable, IsTheSumOfItsRows) {
    SpaceTable space;
    space.add(in_lane(3, 1, 100'000));
    space.add(in_log(1, 10));
    space.remove(in_log(1, 10));
    SpaceTable other;
    other.add(in_lane(3, 1, 100'000));
    EXPECT_TRUE(space == other);
    other.clear();
    EXPECT_FALSE(space == other);
}

}  // namespace
}  // namespace orbitalreg::cas
