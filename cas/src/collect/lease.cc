#include "collect/lease.h"

#include "base/planted_bug.h"
#include "index/encoded_digest.h"
#include "schema/records_generated.h"

namespace orbitalreg::cas {

std::size_t append_lease(const BlobTable& blobs, Group& group, std::span<const Digest> digests,
                         const Grace& grace, const FrameContext& frame) {
    if (ORB_PLANTED(forget_lease)) return 0;
    std::vector<std::uint8_t> packed;
    std::size_t count = 0;
    for (const Digest& digest : digests) {
        const auto blob = blobs.find(digest);
        if (!blob || !grace.lease_due(*blob, frame.store_time_ms)) continue;
        append_digest(packed, digest);
        ++count;
    }
    if (count == 0) return 0;
    flatbuffers::FlatBufferBuilder builder{64 + packed.size()};
    const auto encoded = builder.CreateVector(packed);
    builder.Finish(records::CreateLease(builder, encoded));
    GroupRecord record;
    record.type = static_cast<std::uint16_t>(RecordType::lease);
    const auto* body = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
    record.body.assign(body, body + builder.GetSize());
    group.records.push_back(std::move(record));
    return count;
}

}  // namespace orbitalreg::cas
