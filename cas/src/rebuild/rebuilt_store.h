#pragma once
// RebuiltStore is a store's state in the making, out of pieces that need not fit each other: rows, blobs found in files, and
// frames with others missing between them. Nothing in it relies on what the log promises a replay; so each change is
// bent until it can be applied: blobs get ids of this state, what is there already stays, what is not there is passed.
//
// Life     load() for the rows of cas -> rows_loaded() -> add_found()* -> apply()* -> settle(). Then its tables are those of
//          a checkpoint.
// Threads  the caller's; blocking.

#include "cas/journal.h"
#include "cas/salvage.h"
#include "format/lane_record.h"
#include "format/superblock.h"
#include "log/frame_scanner.h"
#include "rebuild/lane_salvage.h"
#include "store/tables_at_rest.h"

#include <cstdint>
#include <map>
#include <optional>
#include <unordered_set>
#include <vector>

namespace orbitalreg::cas {

class RebuiltStore final : public SalvagedBlobs {
public:
    RebuiltStore(Io& io, const Superblock& superblock, CatalogMachine& catalog, Log& log);

    // Rows of one block of a table of cas; returns how many of them were not accepted. Blocks of the catalog: 0.
    std::uint32_t load(std::uint16_t table, std::uint32_t rows, ByteView block);
    // All that there are of the tables of cas; `store_time_ms` is the latest that the log knows. False when rows contradict
    // each other.
    bool rows_loaded(std::uint64_t store_time_ms);
    // The latest of the log and of rows. Everything below happens then, since store time never falls.
    std::uint64_t now_ms() const noexcept { return now_ms_; }

    // A blob whose bytes verified; one that is known already stays as it is.
    void add_found(const BlobView& blob);
    std::uint64_t found() const noexcept { return found_.size(); }
    // A frame that the checkpoint covers: its inline blobs and what it says of others' ends, and the catalog's records if
    // `catalog` says so. In the order of the log, after the lanes were looked through.
    void apply_covered(const ScannedFrame& frame, bool catalog);
    // A frame behind the checkpoint.
    void apply(const ScannedFrame& frame);
    // A lane that no row names.
    void adopt(const SalvagedLane& lane);
    // Ids from now on are above those seen and, unless all of them were, far above. Ends sessions that are not whole, unless
    // they all are; the grace of blobs without references starts anew.
    struct Wholeness {
        bool ids = false;
        bool sessions = false;
    };
    void settle(const Wholeness& whole);

    const BlobTable& blobs() const noexcept { return blobs_; }
    const Lanes& lanes() const noexcept { return lanes_; }
    StoreState& state() noexcept { return state_; }
    std::uint64_t records_passed() const noexcept { return records_passed_; }
    std::uint64_t sessions_ended() const noexcept { return sessions_ended_; }
    void saw_uid(std::uint64_t uid) noexcept { last_uid_ = std::max(last_uid_, uid); }
    void saw_lane(std::uint32_t lane) noexcept { last_lane_ = std::max(last_lane_, lane); }

    // --- SalvagedBlobs ---
    std::optional<Digest> digest_of_row(BlobId id) const override;
    Result<std::vector<std::byte>> read(const Digest& digest, std::uint64_t size_max) override;
    std::optional<std::uint64_t> size_of(const Digest& digest) const override;
    ReferenceSink& references() noexcept override { return sink_; }

private:
    class Sink final : public ReferenceSink {
    public:
        explicit Sink(RebuiltStore& store) noexcept : store_{store} {}
        std::optional<BlobId> find(const Digest& digest) const noexcept override;
        void hold(BlobId blob) noexcept override { store_.blobs_.hold(blob); }
        void release(BlobId blob) noexcept override { store_.blobs_.release(blob, store_.now_s()); }

    private:
        RebuiltStore& store_;
    };

    using Records = std::vector<AppliedRecord>;

    // Rounded up, as everywhere: a grace may last a little longer.
    std::uint64_t now_s() const noexcept { return (now_ms_ + 999) / 1000; }
    FrameContext context(std::uint64_t lsn = 0) const noexcept { return {Lsn{lsn}, now_ms_}; }
    std::uint64_t latest_of_rows() const;
    std::vector<Records> groups_of(const ScannedFrame& frame);
    void apply_group(const FrameContext& frame, const Records& group);
    void apply_covered_group(const FrameContext& frame, const Records& group, bool catalog);
    void find_inline(const AppliedRecord& record);
    void end_found(const AppliedRecord& record);
    void remove(const AppliedRecord& record);
    bool bend_commit(AppliedRecord& record);
    void apply_own(const GroupRecord& record);
    bool lease_to_session(std::uint32_t lane);
    void end_sessions();
    void free_leases();
    void skip_ids();
    void renew_graces();

    Io& io_;
    CatalogMachine& catalog_;
    TablesAtRest tables_;
    BlobTable& blobs_{tables_.blobs};
    Lanes& lanes_{tables_.lanes};
    StoreState& state_{tables_.state};
    Sink sink_{*this};
    std::unordered_set<std::uint32_t> found_;                 // ids of blobs without a row
    std::map<Digest, std::vector<std::uint64_t>> committed_;  // uids, of covered frames
    std::uint64_t now_ms_ = 0;
    std::uint64_t records_passed_ = 0;
    std::uint64_t sessions_ended_ = 0;
    std::uint64_t last_uid_ = 0;
    std::uint32_t last_lane_ = 0;
};

}  // namespace orbitalreg::cas
