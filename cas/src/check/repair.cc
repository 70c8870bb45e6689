// What fsck --repair does: superblock copies, copies of the checkpoint, then the headers of lane records. It adds and moves, and drops nothing: what a
// repaired page held before is kept in lost+found/.

#include "cas/errors.h"
#include "cas/inspect.h"
#include "check/extent_check.h"
#include "check/replayed_store.h"
#include "checkpoint/checkpoint_files.h"
#include "format/page_buffer.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace orbitalreg::cas {
namespace {

constexpr std::size_t kPieceSize = 1_MiB;
constexpr const char* kKeepFolder = "lost+found";

class HeaderRepair {
public:
    HeaderRepair(Io& io, const ReplayedStore& store, const Superblock& superblock,
                 std::uint64_t store_time_ms, RepairReport& report)
        : io_{io},
          store_{store},
          identity_{store.identity()},
          incarnation_{superblock.incarnation},
          store_time_ms_{store_time_ms},
          report_{report},
          check_{io, identity_, kPieceSize},
          page_{std::make_unique<Page>()} {}

    Result<void> run();

private:
    using Bases = std::set<std::uint32_t>;

    Result<void> repair_lane(std::uint32_t lane, const std::vector<BlobView>& rows,
                             const Bases& bases);
    Result<bool> is_record_header(File& file, std::uint32_t lane, std::uint32_t page);
    bool verifies(const BlobView& blob);
    Result<std::uint32_t> previous_base(File& file, const BlobView& blob, std::uint32_t from,
                                        const Bases& bases);
    Result<void> rewrite(File& file, const BlobView& blob, std::uint32_t previous);
    Result<void> keep(std::uint32_t lane, std::uint32_t page);

    Io& io_;
    const ReplayedStore& store_;
    const StoreIdentity identity_;
    const std::uint64_t incarnation_;
    const std::uint64_t store_time_ms_;
    RepairReport& report_;
    ExtentCheck check_;
    std::unique_ptr<Page> page_;
};

Result<void> HeaderRepair::run() {
    std::map<std::uint32_t, std::vector<BlobView>> rows;
    std::map<std::uint32_t, Bases> bases;
    store_.blobs().for_each([&](const BlobView& blob) {
        if (!blob.extent.in_lane) return;
        rows[blob.extent.file].push_back(blob);
        bases[blob.extent.file].insert(blob.extent.position);
    });
    store_.lanes().for_each_upload([&](const UploadView& upload) {
        if (upload.lane != 0) bases[upload.lane].insert(upload.base_page);
    });
    for (auto& [lane, blobs] : rows) {
        std::ranges::sort(blobs, {}, [](const BlobView& blob) { return blob.extent.position; });
        ORB_TRY(repair_lane(lane, blobs, bases[lane]));
    }
    return ok();
}

Result<void> HeaderRepair::repair_lane(std::uint32_t lane, const std::vector<BlobView>& rows,
                                       const Bases& bases) {
    auto opened = io_.open(lane_path(lane), {.write = true, .direct = true});
    if (!opened) {
        report_.left.push_back(lane_path(lane) + ": " + opened.error().message());
        return ok();
    }
    File& file = *opened.value();
    std::uint32_t free_from = 1;  // behind the live record before
    for (const BlobView& blob : rows) {
        const std::uint32_t base = blob.extent.position;
        const auto sound = is_record_header(file, lane, base);
        const std::string where = lane_path(lane) + " page " + std::to_string(base);
        if (!sound) {
            report_.left.push_back(where + ": " + sound.error().message());
        } else if (!sound.value() && !verifies(blob)) {
            report_.left.push_back(where + ": the blob behind the header does not verify either");
        } else if (!sound.value()) {
            ORB_TRY(const std::uint32_t previous, previous_base(file, blob, free_from, bases));
            ORB_TRY(keep(lane, base));
            ORB_TRY(rewrite(file, blob, previous));
            report_.done.push_back(where + ": record header written anew; the old page is in " +
                                   kKeepFolder + "/");
        }
        free_from = base + static_cast<std::uint32_t>(record_pages(blob.extent.size_bytes));
    }
    return ok();
}

// Leaves the page in page_. A header of another extent is one too: it is left alone.
Result<bool> HeaderRepair::is_record_header(File& file, std::uint32_t lane, std::uint32_t page) {
    ORB_TRY(const std::size_t size, file.read(std::uint64_t{page} * kPageSize, page_->bytes));
    if (size != kPageSize) return false;
    return decode_record_header(*page_, lane, page, identity_).has_value();
}

bool HeaderRepair::verifies(const BlobView& blob) {
    check_.begin(blob, true);
    ExtentVerdict verdict = ExtentVerdict::more;
    while (verdict == ExtentVerdict::more) verdict = check_.step();
    return verdict == ExtentVerdict::sound;
}

// The last record before this one, dead ones included: their headers are looked for where no live record is. No payload can
// pass for one, since the store's secret seeds its sum.
Result<std::uint32_t> HeaderRepair::previous_base(File& file, const BlobView& blob,
                                                  std::uint32_t from, const Bases& bases) {
    const Page damaged = *page_;
    const auto here = bases.find(blob.extent.position);
    const std::uint32_t live = here == bases.begin() ? 0 : *std::prev(here);
    std::uint32_t found = live;
    for (std::uint32_t page = blob.extent.position - 1; page >= std::max(from, live + 1); --page) {
        ORB_TRY(const bool header, is_record_header(file, blob.extent.file, page));
        if (!header) continue;
        found = page;
        break;
    }
    *page_ = damaged;
    return found;
}

Result<void> HeaderRepair::keep(std::uint32_t lane, std::uint32_t page) {
    ORB_TRY(io_.make_directory(kKeepFolder));
    ORB_TRY(io_.sync_directory(""));
    const std::string path = std::string{kKeepFolder} + "/lane-" + std::to_string(lane) + "-page-" +
                             std::to_string(page) + ".page";
    ORB_TRY(const auto file, io_.open(path, {.write = true, .create = true}));
    ORB_TRY(file->write(0, page_->bytes));
    ORB_TRY(file->datasync());
    return io_.sync_directory(kKeepFolder);
}

Result<void> HeaderRepair::rewrite(File& file, const BlobView& blob, std::uint32_t previous) {
    RecordHeader header;
    header.lane = blob.extent.file;
    header.base_page = blob.extent.position;
    header.uid = blob.extent.uid;
    header.previous_base_page = previous;
    header.incarnation = incarnation_;
    header.store_time_ms = store_time_ms_;
    encode_record_header(header, identity_, *page_);
    ORB_TRY(file.write(std::uint64_t{header.base_page} * kPageSize, page_->bytes));
    return file.datasync();
}

Result<void> repair_superblock(Io& io, const SuperblockChoice& choice, RepairReport& report) {
    unsigned damaged = 0;
    for (const auto& copy : choice.copies) {
        if (!copy || copy->sequence != choice.superblock.sequence) ++damaged;
    }
    if (damaged == 0) return ok();
    SuperblockFile file{io, Durability::full};
    file.adopt(choice);
    ORB_TRY(file.write(choice.superblock));
    report.done.push_back("SUPER: " + std::to_string(damaged) +
                          " of four copies written anew from a sound one");
    return ok();
}

// A copy is mended only where it is read first and the other one has what it lacks; so each has its turn.
Result<void> repair_checkpoint(Io& io, const Superblock& superblock, RepairReport& report) {
    if (superblock.checkpoint_id == 0) return ok();
    using Copies = CheckpointReader::Copies;
    for (const Copies copies : {Copies::both, Copies::both_from_b}) {
        CheckpointReader reader{io,
                                log_identity(superblock),
                                checkpoint_name(superblock),
                                {.copies = copies, .repair = true}};
        const auto opened = reader.open();
        if (opened) {
            // What is lost in both copies does not keep the rest from being mended.
            for (std::size_t i = 0; i < reader.blocks().size(); ++i) {
                static_cast<void>(reader.next());
            }
        }
        ORB_TRY(reader.close());
        for (const CheckpointReader::Flaw& flaw : reader.flaws()) {
            const std::string where = checkpoint_path(flaw.copy, superblock.checkpoint_id) +
                                      " offset " + std::to_string(flaw.offset);
            if (flaw.repaired) {
                report.done.push_back(where + ": written anew from the other copy");
            } else if (copies == Copies::both) {
                report.left.push_back(where + ": " + flaw.error.message() +
                                      ", and the other copy does not have it either");
            }
        }
    }
    return ok();
}

}  // namespace

Result<RepairReport> repair(Io& io, CatalogMachine& catalog, Log& log) {
    RepairReport report;
    ORB_TRY(const auto opened, open_directory(io, Hold::exclusive));
    const Superblock& superblock = opened.choice.superblock;
    ORB_TRY(check_superblock_supported(superblock, true));
    ORB_TRY(repair_superblock(io, opened.choice, report));
    ORB_TRY(repair_checkpoint(io, superblock, report));
    ReplayedStore store{io, superblock, catalog, log};
    ORB_TRY(const auto replayed, store.replay(nullptr));
    // Where acknowledged frames are damaged the rows are not known to be the last word.
    ORB_TRY(check_log_end(io, superblock, replayed, log));
    HeaderRepair headers{io, store, superblock, replayed.end.store_time_ms, report};
    ORB_TRY(headers.run());
    return report;
}

}  // namespace orbitalreg::cas
