#pragma once
// StoreState is what frames change: the blob table, the lanes and sessions, and the catalog. The same code runs live, in
// recovery and in fsck.
//
// Threads  verify() and apply() on the sequencer (in recovery: the thread that opens the store).

#include "cas/journal.h"
#include "collect/recent_deletions.h"
#include "index/blob_table.h"
#include "log/group.h"
#include "scrub/scrub_state.h"

#include <cstdint>
#include <vector>

namespace orbitalreg::cas {

// The records of cas that are not about rows of the blob table: lanes, sessions, id blocks. Also told of blobs committed
// in a lane.
class LaneRecords {
public:
    virtual Result<void> verify(const AppliedRecord& record) const noexcept = 0;
    virtual void apply(const FrameContext& frame, const AppliedRecord& record) noexcept = 0;
    // As in FrameTarget; id_table() apart from the others.
    virtual std::vector<CheckpointTable*> checkpoint_tables() = 0;
    virtual CheckpointTable& id_table() = 0;
    // Below this, uids were given out or lost.
    virtual std::uint64_t uids_end() const = 0;

protected:
    ~LaneRecords() = default;
};

class StoreState final : public FrameTarget {
public:
    StoreState(BlobTable& blobs, LaneRecords& lanes, CatalogMachine& catalog,
               RecentDeletions& deletions);

    Result<void> verify(const AppliedRecord& record) const noexcept override;
    void apply(const FrameContext& frame, std::span<const AppliedRecord> group) noexcept override;

    std::vector<CheckpointTable*> checkpoint_tables() override;
    // Counts what the catalog's rows refer to. Errc::bad_format when one names no blob.
    Result<void> checkpoint_loaded() override;
    std::vector<std::uint32_t> segments_in_use() override;
    const ScrubState& scrub() const noexcept { return scrub_; }

private:
    bool id_plausible(BlobId blob) const;
    void apply_blob_commit(const FrameContext& frame, const AppliedRecord& record);
    void apply_blob_delete(const FrameContext& frame, const AppliedRecord& record);
    void apply_blob_relocate(const FrameContext& frame, const AppliedRecord& record);
    void apply_lease(const FrameContext& frame, const AppliedRecord& record);
    void apply_damage(const AppliedRecord& record);

    BlobTable& blobs_;
    LaneRecords& lanes_;
    CatalogMachine& catalog_;
    ScrubState scrub_;
    ScrubTable scrub_table_{scrub_};
    RecentDeletions& deletions_;  // no part of the state: for who asks where a blob went
    std::vector<CatalogRecordView> catalog_group_;  // reused between groups
};

}  // namespace orbitalreg::cas
