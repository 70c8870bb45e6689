#pragma once
// Recount counts what the catalog's rows refer to and compares the counts that the blob table keeps, both as they were at one
// moment: rows change meanwhile, and their old images are kept. A difference is a bug in this program, never the disk's.
//
// Life     begin() -> step() until it says false -> finding(). Or end() on the way: nothing is found.
// Threads  begin(), step() and end() on the sequencer; side_bytes() any.
// Memory   4 bytes a blob, and old images: side_bytes().
// Limits   a step looks at kSliceRows rows and kSliceBytes of them: 100 us.

#include "cas/journal.h"
#include "index/blob_table.h"
#include "index/row_table.h"

#include <cstdint>
#include <vector>

namespace orbitalreg::cas {

class Recount {
public:
    struct Mismatch {
        BlobId blob;
        std::uint32_t counted = 0;
        std::uint32_t kept = 0;
    };
    struct Finding {
        std::uint64_t references = 0;
        std::uint64_t blobs = 0;
        std::uint64_t mismatches = 0;
        std::vector<Mismatch> first;  // kMismatchesKept of them
    };
    static constexpr std::size_t kMismatchesKept = 16;
    static constexpr std::uint32_t kSliceRows = 256;
    static constexpr std::size_t kSliceBytes = 16_KiB;

    Recount(BlobTable& blobs, CatalogMachine& catalog);

    void begin();
    bool step();
    void end() noexcept;

    std::uint64_t side_bytes() const noexcept;
    const Finding& finding() const noexcept { return finding_; }

private:
    void count(const CheckpointTable& table);
    void compare();

    CheckpointTable& kept_;
    CatalogMachine& catalog_;
    const std::vector<CheckpointTable*> tables_;
    std::size_t table_ = 0;  // that is walked; behind the last one the counts kept
    RowBatch rows_;
    RowTable<std::uint32_t> counted_;  // by id
    std::uint32_t counted_end_ = 0;
    Finding finding_;
};

}  // namespace orbitalreg::cas
