#include "index/blob_admission.h"

#include "base/planted_bug.h"
#include "collect/lease.h"
#include "format/lane_record.h"
#include "index/encoded_digest.h"
#include "schema/records_generated.h"

namespace orbitalreg::cas {

bool admit_blob(BlobTable& blobs, Group& group, const Digest& digest, const Extent& extent,
                std::vector<std::byte> inline_bytes) {
    const auto known = blobs.find(digest);
    if (known && (!known->damaged || ORB_PLANTED(dedupe_keeps_damaged_copy))) return false;
    flatbuffers::FlatBufferBuilder builder{160};
    const auto encoded = encode_digest(builder, digest);
    builder.Finish(records::CreateBlobCommit(
        builder, encoded, extent.size_bytes, extent.in_lane ? extent.file : 0,
        extent.in_lane ? extent.position : 0,
        extent.in_lane ? static_cast<std::uint32_t>(record_pages(extent.size_bytes)) : 0));
    GroupRecord record;
    record.type = static_cast<std::uint16_t>(RecordType::blob_commit);
    record.blob = known ? known->id : blobs.allocate_id();
    record.uid = extent.uid;
    const auto* body = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
    record.body.assign(body, body + builder.GetSize());
    record.raw = std::move(inline_bytes);
    group.records.push_back(std::move(record));
    return true;
}

Result<std::size_t> admit_change(BlobTable& blobs, Group& group, Change& change,
                                 const FrameContext& frame, const Grace& grace,
                                 const std::function<std::uint64_t()>& next_uid) {
    if (change.check) {
        ORB_TRY(change.check(change, frame));
    }
    for (InlineBlob& blob : change.blobs) {
        Extent extent;
        extent.size_bytes = blob.bytes.size();
        extent.uid = next_uid();
        if (!admit_blob(blobs, group, blob.digest, extent, std::move(blob.bytes)))
            change.confirmed.push_back(blob.digest);
    }
    const std::size_t leases = append_lease(blobs, group, change.confirmed, grace, frame);
    for (CatalogRecord& record : change.records) {
        GroupRecord added;
        added.type = record.type;
        added.owner = RecordOwner::catalog;
        added.body = std::move(record.body);
        added.raw = std::move(record.raw);
        group.records.push_back(std::move(added));
    }
    return leases;
}

}  // namespace orbitalreg::cas
