#include "collect/deletion_batch.h"

#include "base/planted_bug.h"
#include "format/lane_record.h"
#include "index/encoded_digest.h"
#include "schema/records_generated.h"

#include <algorithm>

namespace orbitalreg::cas {
namespace {

GroupRecord encode_blob_delete(const std::vector<std::uint32_t>& ids,
                               const std::vector<std::uint8_t>& digests) {
    flatbuffers::FlatBufferBuilder builder{64 + 4 * ids.size() + digests.size()};
    const auto blobs = builder.CreateVector(ids);
    const auto packed = builder.CreateVector(digests);
    builder.Finish(records::CreateBlobDelete(builder, blobs, packed));
    GroupRecord record;
    record.type = static_cast<std::uint16_t>(RecordType::blob_delete);
    const auto* body = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
    record.body.assign(body, body + builder.GetSize());
    return record;
}

}  // namespace

KeySet DeletionBatch::keys() const {
    KeySet keys;
    keys.exclusive.reserve(candidates_.size());
    for (const DeletionCandidate& candidate : candidates_)
        keys.exclusive.push_back(digest_key(candidate.digest));
    return keys;
}

bool DeletionBatch::still_due(const BlobView& blob, const FrameContext& frame) const {
    if (ORB_PLANTED(collect_without_recheck)) return true;
    return rules_.grace.over(blob, frame.store_time_ms);
}

void DeletionBatch::count(const BlobView& blob) {
    ++counts_.deleted;
    counts_.deleted_bytes += blob.extent.size_bytes;
    if (blob.extent.in_lane) {
        counts_.lane_bytes += record_pages(blob.extent.size_bytes) * kPageSize;
    } else {
        counts_.log_bytes += blob.extent.size_bytes;
    }
}

Result<void> DeletionBatch::check(Group& self, const FrameContext& frame) {
    std::vector<std::uint32_t> ids;
    std::vector<std::uint8_t> digests;
    std::uint64_t links = 0;
    for (; decided_ < candidates_.size(); ++decided_) {
        const DeletionCandidate& candidate = candidates_[decided_];
        const auto blob = blobs_.find(candidate.digest);
        if (!blob || blob->id != candidate.id || !still_due(*blob, frame)) {
            ++counts_.kept;
            continue;
        }
        links += catalog_.link_count(blob->id);
        if (links > rules_.links_max && !ids.empty()) break;
        ids.push_back(blob->id.value);
        append_digest(digests, candidate.digest);
        count(*blob);
    }
    counts_.examined = decided_;
    if (!ids.empty() && !rules_.dry_run) self.records.push_back(encode_blob_delete(ids, digests));
    return ok();
}

}  // namespace orbitalreg::cas
