#include "store/store_state.h"

#include "base/assert.h"
#include "base/planted_bug.h"
#include "cas/errors.h"
#include "format/lane_record.h"
#include "format/record.h"
#include "index/blob_relocation.h"
#include "index/encoded_digest.h"
#include "schema/records_generated.h"
#include "scrub/damage_marks.h"

#include <set>

namespace orbitalreg::cas {
namespace {

// Since when a blob that this frame leaves without references has none. Rows keep seconds; rounded up, since a grace may
// last a little longer but never shorter.
std::uint64_t unreferenced_since_s(const FrameContext& frame) noexcept {
    return (frame.store_time_ms + 999) / 1000;
}

class Sink final : public ReferenceSink {
public:
    Sink(BlobTable& blobs, const FrameContext& frame) noexcept
        : blobs_{blobs}, store_time_s_{unreferenced_since_s(frame)} {}
    std::optional<BlobId> find(const Digest& digest) const noexcept override {
        const auto blob = blobs_.find(digest);
        return blob ? std::optional{blob->id} : std::nullopt;
    }
    void hold(BlobId blob) noexcept override { blobs_.hold(blob); }
    void release(BlobId blob) noexcept override { blobs_.release(blob, store_time_s_); }

private:
    BlobTable& blobs_;
    const std::uint64_t store_time_s_;
};

template <class Table>
const Table* verified(ByteView body) noexcept {
    flatbuffers::Verifier verifier{reinterpret_cast<const std::uint8_t*>(body.data()), body.size()};
    if (!verifier.VerifyBuffer<Table>(nullptr)) return nullptr;
    return flatbuffers::GetRoot<Table>(body.data());
}

Result<void> verify_blob_commit(const AppliedRecord& record) noexcept {
    const auto* body = verified<records::BlobCommit>(record.body);
    if (body == nullptr || !decode_digest(body->digest())) return fail(Errc::bad_format);
    if (record.blob.value == 0 || record.blob.value == UINT32_MAX || record.uid == 0)
        return fail(Errc::bad_format);
    if (body->lane() == 0) {
        if (record.raw.size() != body->size_bytes()) return fail(Errc::bad_format);
    } else {
        if (!record.raw.empty() || body->base_page() == 0) return fail(Errc::bad_format);
        if (body->size_bytes() >> 47 != 0) return fail(Errc::bad_format);
        if (body->pages() != record_pages(body->size_bytes())) return fail(Errc::bad_format);
    }
    return ok();
}

}  // namespace

StoreState::StoreState(BlobTable& blobs, LaneRecords& lanes, CatalogMachine& catalog,
                       RecentDeletions& deletions)
    : blobs_{blobs}, lanes_{lanes}, catalog_{catalog}, deletions_{deletions} {
    blobs_.id_plausible = [this](BlobId blob) { return id_plausible(blob); };
    blobs_.on_loaded = [this](BlobId end) { catalog_.blobs_loaded(end); };
}

// A blob gets a new id only while no old one is free, and each got a uid that no other had: there are no more ids than
// uids. Twice as many, since an id whose frame was given up is lost until the store opens anew.
bool StoreState::id_plausible(BlobId blob) const { return blob.value / 2 < lanes_.uids_end(); }

Result<void> StoreState::verify(const AppliedRecord& record) const noexcept {
    if (record.owner == RecordOwner::catalog)
        return catalog_.verify({record.type, record.body, record.raw});
    switch (static_cast<RecordType>(record.type)) {
        case RecordType::blob_commit:
            if (!id_plausible(record.blob)) return fail(Errc::bad_format);
            return verify_blob_commit(record);
        case RecordType::blob_relocate:
            return verify_relocation(record);
        case RecordType::blob_damaged:
        case RecordType::blob_healed:
            return verify_damage_record(record);
        case RecordType::scrub_position: {
            ORB_TRY(decode_scrub_position(record.body));
            return ok();
        }
        case RecordType::blob_delete:
        case RecordType::lease:
            return verify_cas_body(static_cast<RecordType>(record.type), record.body);
        case RecordType::upload_mark:
        case RecordType::mark_relocate:
        case RecordType::upload_close:
        case RecordType::lane_state:
        case RecordType::id_block:
            return lanes_.verify(record);
        default:
            return fail(Errc::version_unsupported);
    }
}

void StoreState::apply_blob_commit(const FrameContext& frame, const AppliedRecord& record) {
    const auto* body = flatbuffers::GetRoot<records::BlobCommit>(record.body.data());
    const auto digest = decode_digest(body->digest());
    ORB_ASSERT(digest.has_value());
    Extent extent;
    extent.in_lane = body->lane() != 0;
    extent.file = extent.in_lane ? body->lane() : record.segment;
    extent.position =
        extent.in_lane ? body->base_page() : static_cast<std::uint32_t>(record.raw_offset / 64);
    extent.size_bytes = body->size_bytes();
    extent.uid = record.uid;
    if (const auto known = blobs_.find(*digest)) {
        ORB_ASSERT(known->id == record.blob && known->damaged);
        blobs_.replace_extent(known->id, extent, unreferenced_since_s(frame));
    } else {
        blobs_.insert(record.blob, *digest, extent, unreferenced_since_s(frame));
    }
    if (extent.in_lane) lanes_.apply(frame, record);
}

void StoreState::apply_blob_delete(const FrameContext& frame, const AppliedRecord& record) {
    const auto* body = flatbuffers::GetRoot<records::BlobDelete>(record.body.data());
    ByteView digests = std::as_bytes(std::span{body->digests()->data(), body->digests()->size()});
    for (const std::uint32_t number : *body->blobs()) {
        const auto digest = take_digest(digests);
        ORB_ASSERT(digest.has_value());
        const auto known = blobs_.find(digest.value());
        ORB_ASSERT(known && known->id.value == number);
        deletions_.add({known->digest, known->extent.size_bytes,
                        std::uint64_t{known->unreferenced_since_s} * 1000, frame.store_time_ms});
        catalog_.forget(known->id, digest.value());
        blobs_.remove(known->id, unreferenced_since_s(frame));
    }
}

void StoreState::apply_lease(const FrameContext& frame, const AppliedRecord& record) {
    const auto* body = flatbuffers::GetRoot<records::Lease>(record.body.data());
    ByteView digests = std::as_bytes(std::span{body->digests()->data(), body->digests()->size()});
    while (!digests.empty()) {
        const auto digest = take_digest(digests);
        ORB_ASSERT(digest.has_value());
        const auto known = blobs_.find(digest.value());
        if (known) blobs_.renew_grace(known->id, unreferenced_since_s(frame));
    }
}

// The row may have moved on since the bytes were read: then they are dead where they are now.
void StoreState::apply_blob_relocate(const FrameContext& frame, const AppliedRecord& record) {
    const BlobRelocation move = decode_relocation(record.body);
    const auto known = blobs_.find(move.digest);
    if (!known || known->damaged || !(known->extent == move.from)) return;
    Extent extent = move.from;
    extent.file = record.segment;
    extent.position = static_cast<std::uint32_t>(record.raw_offset / 64);
    extent.uid = record.uid;
    blobs_.move_extent(known->id, extent, unreferenced_since_s(frame));
}

// The extent may have been replaced since it was read: the record names the one that it speaks of.
void StoreState::apply_damage(const AppliedRecord& record) {
    const auto* body = flatbuffers::GetRoot<records::BlobDamaged>(record.body.data());
    const auto known = blobs_.find(*decode_digest(body->digest()));
    if (!known || known->extent.uid != record.uid) return;
    if (static_cast<RecordType>(record.type) == RecordType::blob_damaged) {
        blobs_.set_damaged(known->id);
    } else {
        blobs_.clear_damaged(known->id);
    }
}

void StoreState::apply(const FrameContext& frame, std::span<const AppliedRecord> group) noexcept {
    catalog_group_.clear();
    for (const AppliedRecord& record : group) {
        if (record.owner == RecordOwner::catalog) {
            catalog_group_.push_back({record.type, record.body, record.raw});
            continue;
        }
        switch (static_cast<RecordType>(record.type)) {
            case RecordType::blob_commit:
                apply_blob_commit(frame, record);
                break;
            case RecordType::blob_delete:
                apply_blob_delete(frame, record);
                break;
            case RecordType::lease:
                apply_lease(frame, record);
                break;
            case RecordType::blob_relocate:
                apply_blob_relocate(frame, record);
                break;
            case RecordType::blob_damaged:
            case RecordType::blob_healed:
                apply_damage(record);
                break;
            case RecordType::scrub_position:
                scrub_.apply(record.body);
                break;
            default:
                lanes_.apply(frame, record);
                break;
        }
    }
    if (catalog_group_.empty()) return;
    Sink sink{blobs_, frame};
    catalog_.apply(frame, catalog_group_, sink);
}

// The blobs' ids are held against the uids given out, and the catalog's rows name blobs by id.
std::vector<CheckpointTable*> StoreState::checkpoint_tables() {
    std::vector<CheckpointTable*> tables{&lanes_.id_table(), &blobs_.checkpoint_table()};
    for (CheckpointTable* const table : lanes_.checkpoint_tables()) tables.push_back(table);
    tables.push_back(&scrub_table_);
    for (CheckpointTable* const table : catalog_.checkpoint_tables()) tables.push_back(table);
    return tables;
}

std::vector<std::uint32_t> StoreState::segments_in_use() {
    std::set<std::uint32_t> segments;
    blobs_.space().for_each_segment([&segments](std::uint32_t segment, const LiveSpace& live) {
        if (ORB_PLANTED(recycle_segment_with_live_blobs) && live.extents == 1) return;
        segments.insert(segment);
    });
    // Of extents that no row names any more, somebody may still read, and damaged ones are kept for a while.
    blobs_.add_held_segments(segments);
    return {segments.begin(), segments.end()};
}

Result<void> StoreState::checkpoint_loaded() {
    bool known = true;
    catalog_.visit_references([&](BlobId blob) { known = blobs_.load_reference(blob) && known; });
    if (!known) return fail(Errc::bad_format);
    blobs_.derive();
    return ok();
}

}  // namespace orbitalreg::cas
