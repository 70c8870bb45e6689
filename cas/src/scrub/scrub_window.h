#pragma once
// ScrubWindow picks out of all rows, given in any order, those that come next in the order of a pass.
//
// Threads  one at a time.
// Memory   2 x entries_max entries of 40 bytes.

#include "index/blob_table.h"
#include "scrub/scrub_state.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace orbitalreg::cas {

struct ScrubEntry {
    ScrubPlace place;
    BlobId id;
    std::uint64_t uid = 0;
    std::uint64_t size_bytes = 0;
};

class ScrubWindow {
public:
    ScrubWindow(ScrubPlace from, std::size_t entries_max);

    void add(const BlobView& blob);
    // The first entries_max extents at or behind `from`, in order. Fewer: there are no more.
    std::vector<ScrubEntry> take();

private:
    void cut();

    const ScrubPlace from_;
    const std::size_t entries_max_;
    std::vector<ScrubEntry> entries_;
    std::optional<ScrubPlace> bound_;  // entries_max_ places before it are known
};

}  // namespace orbitalreg::cas
