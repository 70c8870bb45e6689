#pragma once
// LaneCheck holds the records of the lanes against the rows of the blob table: headers, descriptors,
// overlaps, files that nothing names, allocation.
//
// Threads  one; blocking. The store is not written meanwhile.
// Limits   a page in memory, besides one view of each row.

#include "cas/inspect.h"
#include "format/lane_record.h"
#include "index/blob_table.h"
#include "lane/lanes.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

namespace orbitalreg::cas {

class LaneCheck {
public:
    using Progress = std::function<void(std::string_view)>;

    LaneCheck(Io& io, const StoreIdentity& store, FsckReport& report, const Progress& progress);

    // What lies in lanes, lane by lane, then the files that no lane can own.
    void run(const BlobTable& blobs, const Lanes& lanes);

private:
    using Severity = FsckFinding::Severity;

    void check_lane(std::uint32_t lane, const std::vector<BlobView>& rows,
                    const LaneView* expected);
    void check_file(File& file, std::uint32_t lane, std::uint64_t end_page,
                    std::uint64_t live_pages);
    void check_header(File& file, const BlobView& blob);
    void check_descriptor(File& file, const BlobView& blob);
    void check_names();
    void find(Severity severity, const char* code, std::uint32_t lane, std::uint64_t page,
              std::string detail);

    Io& io_;
    const StoreIdentity store_;
    FsckReport& report_;
    const Progress& progress_;
    std::unique_ptr<Page> page_;
};

}  // namespace orbitalreg::cas
