// dump prints the structures of a store as they are on disk or as the log makes them, one JSON object a line.

#include "cas/inspect.h"
#include "cas/no_catalog.h"
#include "check/checkpoint_check.h"
#include "check/dump_files.h"
#include "check/json_line.h"
#include "check/replayed_store.h"
#include "format/log_segment_header.h"
#include "format/record.h"
#include "index/encoded_digest.h"
#include "schema/records_generated.h"

#include <string>

namespace orbitalreg::cas {
namespace {

using Lines = std::function<void(std::string_view)>;
using Describe = std::function<std::string(const CatalogRecordView&)>;

void dump_superblock(const SuperblockChoice& choice, const Lines& lines) {
    for (unsigned copy = 0; copy < kSuperblockCopies; ++copy) {
        JsonLine line;
        line.number("copy", copy).flag("valid", choice.copies[copy].has_value());
        if (choice.copies[copy]) {
            const Superblock& super = *choice.copies[copy];
            line.number("format_version", super.format_version)
                .number("sequence", super.sequence)
                .text("store_uuid", to_hex(super.uuid))
                .number("segment_size_bytes", super.segment_size_bytes())
                .number("lane_target_bytes", super.lane_target_bytes())
                .number("clean_lsn", super.clean_lsn)
                .number("checkpoint_id", super.checkpoint_id)
                .number("checkpoint_lsn", super.checkpoint_lsn)
                .number("checkpoint_bytes", super.checkpoint_size_bytes)
                .number("replay_segment", super.replay_segment)
                .number("replay_page", super.replay_page)
                .text("incarnation", to_hex(std::as_bytes(std::span{&super.incarnation, 1})));
        }
        lines(line.end());
    }
}

std::string digest_text(const flatbuffers::Vector<std::uint8_t>* encoded) {
    const auto digest = decode_digest(encoded);
    return digest ? digest->to_string() : std::string{};
}

std::string number_list(const flatbuffers::Vector<std::uint32_t>* numbers) {
    std::string list;
    for (const std::uint32_t number : *numbers)
        list += (list.empty() ? "" : ",") + std::to_string(number);
    return '[' + list + ']';
}

std::string digest_list(const flatbuffers::Vector<std::uint8_t>* packed) {
    std::string list;
    ByteView bytes = std::as_bytes(std::span{packed->data(), packed->size()});
    while (!bytes.empty()) {
        const auto digest = take_digest(bytes);
        if (!digest) break;
        list += (list.empty() ? "\"" : ",\"") + digest.value().to_string() + '"';
    }
    return '[' + list + ']';
}

std::string session_text(const flatbuffers::Vector<std::uint8_t>* session) {
    return to_hex(std::as_bytes(std::span{session->data(), session->size()}));
}

void describe_scrub_position(const records::ScrubPosition& at, JsonLine& line) {
    line.text("record", "scrub_position")
        .number("pass", at.pass())
        .flag("running", at.running())
        .flag("in_log", at.in_log())
        .number("file", at.file())
        .number("position", at.position())
        .number("full_pass", at.full_pass());
}

void describe_relocation(const records::BlobRelocate& move, JsonLine& line) {
    line.text("record", "blob_relocate")
        .text("digest", digest_text(move.digest()))
        .number("size_bytes", move.size_bytes())
        .number("from_segment", move.from_segment())
        .number("from_offset", std::uint64_t{move.from_position()} * 64)
        .number("from_uid", move.from_uid());
}

void describe_mark_move(const records::MarkRelocate& move, JsonLine& line) {
    line.text("record", "mark_relocate")
        .text("session", session_text(move.session()))
        .number("from_segment", move.from_segment())
        .number("from_offset", std::uint64_t{move.from_position()} * 64);
}

void describe_mark(const records::UploadMark& mark, JsonLine& line) {
    line.text("record", "upload_mark")
        .text("session", session_text(mark.session()))
        .number("offset", mark.offset())
        .number("lane", mark.lane())
        .number("base_page", mark.base_page())
        .number("aligned_bytes", mark.aligned_bytes());
}

void describe_close(const records::UploadClose& close, JsonLine& line) {
    line.text("record", "upload_close")
        .text("session", session_text(close.session()))
        .text("outcome", records::EnumNameUploadOutcome(close.outcome()))
        .text("digest", digest_text(close.digest()))
        .number("lane", close.lane())
        .number("end_page", close.end_page());
}

void describe_cas_record(const AppliedRecord& record, JsonLine& line) {
    const auto* body = record.body.data();
    switch (static_cast<RecordType>(record.type)) {
        case RecordType::blob_commit: {
            const auto* commit = flatbuffers::GetRoot<records::BlobCommit>(body);
            line.text("record", "blob_commit")
                .text("digest", digest_text(commit->digest()))
                .number("size_bytes", commit->size_bytes())
                .number("lane", commit->lane())
                .number("base_page", commit->base_page());
            break;
        }
        case RecordType::blob_delete: {
            const auto* deleted = flatbuffers::GetRoot<records::BlobDelete>(body);
            line.text("record", "blob_delete")
                .raw("blobs", number_list(deleted->blobs()))
                .raw("digests", digest_list(deleted->digests()));
            break;
        }
        case RecordType::lease:
            line.text("record", "lease")
                .raw("digests", digest_list(flatbuffers::GetRoot<records::Lease>(body)->digests()));
            break;
        case RecordType::blob_damaged:
        case RecordType::blob_healed:
            line.text("record", record.type == static_cast<std::uint16_t>(RecordType::blob_damaged)
                                    ? "blob_damaged"
                                    : "blob_healed")
                .text("digest",
                      digest_text(flatbuffers::GetRoot<records::BlobDamaged>(body)->digest()));
            break;
        case RecordType::blob_relocate:
            describe_relocation(*flatbuffers::GetRoot<records::BlobRelocate>(body), line);
            break;
        case RecordType::mark_relocate:
            describe_mark_move(*flatbuffers::GetRoot<records::MarkRelocate>(body), line);
            break;
        case RecordType::upload_mark:
            describe_mark(*flatbuffers::GetRoot<records::UploadMark>(body), line);
            break;
        case RecordType::upload_close:
            describe_close(*flatbuffers::GetRoot<records::UploadClose>(body), line);
            break;
        case RecordType::lane_state: {
            const auto* state = flatbuffers::GetRoot<records::LaneState>(body);
            line.text("record", "lane_state")
                .number("lane", state->lane())
                .text("phase", records::EnumNameLanePhase(state->phase()))
                .number("frontier_page", state->frontier_page());
            break;
        }
        case RecordType::id_block: {
            const auto* block = flatbuffers::GetRoot<records::IdBlock>(body);
            line.text("record", "id_block")
                .text("kind", records::EnumNameIdKind(block->kind()))
                .number("first", block->first())
                .number("count", block->count());
            break;
        }
        case RecordType::scrub_position:
            describe_scrub_position(*flatbuffers::GetRoot<records::ScrubPosition>(body), line);
            break;
        default:
            line.text("record", "unknown");
            break;
    }
}

Result<void> dump_records(const ScannedFrame& frame, const Describe& describe, const Lines& lines) {
    if (frame.header.kind != FrameKind::data) return ok();
    ORB_TRY(const auto records, decode_records(frame.header, frame.position.offset, frame.bytes));
    for (const FrameRecord& each : records) {
        const AppliedRecord& record = each.record;
        JsonLine line;
        line.number("lsn", frame.header.lsn).number("type", record.type);
        if (record.owner == RecordOwner::catalog) {
            line.text("owner", "catalog")
                .raw("body", describe({record.type, record.body, record.raw}));
        } else {
            line.text("owner", "cas");
            if (verify_cas_body(static_cast<RecordType>(record.type), record.body)) {
                describe_cas_record(record, line);
            }
        }
        if (record.blob.value != 0) line.number("blob", record.blob.value);
        if (record.uid != 0) line.number("uid", record.uid);
        line.number("raw_bytes", record.raw.size()).flag("last_of_group", each.last_of_group);
        lines(line.end());
    }
    return ok();
}

void dump_frame(const ScannedFrame& frame, const Lines& lines) {
    lines(JsonLine{}
              .number("lsn", frame.header.lsn)
              .text("kind", to_string(frame.header.kind))
              .number("segment", frame.position.segment)
              .number("offset", frame.position.offset)
              .number("bytes", frame.header.size_bytes())
              .number("records", frame.header.record_count)
              .number("store_time_ms", frame.header.store_time_ms)
              .raw("wall_ns", std::to_string(frame.header.wall_ns))
              .end());
}

// Straight from the log, so that it works where a replay would not.
Result<void> dump_log(Io& io, const Superblock& superblock, bool records, const Describe& describe,
                      const Lines& lines) {
    FrameScanner scanner{io,
                         log_identity(superblock),
                         {superblock.log_end_lsn, superblock.incarnation},
                         replay_start(superblock)};
    for (;;) {
        ORB_TRY(const auto frame, scanner.next());
        if (!frame) return ok();
        if (records) {
            ORB_TRY(dump_records(*frame, describe, lines));
        } else {
            dump_frame(*frame, lines);
        }
    }
}

void dump_blobs(const ReplayedStore& store, const Lines& lines) {
    store.blobs().for_each([&](const BlobView& blob) {
        lines(JsonLine{}
                  .number("blob", blob.id.value)
                  .text("digest", blob.digest.to_string())
                  .number("size_bytes", blob.extent.size_bytes)
                  .text("file", blob.extent.in_lane ? lane_path(blob.extent.file)
                                                    : log_segment_path(blob.extent.file))
                  .number("offset", blob.extent.in_lane ? blob.extent.lane_payload_offset_bytes()
                                                        : blob.extent.log_offset_bytes())
                  .number("uid", blob.extent.uid)
                  .flag("damaged", blob.damaged)
                  .end());
    });
}

void dump_lanes(const ReplayedStore& store, const Lines& lines) {
    store.lanes().for_each_lane([&](const LaneView& lane) {
        lines(JsonLine{}
                  .text("file", lane_path(lane.lane))
                  .text("phase",
                        records::EnumNameLanePhase(static_cast<records::LanePhase>(lane.phase)))
                  .flag("leased", lane.leased)
                  .number("frontier_page", lane.frontier_page)
                  .number("last_base_page", lane.last_base_page)
                  .end());
    });
}

void dump_uploads(const ReplayedStore& store, const Lines& lines) {
    store.lanes().for_each_upload([&](const UploadView& upload) {
        lines(JsonLine{}
                  .text("session", to_hex(upload.session))
                  .number("uid", upload.uid)
                  .number("offset", upload.offset)
                  .number("lane", upload.lane)
                  .number("base_page", upload.base_page)
                  .number("issued_store_time_s", upload.issued_store_time_s)
                  .number("last_store_time_ms", upload.last_store_time_ms)
                  .end());
    });
}

}  // namespace

Result<void> dump(Io& io, DumpWhat what, const Describe& describe, const Lines& lines) {
    ORB_TRY(const auto opened, open_directory(io));
    const Superblock& superblock = opened.choice.superblock;
    if (what == DumpWhat::superblock) {
        dump_superblock(opened.choice, lines);
        return ok();
    }
    ORB_TRY(check_superblock_supported(superblock, false));
    if (what == DumpWhat::segments) return dump_segments(io, superblock, lines);
    if (what == DumpWhat::checkpoint) return dump_checkpoint(io, superblock, lines);
    if (what == DumpWhat::frames || what == DumpWhat::records) {
        return dump_log(io, superblock, what == DumpWhat::records, describe, lines);
    }
    NoCatalog catalog;
    ReplayedStore store{io, superblock, catalog, null_log()};
    ORB_TRY(store.replay(nullptr));
    if (what == DumpWhat::blobs) dump_blobs(store, lines);
    if (what == DumpWhat::lanes) dump_lanes(store, lines);
    if (what == DumpWhat::lane_records) dump_lane_records(io, store, lines);
    if (what == DumpWhat::uploads) dump_uploads(store, lines);
    return ok();
}

}  // namespace orbitalreg::cas
