#pragma once
// LaneSalvage looks through lanes for the records that no row names, and verifies them as a whole: descriptor, every sum, the
// digest. A record is found by its descriptor, which says where it begins and which no payload can pass for.
//
// Threads  one; blocking.
// Memory   1 MiB and what ExtentCheck needs.
// Errors   none: what cannot be read or does not verify is counted.

#include "cas/io.h"
#include "check/extent_check.h"
#include "format/lane_record.h"
#include "format/page_buffer.h"
#include "index/blob_table.h"

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

namespace orbitalreg::cas {

// What a lane's file says of itself.
struct SalvagedLane {
    std::uint32_t lane = 0;
    bool header_valid = false;
    bool empty = true;  // nothing but zeros behind the header
    std::uint32_t pages = 0;
    std::uint32_t last_base_page = 0;  // of the last record found
};

class LaneSalvage {
public:
    LaneSalvage(Io& io, const StoreIdentity& store);

    // The extent is sound; its id is 0.
    using Found = std::function<void(const BlobView& blob)>;
    // Whether somebody wants the blob of that digest.
    using Wanted = std::function<bool(const Digest& digest)>;

    using Extents = std::map<std::uint32_t, std::uint32_t>;  // base page, end page

    // Looks through the lane, but for the extents that are `known` in it.
    SalvagedLane run(std::uint32_t lane, const Extents& known, const Wanted& wanted,
                     const Found& found);

    std::uint64_t unsound() const noexcept { return unsound_; }  // records that do not verify
    std::uint64_t last_uid() const noexcept { return last_uid_; }

private:
    void look_at(PageView page, std::uint32_t number, SalvagedLane& result, const Wanted& wanted,
                 const Found& found);
    std::uint32_t read_piece(File& file, std::uint32_t first, std::uint32_t end);

    Io& io_;
    const StoreIdentity store_;
    ExtentCheck check_;
    PageBuffer piece_;
    std::uint64_t unsound_ = 0;
    std::uint64_t last_uid_ = 0;
};

}  // namespace orbitalreg::cas
