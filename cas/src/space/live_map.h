#pragma once
// LiveMap is the first witness of a punch: which pages of some lanes must stay. It is filled from the rows of live
// blobs, then from pins and extents that wait for their readers; what it does not have below a lane's settled page is
// dead.
//
// Why the order matters: below the settled page live ranges only ever vanish, and an extent that no row named when the
// rows were read can be pinned by nobody who was not seen among the pins afterwards.
//
// Threads  one at a time.
// Memory   8 bytes an extent; who fills it bounds how many lanes it is asked about.

#include "index/extent.h"

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace orbitalreg::cas {

struct PageRange {  // [begin, end)
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
    std::uint32_t pages() const noexcept { return end - begin; }
    friend auto operator<=>(const PageRange&, const PageRange&) = default;
};

class LiveMap {
public:
    // Only lanes that are watched are kept. Their header page is live from the start.
    void watch(std::uint32_t lane);
    bool watches(std::uint32_t lane) const { return lanes_.contains(lane); }
    // Of a row: live.
    void add_live(const Extent& extent);
    // Dead by the rows, but somebody may still read it.
    void add_pinned(const Extent& extent);
    // Dead by the rows, but it is to stay for a while; pinned ones may be among them.
    void add_condemned(const Extent& extent);

    // What may be punched of [0, settled_page), in order. None when two live extents overlap: then the rows are wrong,
    // and nothing that they say is good enough to destroy bytes by.
    std::optional<std::vector<PageRange>> dead(std::uint32_t lane, std::uint32_t settled_page);
    std::uint64_t live_bytes(std::uint32_t lane) const;
    // After dead(): somebody still reads what no row names.
    bool pinned_dead(std::uint32_t lane) const;
    // Nothing but the header page has to stay.
    bool empty(std::uint32_t lane) const;

private:
    struct Lane {
        std::vector<PageRange> live;
        std::vector<PageRange> pinned;
        std::vector<PageRange> condemned;
        bool pinned_dead = false;
        std::uint64_t live_pages = 0;
    };
    std::map<std::uint32_t, Lane> lanes_;
};

}  // namespace orbitalreg::cas
