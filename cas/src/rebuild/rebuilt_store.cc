#include "rebuild/rebuilt_store.h"

#include "cas/errors.h"
#include "format/record.h"
#include "index/blob_relocation.h"
#include "index/encoded_digest.h"
#include "lane/lane_rooms.h"
#include "log/log_segment.h"
#include "schema/records_generated.h"

#include <algorithm>

namespace orbitalreg::cas {
namespace {

// How far ids go on above the highest one seen, when not every frame that gave some out is there: 64 openings for
// writing, each of which may have taken a block and used none of it.
constexpr std::uint64_t kUidsSkipped = 64 * IdBlocks::kUidsPerBlock;
constexpr std::uint64_t kLanesSkipped = 64 * IdBlocks::kLanesPerBlock;

RecordType cas_type(const AppliedRecord& record) noexcept {
    return static_cast<RecordType>(record.type);
}

std::optional<Digest> digest_of_commit(const AppliedRecord& record) {
    return decode_digest(flatbuffers::GetRoot<records::BlobCommit>(record.body.data())->digest());
}

std::vector<Digest> digests_of_delete(const AppliedRecord& record) {
    const auto* body = flatbuffers::GetRoot<records::BlobDelete>(record.body.data());
    ByteView packed = std::as_bytes(std::span{body->digests()->data(), body->digests()->size()});
    std::vector<Digest> digests;
    while (!packed.empty()) {
        const auto digest = take_digest(packed);
        if (!digest) break;
        digests.push_back(digest.value());
    }
    return digests;
}

// Every part of what the marks say was received is there.
bool session_whole(const UploadRow& upload) {
    std::uint64_t next = 0;
    for (const MarkPart& part : upload.parts) {
        if (part.first != next) return false;
        next += upload.lane == 0 ? part.size_bytes : part.sums;
    }
    return next == (upload.lane == 0 ? upload.offset : upload.offset / kChunkSize);
}

}  // namespace

std::optional<BlobId> RebuiltStore::Sink::find(const Digest& digest) const noexcept {
    const auto blob = store_.blobs_.find(digest);
    return blob ? std::optional{blob->id} : std::nullopt;
}

RebuiltStore::RebuiltStore(Io& io, const Superblock& superblock, CatalogMachine& catalog, Log& log)
    : io_{io}, catalog_{catalog}, tables_{io, catalog, log} {
    lanes_.rooms()->identity = {superblock.uuid, AddressSeed{superblock.secret}};
    // The blocks that rows come from vouch for them, and the table that says which ids there are may be lost.
    blobs_.id_plausible = nullptr;
}

std::uint32_t RebuiltStore::load(std::uint16_t number, std::uint32_t rows, ByteView block) {
    if (number >= kFirstCatalogTable) return 0;
    const auto tables = state_.checkpoint_tables();
    const auto table =
        std::ranges::find_if(tables, [number](auto* each) { return each->number() == number; });
    if (table == tables.end()) return rows;
    std::uint32_t refused = 0;
    for (auto row = take_row(block); row; row = take_row(block)) {
        if (!(*table)->load(*row)) ++refused;
    }
    return refused;
}

bool RebuiltStore::rows_loaded(std::uint64_t store_time_ms) {
    for (CheckpointTable* const table : state_.checkpoint_tables()) {
        if (table->number() < kFirstCatalogTable && !table->loaded()) return false;
    }
    blobs_.derive();
    now_ms_ = std::max(store_time_ms, latest_of_rows());
    return true;
}

void RebuiltStore::add_found(const BlobView& blob) {
    saw_uid(blob.extent.uid);
    if (blobs_.find(blob.digest)) return;
    const BlobId id = blobs_.allocate_id();
    blobs_.insert(id, blob.digest, blob.extent, now_s());
    found_.insert(id.value);
}

// The groups of a data frame whose records are understood. One that has another is left out as a whole.
std::vector<RebuiltStore::Records> RebuiltStore::groups_of(const ScannedFrame& frame) {
    std::vector<Records> groups;
    if (frame.header.kind != FrameKind::data) return groups;
    const auto found = decode_records(frame.header, frame.position.offset, frame.bytes);
    if (!found) {
        records_passed_ += frame.header.record_count;
        return groups;
    }
    Records group;
    bool understood = true;
    for (FrameRecord each : found.value()) {
        AppliedRecord& record = each.record;
        saw_uid(record.uid);
        const bool commit =
            record.owner == RecordOwner::cas && cas_type(record) == RecordType::blob_commit;
        if (commit) record.blob = BlobId{1};  // it gets an id of this state
        if (!each.ignorable || state_.verify(record)) {
            understood = understood && state_.verify(record);
            group.push_back(record);
        }
        if (!each.last_of_group) continue;
        if (understood) {
            groups.push_back(std::move(group));
        } else {
            records_passed_ += group.size();
        }
        group.clear();
        understood = true;
    }
    return groups;
}

void RebuiltStore::apply_covered(const ScannedFrame& frame, bool catalog) {
    for (const Records& group : groups_of(frame))
        apply_covered_group(context(frame.header.lsn), group, catalog);
}

// Sessions are left out: most of them have ended since, and whether in a frame that is gone cannot be known.
void RebuiltStore::apply_covered_group(const FrameContext& frame, const Records& group,
                                       bool catalog) {
    Records kept;
    for (const AppliedRecord& record : group) {
        if (record.owner == RecordOwner::catalog) {
            if (catalog) kept.push_back(record);
            continue;
        }
        switch (cas_type(record)) {
            case RecordType::blob_commit:
            case RecordType::blob_relocate:
                find_inline(record);
                break;
            case RecordType::blob_delete:
                end_found(record);
                break;
            case RecordType::id_block:
                kept.push_back(record);
                break;
            default:
                break;
        }
    }
    if (!kept.empty()) state_.apply(frame, kept);
}

// Whether in the log or in a lane, the extent is known to have been the blob's.
void RebuiltStore::find_inline(const AppliedRecord& record) {
    const bool commit = cas_type(record) == RecordType::blob_commit;
    const auto digest =
        commit ? digest_of_commit(record) : std::optional{decode_relocation(record.body).digest};
    if (!digest) return;
    committed_[*digest].push_back(record.uid);
    if (commit && decode_lane_commit(record.body).lane != 0) return;  // found in its lane or not
    if (blobs_.find(*digest)) return;
    if (Digest::of(digest->algorithm(), record.raw) != *digest) return;
    BlobView blob;
    blob.digest = *digest;
    blob.extent = {false, record.segment, static_cast<std::uint32_t>(record.raw_offset / 64),
                   record.raw.size(), record.uid};
    add_found(blob);
}

// An extent that was committed before its blob was deleted stays dead. One that was not may be of a later push.
void RebuiltStore::end_found(const AppliedRecord& record) {
    for (const Digest& digest : digests_of_delete(record)) {
        const auto committed = committed_.find(digest);
        if (committed == committed_.end()) continue;
        const auto known = blobs_.find(digest);
        const bool dead = known && known->references == 0 && found_.contains(known->id.value) &&
                          std::ranges::count(committed->second, known->extent.uid) != 0;
        if (dead) {
            catalog_.forget(known->id, digest);
            blobs_.remove(known->id, now_s());
        }
        committed_.erase(committed);
    }
}

void RebuiltStore::apply(const ScannedFrame& frame) {
    for (const Records& group : groups_of(frame)) apply_group(context(frame.header.lsn), group);
}

// True when the row is still to be made or mended.
bool RebuiltStore::bend_commit(AppliedRecord& record) {
    const auto digest = digest_of_commit(record);
    const auto known = blobs_.find(*digest);
    if (known && !known->damaged) return false;
    record.blob = known ? known->id : blobs_.allocate_id();
    return true;
}

void RebuiltStore::apply_group(const FrameContext& frame, const Records& group) {
    Records kept;
    for (AppliedRecord record : group) {
        const RecordType type = cas_type(record);
        if (record.owner == RecordOwner::catalog) {
            kept.push_back(record);
        } else if (type == RecordType::blob_delete) {
            remove(record);
        } else if (type != RecordType::blob_commit || bend_commit(record)) {
            kept.push_back(record);
        } else {
            lanes_.apply(frame, record);  // what it says of the lane holds all the same
        }
    }
    if (!kept.empty()) state_.apply(frame, kept);
}

// A blob that something refers to here was found again after frames that said so were lost: it stays.
void RebuiltStore::remove(const AppliedRecord& record) {
    for (const Digest& digest : digests_of_delete(record)) {
        const auto known = blobs_.find(digest);
        if (!known || known->references != 0) continue;
        catalog_.forget(known->id, digest);
        blobs_.remove(known->id, now_s());
    }
}

void RebuiltStore::apply_own(const GroupRecord& record) {
    AppliedRecord applied;
    applied.type = record.type;
    applied.owner = record.owner;
    applied.uid = record.uid;
    applied.body = record.body;
    lanes_.apply(context(), applied);
}

// What is in it and nobody can name is dead, but for a lane that does not say whose it is: that one is never touched again.
void RebuiltStore::adopt(const SalvagedLane& lane) {
    saw_lane(lane.lane);
    if (lease_to_session(lane.lane)) return;
    LaneStateRecord state;
    state.lane = lane.lane;
    state.phase = lane.header_valid ? LanePhase::sealed : LanePhase::poisoned;
    state.frontier_page = lane.pages;
    state.last_base_page = lane.last_base_page;
    apply_own(encode_record(state));
}

// A session of the rows goes on in its lane: as if its mark had been the last that was heard of that lane.
bool RebuiltStore::lease_to_session(std::uint32_t lane) {
    MarkRecord mark;
    lanes_.for_each_upload([&](const UploadView& upload) {
        if (upload.lane != lane) return;
        mark.lane = lane;
        mark.base_page = upload.base_page;
    });
    if (mark.lane != 0) lanes_.rooms()->table.apply(mark);
    return mark.lane != 0;
}

void RebuiltStore::end_sessions() {
    std::vector<CloseRecord> closes;
    lanes_.rooms()->uploads.for_each([&](const SessionId& session, const UploadRow& upload) {
        if (session_whole(upload)) return;
        CloseRecord close;
        close.session = session;
        close.outcome = UploadOutcome::cancelled;
        close.issued_store_time_s = upload.issued_store_time_s;
        close.lane = upload.lane;
        closes.push_back(close);
    });
    for (const CloseRecord& close : closes) apply_own(encode_record(close, 0));
    sessions_ended_ = closes.size();
}

// Of lanes whose session is lost: else nobody would ever write to them, or seal them.
void RebuiltStore::free_leases() {
    std::unordered_set<std::uint32_t> held;
    lanes_.for_each_upload([&held](const UploadView& upload) { held.insert(upload.lane); });
    std::vector<CloseRecord> closes;
    lanes_.for_each_lane([&](const LaneView& lane) {
        if (!lane.leased || held.contains(lane.lane)) return;
        CloseRecord close;  // of a session that nobody has: its id is zero
        close.outcome = UploadOutcome::cancelled;
        close.lane = lane.lane;
        close.end_page = lane.frontier_page;
        closes.push_back(close);
    });
    for (const CloseRecord& close : closes) apply_own(encode_record(close, 0));
}

void RebuiltStore::skip_ids() {
    blobs_.for_each([this](const BlobView& blob) { saw_uid(blob.extent.uid); });
    lanes_.for_each_upload([this](const UploadView& upload) { saw_uid(upload.uid); });
    lanes_.for_each_lane([this](const LaneView& lane) { saw_lane(lane.lane); });
    const IdBlocks& ids = lanes_.rooms()->ids;
    IdBlockRecord uids{.kind = IdKind::uid, .first = 0, .count = kUidsSkipped};
    uids.first = std::max(ids.end(IdKind::uid), last_uid_ + 1);
    apply_own(encode_record(uids));
    IdBlockRecord lanes{.kind = IdKind::lane, .first = 0, .count = kLanesSkipped};
    lanes.first = std::max(ids.end(IdKind::lane), std::uint64_t{last_lane_} + 1);
    apply_own(encode_record(lanes));
}

void RebuiltStore::renew_graces() {
    std::vector<BlobId> unreferenced;
    blobs_.for_each([&unreferenced](const BlobView& blob) {
        if (blob.references == 0) unreferenced.push_back(blob.id);
    });
    for (const BlobId id : unreferenced) blobs_.renew_grace(id, now_s());
}

void RebuiltStore::settle(const Wholeness& whole) {
    if (!whole.sessions) {
        end_sessions();
        free_leases();
    }
    if (!whole.ids) skip_ids();
    renew_graces();
}

std::uint64_t RebuiltStore::latest_of_rows() const {
    std::uint64_t latest = 0;
    blobs_.for_each([&latest](const BlobView& blob) {
        latest = std::max(latest, std::uint64_t{blob.unreferenced_since_s} * 1000);
    });
    lanes_.for_each_upload([&latest](const UploadView& upload) {
        latest = std::max(latest, upload.last_store_time_ms);
    });
    return latest;
}

std::optional<Digest> RebuiltStore::digest_of_row(BlobId id) const {
    if (found_.contains(id.value)) return std::nullopt;
    const auto blob = blobs_.get(id);
    return blob ? std::optional{blob->digest} : std::nullopt;
}

std::optional<std::uint64_t> RebuiltStore::size_of(const Digest& digest) const {
    const auto blob = blobs_.find(digest);
    return blob ? std::optional{blob->extent.size_bytes} : std::nullopt;
}

Result<std::vector<std::byte>> RebuiltStore::read(const Digest& digest, std::uint64_t size_max) {
    const auto blob = blobs_.find(digest);
    if (!blob) return fail(Errc::blob_not_found);
    const Extent& extent = blob->extent;
    if (extent.size_bytes > size_max) return fail(Errc::blob_too_large);
    ORB_TRY(const auto file,
            io_.open(extent.in_lane ? lane_path(extent.file) : log_segment_path(extent.file), {}));
    std::vector<std::byte> bytes(static_cast<std::size_t>(extent.size_bytes));
    const std::uint64_t offset =
        extent.in_lane ? extent.lane_payload_offset_bytes() : extent.log_offset_bytes();
    ORB_TRY(const std::size_t size, file->read(offset, bytes));
    if (size != bytes.size() || Digest::of(digest.algorithm(), bytes) != digest)
        return fail(Errc::blob_damaged);
    return bytes;
}

}  // namespace orbitalreg::cas
