#pragma once
// LaneCheck holds the records of the lanes against the rows of the blob table: headers, descriptors,
// overlaps, files that nothing names, allocation; and, when asked, every chunk and every digest.
//
// Threads  one; blocking. The store is not written meanwhile.
// Limits   two pages and 1 MiB of payload in memory, besides one view of each row.

#include "cas/inspect.h"
#include "format/lane_record.h"
#include "index/blob_table.h"
#include "lane/lanes.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace orbitalreg::cas {

class LaneCheck {
public:
    using Progress = std::function<void(std::string_view)>;

    LaneCheck(Io& io, const StoreIdentity& store, FsckReport& report, bool deep,
              const Progress& progress);

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
    void check_payload(File& file, const BlobView& blob);
    // Of chunk `number`, from the descriptor in `page_` or a table page; none when that is damaged.
    std::optional<std::uint64_t> stored_sum(File& file, const BlobView& blob, std::uint64_t number);
    bool check_chunks(File& file, const BlobView& blob, std::uint64_t offset, ByteView piece);
    void check_names();
    void find(Severity severity, const char* code, std::uint32_t lane, std::uint64_t page,
              std::string detail);

    Io& io_;
    const StoreIdentity store_;
    FsckReport& report_;
    const bool deep_;
    const Progress& progress_;
    std::unique_ptr<Page> page_;
    std::unique_ptr<Page> table_;
    std::optional<std::uint64_t> loaded_table_;  // of the blob that is being read
    std::vector<std::byte> payload_;
};

}  // namespace orbitalreg::cas
