#pragma once
// DeletionBatch is one group of collection: blobs whose grace seems to be over, checked once more in the batch's turn,
// against applied state and the frame's time. What came back into use meanwhile stays.
//
// Threads  check() on the sequencer; the rest before the group is submitted and after it was answered.
// Limits   as the record: 1 000 blobs; and so many links that applying it stays short.

#include "base/clock.h"
#include "cas/collection.h"
#include "cas/journal.h"
#include "collect/grace.h"
#include "index/blob_table.h"
#include "log/group.h"

#include <cstdint>
#include <vector>

namespace orbitalreg::cas {

struct DeletionCandidate {
    BlobId id;
    Digest digest;
};

class DeletionBatch {
public:
    struct Rules {
        Grace grace;
        std::uint32_t links_max = 0;
        bool dry_run = false;  // everything is checked and counted, nothing is written
    };

    DeletionBatch(const BlobTable& blobs, const CatalogMachine& catalog, const Rules& rules,
                  std::vector<DeletionCandidate> candidates)
        : blobs_{blobs}, catalog_{catalog}, rules_{rules}, candidates_{std::move(candidates)} {}

    KeySet keys() const;
    Result<void> check(Group& self, const FrameContext& frame);

    // How many candidates had their turn: those behind them are for another batch.
    std::size_t decided() const noexcept { return decided_; }
    const std::vector<DeletionCandidate>& candidates() const noexcept { return candidates_; }
    // What was deleted, or would have been.
    const CollectionRound& counts() const noexcept { return counts_; }

private:
    bool still_due(const BlobView& blob, const FrameContext& frame) const;
    void count(const BlobView& blob);

    const BlobTable& blobs_;
    const CatalogMachine& catalog_;
    const Rules rules_;
    std::vector<DeletionCandidate> candidates_;
    std::size_t decided_ = 0;
    CollectionRound counts_;
};

}  // namespace orbitalreg::cas
