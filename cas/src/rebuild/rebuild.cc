// The order of a rebuild: what is there of the checkpoint and the log; rows of cas; blobs without a row; rows of the catalog;
// frames; and then a checkpoint of all that.

#include "cas/rebuild.h"

#include "cas/errors.h"
#include "check/replayed_store.h"
#include "log/recovery.h"
#include "rebuild/checkpoint_remains.h"
#include "rebuild/lane_salvage.h"
#include "rebuild/log_remains.h"
#include "rebuild/rebuilt_checkpoint.h"
#include "rebuild/rebuilt_store.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>

namespace orbitalreg::cas {
namespace {

constexpr std::size_t kGapsTold = 10;

class Rebuild {
public:
    using Progress = std::function<void(std::string_view)>;

    Rebuild(Io& io, const SuperblockChoice& choice, CatalogMachine& catalog, Log& log,
            const Progress& progress)
        : io_{io},
          choice_{choice},
          identity_{log_identity(choice.superblock)},
          catalog_{catalog},
          progress_{progress},
          store_{io, choice.superblock, catalog, log},
          log_{io, identity_, {choice.superblock.log_end_lsn, choice.superblock.incarnation}} {}

    Result<RebuildReport> run();

private:
    Result<void> survey();
    Result<void> load_rows();
    void load_catalog_rows();
    Result<void> find_lanes(bool blobs_whole);
    Result<void> find_inline_blobs();
    Result<void> apply_frames();
    ChainEnd end() const;
    void tell_log();
    void tell_checkpoint();
    void tell_store();

    Io& io_;
    const SuperblockChoice& choice_;
    const LogIdentity identity_;
    CatalogMachine& catalog_;
    const Progress& progress_;
    RebuiltStore store_;
    LogRemains log_;
    std::unique_ptr<CheckpointRemains> checkpoint_;  // null: nothing is left of one
    std::unique_ptr<CatalogSalvage> salvage_;
    std::uint64_t covered_lsn_ = 0;  // C
    std::vector<LogRemains::Gap> gaps_;
    bool log_whole_ = false;
    std::uint64_t unsound_ = 0;
    RebuildReport report_;
};

Result<void> Rebuild::survey() {
    checkpoint_ = find_checkpoint_remains(io_, identity_, choice_.superblock.checkpoint_id);
    covered_lsn_ = choice_.superblock.checkpoint_lsn;
    if (checkpoint_ && checkpoint_->lsn() != 0) covered_lsn_ = checkpoint_->lsn();
    ORB_TRY(log_.visit([this](const ScannedFrame&) {
        if (log_.frames() % 4096 == 0) progress_("frame " + std::to_string(log_.frames()));
    }));
    gaps_ = log_.gaps_behind(covered_lsn_);
    const std::uint64_t last = std::max(log_.end().lsn, covered_lsn_);
    if (choice_.superblock.clean_lsn > last)
        gaps_.push_back({last + 1, choice_.superblock.clean_lsn});
    log_whole_ = gaps_.empty();
    return ok();
}

Result<void> Rebuild::load_rows() {
    std::uint64_t refused = 0;
    if (checkpoint_) {
        checkpoint_->visit([&](const CheckpointBlockHeader& header, ByteView rows) {
            refused += store_.load(header.table, header.rows, rows);
        });
    }
    if (refused != 0)
        report_.lost.push_back(std::to_string(refused) +
                               " rows of the checkpoint say what this version does not understand");
    const std::uint64_t covered_ms =
        checkpoint_ && checkpoint_->header() ? checkpoint_->header()->store_time_ms : 0;
    const bool loaded = store_.rows_loaded(std::max(covered_ms, log_.end().store_time_ms));
    return loaded ? ok() : Result<void>{fail(Errc::checkpoint_corrupt)};
}

// Where every blob has its row, no lane needs to be read; but those that no row names are to be kept.
Result<void> Rebuild::find_lanes(bool blobs_whole) {
    std::map<std::uint32_t, LaneSalvage::Extents> known;
    store_.blobs().for_each([&known](const BlobView& blob) {
        if (!blob.extent.in_lane) return;
        const auto pages = static_cast<std::uint32_t>(record_pages(blob.extent.size_bytes));
        known[blob.extent.file][blob.extent.position] = blob.extent.position + pages;
    });
    std::set<std::uint32_t> rows;
    store_.lanes().for_each_lane([&rows](const LaneView& lane) { rows.insert(lane.lane); });
    const auto names = io_.list("lane");
    if (!names) return ok();  // a store of small blobs may have none
    LaneSalvage salvage{io_, {identity_.uuid, identity_.seed}};
    std::size_t number = 0;
    for (const std::string& name : names.value()) {
        progress_("lane " + std::to_string(++number) + " of " +
                  std::to_string(names.value().size()));
        const std::uint32_t lane = lane_of_name(name);
        const bool named = rows.contains(lane);
        if (lane == 0 || (named && blobs_whole)) continue;
        const auto wanted = [this](const Digest& digest) {
            return !store_.blobs().find(digest).has_value();
        };
        const SalvagedLane found = salvage.run(
            lane, known[lane], wanted, [this](const BlobView& blob) { store_.add_found(blob); });
        if (!named && !found.empty) store_.adopt(found);
    }
    store_.saw_uid(salvage.last_uid());
    unsound_ = salvage.unsound();
    return ok();
}

Result<void> Rebuild::find_inline_blobs() {
    // Without a single row the catalog's older records are all there is of it.
    const bool catalog = !checkpoint_ || checkpoint_->rows() == 0;
    return log_.visit([this, catalog](const ScannedFrame& frame) {
        if (frame.header.lsn <= covered_lsn_) store_.apply_covered(frame, catalog);
    });
}

void Rebuild::load_catalog_rows() {
    salvage_ = catalog_.salvage(store_);
    if (salvage_ == nullptr || checkpoint_ == nullptr) return;
    checkpoint_->visit([&](const CheckpointBlockHeader& header, ByteView rows) {
        if (header.table < kFirstCatalogTable) return;
        for (auto row = take_row(rows); row; row = take_row(rows))
            salvage_->add(header.table, *row);
    });
}

Result<void> Rebuild::apply_frames() {
    return log_.visit([this](const ScannedFrame& frame) {
        if (frame.header.lsn > covered_lsn_) store_.apply(frame);
    });
}

// The last frame there is, or that of the checkpoint.
ChainEnd Rebuild::end() const {
    ChainEnd end = log_.end();
    if (end.lsn < covered_lsn_ || end.lsn == 0) {
        const bool known = checkpoint_ != nullptr && checkpoint_->header().has_value();
        end = {};
        end.lsn = std::max<std::uint64_t>(covered_lsn_, 1);
        end.prev = known ? checkpoint_->header()->frame_checksum
                         : choice_.superblock.checkpoint_frame_checksum;
        if (known) {
            end.incarnation = checkpoint_->header()->incarnation;
            end.wall_ns = checkpoint_->header()->wall_ns;
        }
    }
    end.store_time_ms = store_.now_ms();
    return end;
}

void Rebuild::tell_log() {
    for (std::size_t i = 0; i < std::min(gaps_.size(), kGapsTold); ++i) {
        report_.lost.push_back("frames " + std::to_string(gaps_[i].first) + " to " +
                               std::to_string(gaps_[i].last) +
                               " of the log: what was changed in them is lost");
    }
    if (gaps_.size() > kGapsTold)
        report_.lost.push_back(std::to_string(gaps_.size() - kGapsTold) + " more gaps in the log");
    if (store_.records_passed() != 0)
        report_.lost.push_back(std::to_string(store_.records_passed()) +
                               " records of the log are not understood");
}

void Rebuild::tell_checkpoint() {
    if (!checkpoint_ && choice_.superblock.checkpoint_id == 0) return;
    if (!checkpoint_) {
        report_.lost.push_back("the checkpoint: nothing of it can be read");
    } else if (!checkpoint_->whole()) {
        const auto rows = checkpoint_->rows_missing();
        report_.lost.push_back("checkpoint " + std::to_string(checkpoint_->id()) + ": " +
                               (rows ? std::to_string(*rows) : "an unknown number of") +
                               " rows are in no readable block");
    }
    if (!checkpoint_ || checkpoint_->rows() == 0)
        report_.lost.push_back(
            "names, tags, manifests and links come from what frames are left of the log: older "
            "ones may be missing, and some may be back that had been deleted");
    if (checkpoint_)
        report_.restored.push_back(std::to_string(checkpoint_->rows()) + " rows from " +
                                   std::to_string(checkpoint_->blocks()) +
                                   " blocks of checkpoint " + std::to_string(checkpoint_->id()));
}

void Rebuild::tell_store() {
    report_.restored.push_back(std::to_string(store_.found()) +
                               " blobs from lanes and the log, without a row, digest verified");
    if (unsound_ != 0)
        report_.lost.push_back(std::to_string(unsound_) +
                               " records in lanes that no row names do not verify: unfinished, "
                               "deleted, or damaged blobs");
    if (store_.sessions_ended() != 0)
        report_.lost.push_back(std::to_string(store_.sessions_ended()) +
                               " uploads that were on their way: their clients begin again");
    report_.counts.insert(report_.counts.begin(), {"blobs without a row", store_.found(), 0});
}

Result<RebuildReport> Rebuild::run() {
    ORB_TRY(survey());
    ORB_TRY(load_rows());
    const auto whole = [this](std::uint16_t table) {
        return checkpoint_ ? checkpoint_->table_whole(table)
                           : choice_.superblock.checkpoint_id == 0;
    };
    const bool blobs_whole = log_whole_ && whole(kBlobTable);
    ORB_TRY(find_lanes(blobs_whole));
    if (!blobs_whole) {
        ORB_TRY(find_inline_blobs());
    }
    load_catalog_rows();
    ORB_TRY(apply_frames());
    if (salvage_ != nullptr) {
        salvage_->finish(checkpoint_ != nullptr && checkpoint_->whole());
        report_.counts = salvage_->counts();
    }
    store_.settle(
        {.ids = log_whole_ && whole(kIdBlockTable), .sessions = log_whole_ && whole(kUploadTable)});
    progress_("writing the checkpoint");
    tell_checkpoint();
    tell_log();
    tell_store();
    ORB_TRY(
        establish(io_, choice_, {end(), log_.last_segment()}, store_.state(), report_.restored));
    return std::move(report_);
}

}  // namespace

Result<RebuildReport> rebuild(Io& io, CatalogMachine& catalog, Log& log,
                              const std::function<void(std::string_view)>& progress) {
    ORB_TRY(const auto opened, open_directory(io, Hold::exclusive));
    ORB_TRY(check_superblock_supported(opened.choice.superblock, true));
    Rebuild rebuild{io, opened.choice, catalog, log, progress};
    return rebuild.run();
}

}  // namespace orbitalreg::cas
