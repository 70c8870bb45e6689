#pragma once
// RelocationBatch moves some bytes of the log in one group. What they are was read and verified before; whether they still
// are where they were is asked once more on the sequencer, and what has moved on since is left out.
//
// Life     { add() }* -> commit(), and again.
// Durable  what commit() counts is durable in its new place.
// Threads  use from one strand. The group holds what it needs: the batch may go while it is on its way.
// Limits   `size_max_bytes` a group, encoded: others go into the same frame.

#include "lane/lane_rooms.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace orbitalreg::cas {

struct RelocatedBlob {
    BlobView from;
    std::vector<std::byte> bytes;  // the whole blob
};

struct RelocatedMark {
    SessionPart from;
    std::vector<std::byte> bytes;
};

struct RelocationCounts {
    std::uint64_t blobs = 0;
    std::uint64_t marks = 0;
    std::uint64_t bytes = 0;  // of both
};

class RelocationBatch {
public:
    RelocationBatch(std::shared_ptr<LaneRooms> rooms, std::uint64_t size_max_bytes)
        : rooms_{std::move(rooms)}, size_max_bytes_{size_max_bytes} {}

    // Whether `size_bytes` more fit. One always does.
    bool fits(std::uint64_t size_bytes) const noexcept;
    void add(RelocatedBlob blob);
    void add(RelocatedMark mark);
    bool empty() const noexcept { return moves_ == nullptr; }

    // Errc::read_only, stopped, overloaded, no_space, or what the log says: nothing moved, and the batch is empty.
    Awaitable<Result<RelocationCounts>> commit();

private:
    struct Moves;
    Moves& moves();

    const std::shared_ptr<LaneRooms> rooms_;
    const std::uint64_t size_max_bytes_;
    std::uint64_t size_bytes_ = 0;
    std::shared_ptr<Moves> moves_;  // shared with the group's check
};

}  // namespace orbitalreg::cas
