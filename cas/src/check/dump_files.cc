#include "check/dump_files.h"

#include "check/json_line.h"
#include "format/lane_record.h"
#include "format/log_segment_header.h"

#include <map>
#include <memory>
#include <string>

namespace orbitalreg::cas {
namespace {

void dump_segment(Io& io, const Superblock& superblock, const std::string& name,
                  const DumpLines& lines) {
    const std::uint32_t segment = parse_log_segment_name(name);
    JsonLine line;
    line.text("file", "log/" + name).number("segment", segment);
    const auto file = io.open("log/" + name, OpenMode{.random_access = true});
    Page page;
    const auto read = file ? file.value()->read(0, page.bytes) : fail(file.error());
    if (!read) {
        lines(line.flag("valid", false).text("error", read.error().message()).end());
        return;
    }
    const auto header = decode_log_segment_header(page.bytes, segment, superblock.uuid,
                                                  AddressSeed{superblock.secret});
    line.flag("valid", header.has_value());
    if (header) {
        line.text("incarnation", to_hex(std::as_bytes(std::span{&header.value().incarnation, 1})))
            .number("size_bytes", header.value().size_bytes());
    } else {
        line.text("error", header.error().message());
    }
    if (const auto stat = file.value()->stat())
        line.number("allocated_bytes", stat.value().allocated_bytes);
    line.flag("replayed", segment >= superblock.replay_segment);
    lines(line.end());
}

using LiveRecords = std::map<std::uint32_t, BlobView>;  // by base page

class LaneDump {
public:
    LaneDump(File& file, std::uint32_t lane, const ReplayedStore& store, const DumpLines& lines)
        : file_{file}, lane_{lane}, store_{store}, lines_{lines} {}

    // From `base` backwards: each header names the record before it; where that is lost or punched, the next live one
    // goes on.
    void run(std::uint32_t base, const LiveRecords& live) {
        while (base != 0) {
            const auto found = live.find(base);
            const std::uint32_t before = dump(base, found == live.end() ? nullptr : &found->second);
            const auto lower = live.lower_bound(base);
            const std::uint32_t next = lower == live.begin() ? 0 : std::prev(lower)->first;
            base = before < base ? std::max(before, next) : next;
        }
    }

private:
    // The base of the record before it; 0: none, or not known.
    std::uint32_t dump(std::uint32_t base, const BlobView* blob) {
        JsonLine line;
        line.text("file", lane_path(lane_)).number("base_page", base).flag("live", blob != nullptr);
        const auto header = read(base) ? decode_record_header(page_, lane_, base, store_.identity())
                                       : fail(Errc::io_error);
        line.flag("header_valid", header.has_value());
        if (header) {
            line.number("uid", header.value().uid)
                .text("session", to_hex(header.value().session))
                .number("store_time_ms", header.value().store_time_ms)
                .number("previous_base_page", header.value().previous_base_page);
        }
        if (blob != nullptr) describe(*blob, line);
        // What a punch gave back reads as zeros: there is no record to tell of.
        if (header || blob != nullptr) lines_(line.end());
        return header ? header.value().previous_base_page : 0;
    }

    void describe(const BlobView& blob, JsonLine& line) {
        line.text("digest", blob.digest.to_string()).number("size_bytes", blob.extent.size_bytes);
        const std::uint64_t number =
            descriptor_page_number(blob.extent.position, blob.extent.size_bytes);
        const auto descriptor = read(number)
                                    ? decode_descriptor(page_, lane_, number, store_.identity())
                                    : fail(Errc::io_error);
        const bool valid = descriptor && descriptor.value().digest == blob.digest &&
                           descriptor.value().uid == blob.extent.uid;
        line.number("descriptor_page", number)
            .flag("descriptor_valid", valid)
            .number("chunks", chunk_count(blob.extent.size_bytes))
            .number("table_pages", table_pages(blob.extent.size_bytes));
    }

    bool read(std::uint64_t page) {
        const auto count = file_.read(page * kPageSize, page_.bytes);
        return count && count.value() == kPageSize;
    }

    File& file_;
    const std::uint32_t lane_;
    const ReplayedStore& store_;
    const DumpLines& lines_;
    Page page_;
};

}  // namespace

Result<void> dump_segments(Io& io, const Superblock& superblock, const DumpLines& lines) {
    ORB_TRY(const auto names, io.list("log"));
    for (const std::string& name : names) dump_segment(io, superblock, name, lines);
    return ok();
}

void dump_lane_records(Io& io, const ReplayedStore& store, const DumpLines& lines) {
    std::map<std::uint32_t, LiveRecords> live;
    store.blobs().for_each([&](const BlobView& blob) {
        if (blob.extent.in_lane) live[blob.extent.file].emplace(blob.extent.position, blob);
    });
    store.lanes().for_each_lane([&](const LaneView& lane) {
        const LiveRecords& records = live[lane.lane];
        const auto file = io.open(lane_path(lane.lane), OpenMode{.random_access = true});
        if (!file) {
            lines(JsonLine{}
                      .text("file", lane_path(lane.lane))
                      .text("error", file.error().message())
                      .end());
            return;
        }
        const std::uint32_t last = records.empty() ? 0 : records.rbegin()->first;
        LaneDump{*file.value(), lane.lane, store, lines}.run(std::max(last, lane.last_base_page),
                                                             records);
    });
}

}  // namespace orbitalreg::cas
