#include "lane/lane_records.h"

#include "base/checksum.h"
#include "base/hasher.h"
#include "cas/errors.h"
#include "format/lane_record.h"
#include "index/encoded_digest.h"
#include "schema/records_generated.h"

#include <flatbuffers/flatbuffers.h>

#include <cstring>

namespace orbitalreg::cas {
namespace {

using flatbuffers::FlatBufferBuilder;
using Bytes = flatbuffers::Vector<std::uint8_t>;

flatbuffers::Offset<Bytes> encode_bytes(FlatBufferBuilder& builder, ByteView bytes) {
    return builder.CreateVector(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

ByteView view_of(const Bytes* bytes) noexcept {
    if (bytes == nullptr) return {};
    return {reinterpret_cast<const std::byte*>(bytes->data()), bytes->size()};
}

GroupRecord finish_record(RecordType type, const FlatBufferBuilder& builder) {
    GroupRecord record;
    record.type = static_cast<std::uint16_t>(type);
    const auto* body = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
    record.body.assign(body, body + builder.GetSize());
    return record;
}

template <class Table>
const Table* verified(ByteView body) noexcept {
    flatbuffers::Verifier verifier{reinterpret_cast<const std::uint8_t*>(body.data()), body.size()};
    if (!verifier.VerifyBuffer<Table>(nullptr)) return nullptr;
    return flatbuffers::GetRoot<Table>(body.data());
}

SessionId session_of(const Bytes* bytes) noexcept {
    SessionId session{};
    std::memcpy(session.data(), bytes->data(), session.size());
    return session;
}

bool is_session(const Bytes* bytes) noexcept {
    return bytes != nullptr && bytes->size() == SessionId{}.size();
}

constexpr std::uint64_t kOffsetMax = std::uint64_t{1} << 44;
constexpr std::size_t kOwnerSizeMax = 4096;

Result<void> verify_mark(const AppliedRecord& record) noexcept {
    const auto* mark = verified<records::UploadMark>(record.body);
    if (mark == nullptr || !is_session(mark->session())) return fail(Errc::bad_format);
    if (record.uid == 0 || mark->offset() == 0) return fail(Errc::bad_format);
    if (mark->offset() > kOffsetMax) return fail(Errc::bad_format);
    if (view_of(mark->owner()).size() > kOwnerSizeMax) return fail(Errc::bad_format);
    const auto hasher = Hasher::restore(view_of(mark->hash_state()));
    if (!hasher || hasher.value().size_bytes() != mark->offset()) return fail(Errc::bad_format);
    if (mark->lane() == 0) {
        const bool sound = mark->aligned_bytes() == 0 && mark->base_page() == 0 &&
                           mark->first_sum() == 0 && record.raw.size() <= mark->offset();
        return sound ? Result<void>{ok()} : fail(Errc::bad_format);
    }
    const std::uint64_t aligned = mark->aligned_bytes();
    if (mark->base_page() == 0 || aligned % kPageSize != 0) return fail(Errc::bad_format);
    if (aligned > mark->offset() || mark->offset() - aligned >= kPageSize) {
        return fail(Errc::bad_format);
    }
    const std::uint64_t full_chunks = mark->offset() / kChunkSize;
    if (mark->first_sum() > full_chunks) return fail(Errc::bad_format);
    const std::uint64_t raw = (full_chunks - mark->first_sum()) * 8 + (mark->offset() - aligned);
    return record.raw.size() == raw ? Result<void>{ok()} : fail(Errc::bad_format);
}

Result<void> verify_mark_move(const AppliedRecord& record) noexcept {
    const auto* move = verified<records::MarkRelocate>(record.body);
    if (move == nullptr || !is_session(move->session())) return fail(Errc::bad_format);
    const bool sound = record.uid != 0 && move->from_segment() != 0 && !record.raw.empty();
    return sound ? Result<void>{ok()} : fail(Errc::bad_format);
}

Result<void> verify_close(const AppliedRecord& record) noexcept {
    const auto* close = verified<records::UploadClose>(record.body);
    if (close == nullptr || !is_session(close->session())) return fail(Errc::bad_format);
    const bool finished = close->outcome() == records::UploadOutcome::finished;
    if (!finished && close->outcome() != records::UploadOutcome::cancelled) {
        return fail(Errc::bad_format);
    }
    if (finished != decode_digest(close->digest()).has_value()) return fail(Errc::bad_format);
    if (close->lane() == 0 && close->end_page() != 0) return fail(Errc::bad_format);
    return ok();
}

Result<void> verify_lane_state(const AppliedRecord& record) noexcept {
    const auto* state = verified<records::LaneState>(record.body);
    if (state == nullptr || state->lane() == 0) return fail(Errc::bad_format);
    const bool known =
        state->phase() > records::LanePhase::none && state->phase() <= records::LanePhase::MAX;
    return known ? Result<void>{ok()} : fail(Errc::bad_format);
}

Result<void> verify_id_block(const AppliedRecord& record) noexcept {
    const auto* block = verified<records::IdBlock>(record.body);
    if (block == nullptr || block->first() == 0 || block->count() == 0) {
        return fail(Errc::bad_format);
    }
    const bool lanes = block->kind() == records::IdKind::lane;
    if (!lanes && block->kind() != records::IdKind::uid) return fail(Errc::bad_format);
    const std::uint64_t last = lanes ? UINT32_MAX : UINT64_MAX;
    const bool fits = block->first() <= last && block->count() - 1 <= last - block->first();
    return fits ? Result<void>{ok()} : fail(Errc::bad_format);
}

Result<void> verify_commit(const AppliedRecord& record) noexcept {
    const auto* commit = verified<records::BlobCommit>(record.body);
    if (commit == nullptr) return fail(Errc::bad_format);
    if (commit->lane() == 0) return ok();
    const bool sound = record.uid != 0 && commit->base_page() != 0 &&
                       commit->size_bytes() <= kOffsetMax &&
                       commit->pages() == record_pages(commit->size_bytes());
    return sound ? Result<void>{ok()} : fail(Errc::bad_format);
}

}  // namespace

GroupRecord encode_record(const MarkRecord& mark, std::uint64_t uid, std::vector<std::byte> raw) {
    FlatBufferBuilder builder{512};
    const auto session = encode_bytes(builder, mark.session);
    const auto owner = mark.owner.empty() ? 0 : encode_bytes(builder, mark.owner);
    const auto state = encode_bytes(builder, mark.hash_state);
    records::UploadMarkBuilder out{builder};
    out.add_session(session);
    out.add_issued_store_time_s(mark.issued_store_time_s);
    if (!mark.owner.empty()) out.add_owner(owner);
    out.add_offset(mark.offset);
    out.add_lane(mark.lane);
    out.add_base_page(mark.base_page);
    out.add_aligned_bytes(mark.aligned_bytes);
    out.add_hash_state(state);
    out.add_first_sum(mark.first_sum);
    out.add_open_chunk_sum(mark.open_chunk_sum);
    builder.Finish(out.Finish());
    GroupRecord record = finish_record(RecordType::upload_mark, builder);
    record.uid = uid;
    record.raw = std::move(raw);
    return record;
}

GroupRecord encode_record(const MarkMoveRecord& move, std::uint64_t uid,
                          std::vector<std::byte> raw) {
    FlatBufferBuilder builder{96};
    builder.Finish(records::CreateMarkRelocate(builder, encode_bytes(builder, move.session),
                                               move.from_segment, move.from_position));
    GroupRecord record = finish_record(RecordType::mark_relocate, builder);
    record.uid = uid;
    record.raw = std::move(raw);
    return record;
}

GroupRecord encode_record(const CloseRecord& close, std::uint64_t uid) {
    FlatBufferBuilder builder{192};
    const auto session = encode_bytes(builder, close.session);
    flatbuffers::Offset<Bytes> digest;
    if (close.digest) digest = encode_digest(builder, *close.digest);
    builder.Finish(records::CreateUploadClose(
        builder, session, static_cast<records::UploadOutcome>(close.outcome), digest,
        close.issued_store_time_s, close.lane, close.end_page));
    GroupRecord record = finish_record(RecordType::upload_close, builder);
    record.uid = uid;
    return record;
}

GroupRecord encode_record(const LaneStateRecord& state) {
    FlatBufferBuilder builder{64};
    builder.Finish(records::CreateLaneState(builder, state.lane,
                                            static_cast<records::LanePhase>(state.phase),
                                            state.frontier_page, state.last_base_page));
    return finish_record(RecordType::lane_state, builder);
}

GroupRecord encode_record(const IdBlockRecord& block) {
    FlatBufferBuilder builder{64};
    builder.Finish(records::CreateIdBlock(builder, static_cast<records::IdKind>(block.kind),
                                          block.first, block.count));
    return finish_record(RecordType::id_block, builder);
}

Result<void> verify_lane_record(const AppliedRecord& record) noexcept {
    switch (static_cast<RecordType>(record.type)) {
        case RecordType::blob_commit:
            return verify_commit(record);
        case RecordType::upload_mark:
            return verify_mark(record);
        case RecordType::mark_relocate:
            return verify_mark_move(record);
        case RecordType::upload_close:
            return verify_close(record);
        case RecordType::lane_state:
            return verify_lane_state(record);
        case RecordType::id_block:
            return verify_id_block(record);
        default:
            return ok();
    }
}

MarkRecord decode_mark(ByteView body) noexcept {
    const auto* mark = flatbuffers::GetRoot<records::UploadMark>(body.data());
    return {.session = session_of(mark->session()),
            .issued_store_time_s = mark->issued_store_time_s(),
            .owner = view_of(mark->owner()),
            .offset = mark->offset(),
            .lane = mark->lane(),
            .base_page = mark->base_page(),
            .aligned_bytes = mark->aligned_bytes(),
            .hash_state = view_of(mark->hash_state()),
            .first_sum = mark->first_sum(),
            .open_chunk_sum = mark->open_chunk_sum()};
}

MarkMoveRecord decode_mark_move(ByteView body) noexcept {
    const auto* move = flatbuffers::GetRoot<records::MarkRelocate>(body.data());
    return {.session = session_of(move->session()),
            .from_segment = move->from_segment(),
            .from_position = move->from_position()};
}

CloseRecord decode_close(ByteView body) noexcept {
    const auto* close = flatbuffers::GetRoot<records::UploadClose>(body.data());
    return {.session = session_of(close->session()),
            .outcome = static_cast<UploadOutcome>(close->outcome()),
            .digest = decode_digest(close->digest()),
            .issued_store_time_s = close->issued_store_time_s(),
            .lane = close->lane(),
            .end_page = close->end_page()};
}

LaneStateRecord decode_lane_state(ByteView body) noexcept {
    const auto* state = flatbuffers::GetRoot<records::LaneState>(body.data());
    return {.lane = state->lane(),
            .phase = static_cast<LanePhase>(state->phase()),
            .frontier_page = state->frontier_page(),
            .last_base_page = state->last_base_page()};
}

IdBlockRecord decode_id_block(ByteView body) noexcept {
    const auto* block = flatbuffers::GetRoot<records::IdBlock>(body.data());
    return {.kind = static_cast<IdKind>(block->kind()),
            .first = block->first(),
            .count = block->count()};
}

LaneCommit decode_lane_commit(ByteView body) noexcept {
    const auto* commit = flatbuffers::GetRoot<records::BlobCommit>(body.data());
    return {.lane = commit->lane(), .base_page = commit->base_page(), .pages = commit->pages()};
}

std::uint64_t session_key(const SessionId& session) noexcept {
    return checksum64(session, 0x5e5510);
}

}  // namespace orbitalreg::cas
