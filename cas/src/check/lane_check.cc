#include "check/lane_check.h"

#include "check/findings.h"

#include <algorithm>
#include <map>
#include <string>

namespace orbitalreg::cas {
namespace {

std::string describe(const BlobView& blob) {
    return "blob " + blob.digest.to_string() + " (" + std::to_string(blob.extent.size_bytes) +
           " bytes)";
}

constexpr const char* kRepush = "; push it again to heal it";

}  // namespace

LaneCheck::LaneCheck(Io& io, const StoreIdentity& store, FsckReport& report,
                     const Progress& progress)
    : io_{io},
      store_{store},
      report_{report},
      progress_{progress},
      page_{std::make_unique<Page>()} {}

void LaneCheck::find(Severity severity, const char* code, std::uint32_t lane, std::uint64_t page,
                     std::string detail) {
    add_finding(report_, severity, code, lane_path(lane) + " page " + std::to_string(page),
                std::move(detail));
}

void LaneCheck::run(const BlobTable& blobs, const Lanes& lanes) {
    std::map<std::uint32_t, std::vector<BlobView>> by_lane;
    blobs.for_each([&](const BlobView& blob) {
        if (blob.extent.in_lane) by_lane[blob.extent.file].push_back(blob);
    });
    std::map<std::uint32_t, LaneView> expected;
    lanes.for_each_lane([&](const LaneView& lane) { expected[lane.lane] = lane; });
    report_.lanes = expected.size();
    std::size_t number = 0;
    for (auto& [lane, rows] : by_lane) {
        std::ranges::sort(rows, {}, [](const BlobView& blob) { return blob.extent.position; });
        const auto it = expected.find(lane);
        check_lane(lane, rows, it == expected.end() ? nullptr : &it->second);
        progress_("lane " + std::to_string(++number) + " of " + std::to_string(by_lane.size()));
    }
    check_names();
}

void LaneCheck::check_lane(std::uint32_t lane, const std::vector<BlobView>& rows,
                           const LaneView* expected) {
    std::uint64_t end_page = 1;  // behind the lane's header
    std::uint64_t live_pages = 1;
    for (const BlobView& blob : rows) {
        if (blob.extent.position < end_page) {
            find(Severity::loss, "extents_overlap", lane, blob.extent.position,
                 describe(blob) + " begins inside the record before it");
        }
        end_page = blob.extent.position + record_pages(blob.extent.size_bytes);
        live_pages += record_pages(blob.extent.size_bytes);
    }
    if (expected == nullptr || expected->frontier_page < end_page) {
        find(Severity::repairable, "frontier_behind_blobs", lane, end_page,
             "the lane's frontier lies before the end of its last blob");
    }
    auto file = io_.open(lane_path(lane), OpenMode{.random_access = true});
    if (!file) {
        find(Severity::loss, "lane_missing", lane, 0,
             std::to_string(rows.size()) +
                 " blobs lie in a lane that cannot be opened: " + file.error().message());
        return;
    }
    check_file(*file.value(), lane, end_page, live_pages);
    for (const BlobView& blob : rows) {
        check_header(*file.value(), blob);
        check_descriptor(*file.value(), blob);
    }
}

void LaneCheck::check_file(File& file, std::uint32_t lane, std::uint64_t end_page,
                           std::uint64_t live_pages) {
    const auto read = file.read(0, page_->bytes);
    if (!read || read.value() != kPageSize || !decode_lane_header(*page_, lane, store_)) {
        find(Severity::loss, "lane_header_invalid", lane, 0,
             "the header is not that of this lane of this store");
    }
    const auto stat = file.stat();
    if (!stat) {
        find(Severity::loss, "read_failed", lane, 0, stat.error().message());
    } else if (stat.value().size_bytes < end_page * kPageSize) {
        find(Severity::loss, "lane_short", lane, stat.value().size_bytes / kPageSize,
             "the file ends before the last blob in it does");
    } else if (stat.value().allocated_bytes < live_pages * kPageSize) {
        find(Severity::loss, "lane_has_holes", lane, 0,
             "fewer bytes are allocated than the live blobs need: something punched holes");
    }
}

void LaneCheck::check_header(File& file, const BlobView& blob) {
    const std::uint32_t base = blob.extent.position;
    const auto read = file.read(std::uint64_t{base} * kPageSize, page_->bytes);
    if (!read || read.value() != kPageSize) {
        find(Severity::loss, "read_failed", blob.extent.file, base,
             describe(blob) + ": the record header cannot be read");
        return;
    }
    const auto header = decode_record_header(*page_, blob.extent.file, base, store_);
    if (!header) {
        // Reads do not need the header: the blob is served as long as its descriptor is sound.
        find(Severity::repairable, "record_header_invalid", blob.extent.file, base,
             describe(blob) + ": no record header of this place" + kRepush);
    } else if (header.value().uid != blob.extent.uid) {
        find(Severity::loss, "record_header_mismatch", blob.extent.file, base,
             describe(blob) + ": the header names another extent" + kRepush);
    }
}

void LaneCheck::check_descriptor(File& file, const BlobView& blob) {
    const std::uint64_t number =
        descriptor_page_number(blob.extent.position, blob.extent.size_bytes);
    const auto read = file.read(number * kPageSize, page_->bytes);
    if (!read || read.value() != kPageSize) {
        find(Severity::loss, "read_failed", blob.extent.file, number,
             describe(blob) + ": the descriptor cannot be read");
        return;
    }
    const auto descriptor = decode_descriptor(*page_, blob.extent.file, number, store_);
    if (!descriptor) {
        find(Severity::loss, "descriptor_invalid", blob.extent.file, number,
             describe(blob) + ": no descriptor of this place, so its chunks cannot be verified" +
                 kRepush);
    } else if (descriptor.value().uid != blob.extent.uid ||
               descriptor.value().size_bytes != blob.extent.size_bytes ||
               descriptor.value().digest != blob.digest) {
        find(Severity::loss, "descriptor_mismatch", blob.extent.file, number,
             describe(blob) + ": the descriptor names " + descriptor.value().digest.to_string() +
                 kRepush);
    }
}

void LaneCheck::check_names() {
    const auto names = io_.list("lane");
    if (!names) {
        add_finding(report_, Severity::loss, "read_failed", "lane/", names.error().message());
        return;
    }
    for (const std::string& name : names.value()) {
        if (lane_of_name(name) == 0) {
            add_finding(report_, Severity::note, "unknown_file", "lane/" + name,
                        "no lane has this name; the store leaves it alone");
        }
    }
}

}  // namespace orbitalreg::cas
