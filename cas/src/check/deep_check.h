#pragma once
// DeepCheck reads every blob of a store past the page cache and holds it against every checksum and its digest: what fsck
// does at its deep level. Several threads share the blobs; what they find is reported in the order of the blobs, so that
// the report does not depend on their number.
//
// Threads  run() from one; it starts and ends the others. The store is not written meanwhile.
// Limits   FsckOptions::threads; 1 MiB of payload for each; 16 bytes a blob; kFindingsMax findings.

#include "cas/inspect.h"
#include "check/extent_check.h"
#include "index/blob_table.h"

#include <cstdint>
#include <functional>
#include <set>
#include <string_view>
#include <vector>

namespace orbitalreg::cas {

class DeepCheck {
public:
    using Progress = std::function<void(std::string_view)>;

    // `threads` of 1: everything on the caller's.
    DeepCheck(Io& io, const StoreIdentity& store, unsigned threads, FsckReport& report,
              const Progress& progress) noexcept
        : io_{io}, store_{store}, threads_{threads}, report_{report}, progress_{progress} {}

    // `uids`: of the extents to read; null: all.
    void run(const BlobTable& blobs, const std::set<std::uint64_t>* uids = nullptr);

private:
    struct Outcome {
        std::size_t number = 0;  // in the order of the blobs
        BlobView blob;
        ExtentTrouble trouble;
    };
    struct Shared;

    void work(Shared& shared, bool tell) const;
    void report(std::vector<Outcome> found);

    Io& io_;
    const StoreIdentity store_;
    const unsigned threads_;
    FsckReport& report_;
    const Progress& progress_;
};

}  // namespace orbitalreg::cas
