#include "index/blob_relocation.h"

#include "base/assert.h"
#include "cas/errors.h"
#include "index/encoded_digest.h"
#include "schema/records_generated.h"

#include <utility>

namespace orbitalreg::cas {

GroupRecord encode_relocation(BlobId id, std::uint64_t uid, const BlobRelocation& move,
                              std::vector<std::byte> bytes) {
    ORB_ASSERT(!move.from.in_lane);
    ORB_ASSERT(bytes.size() == move.from.size_bytes);
    flatbuffers::FlatBufferBuilder builder{192};
    builder.Finish(records::CreateBlobRelocate(builder, encode_digest(builder, move.digest),
                                               move.from.size_bytes, move.from.file,
                                               move.from.position, move.from.uid));
    GroupRecord record;
    record.type = static_cast<std::uint16_t>(RecordType::blob_relocate);
    record.blob = id;
    record.uid = uid;
    const auto* body = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
    record.body.assign(body, body + builder.GetSize());
    record.raw = std::move(bytes);
    return record;
}

Result<void> verify_relocation(const AppliedRecord& record) noexcept {
    flatbuffers::Verifier verifier{reinterpret_cast<const std::uint8_t*>(record.body.data()),
                                   record.body.size()};
    if (!verifier.VerifyBuffer<records::BlobRelocate>(nullptr)) return fail(Errc::bad_format);
    const auto* body = flatbuffers::GetRoot<records::BlobRelocate>(record.body.data());
    if (!decode_digest(body->digest()) || record.uid == 0) return fail(Errc::bad_format);
    if (record.blob.value == 0 || record.blob.value == UINT32_MAX) return fail(Errc::bad_format);
    if (body->from_segment() == 0 || body->from_uid() == 0) return fail(Errc::bad_format);
    return record.raw.size() == body->size_bytes() ? Result<void>{ok()} : fail(Errc::bad_format);
}

BlobRelocation decode_relocation(ByteView body) noexcept {
    const auto* record = flatbuffers::GetRoot<records::BlobRelocate>(body.data());
    const auto digest = decode_digest(record->digest());
    ORB_ASSERT(digest.has_value());
    return {.digest = *digest,
            .from = {.in_lane = false,
                     .file = record->from_segment(),
                     .position = record->from_position(),
                     .size_bytes = record->size_bytes(),
                     .uid = record->from_uid()}};
}

}  // namespace orbitalreg::cas
