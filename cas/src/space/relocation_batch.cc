#include "space/relocation_batch.h"

#include "format/record.h"
#include "index/blob_relocation.h"
#include "lane/lane_records.h"
#include "space/space_table.h"

#include <utility>

namespace orbitalreg::cas {

struct RelocationBatch::Moves {
    std::shared_ptr<LaneRooms> rooms;
    std::vector<RelocatedBlob> blobs;
    std::vector<RelocatedMark> marks;
    RelocationCounts counts;

    KeySet keys() const;
    void check(Group& group);
    void check_blob(Group& group, RelocatedBlob& move);
    void check_mark(Group& group, RelocatedMark& move);
};

KeySet RelocationBatch::Moves::keys() const {
    KeySet keys;
    for (const RelocatedBlob& move : blobs) keys.exclusive.push_back(digest_key(move.from.digest));
    for (const RelocatedMark& move : marks)
        keys.exclusive.push_back(session_key(move.from.session));
    return keys;
}

void RelocationBatch::Moves::check(Group& group) {
    for (RelocatedBlob& move : blobs) check_blob(group, move);
    for (RelocatedMark& move : marks) check_mark(group, move);
}

void RelocationBatch::Moves::check_blob(Group& group, RelocatedBlob& move) {
    const auto known = rooms->blobs.find(move.from.digest);
    if (!known || known->damaged || !(known->extent == move.from.extent)) return;
    ++counts.blobs;
    counts.bytes += move.bytes.size();
    group.records.push_back(encode_relocation(
        known->id, rooms->next_uid(), {known->digest, known->extent}, std::move(move.bytes)));
}

void RelocationBatch::Moves::check_mark(Group& group, RelocatedMark& move) {
    const SessionPart& from = move.from;
    const auto now = rooms->uploads.part_now(from.session, from.part);
    if (!now || now->segment != from.part.segment || now->offset != from.part.offset) return;
    const MarkMoveRecord record{
        .session = from.session,
        .from_segment = now->segment,
        .from_position = static_cast<std::uint32_t>(now->offset / kRawAlignment)};
    ++counts.marks;
    counts.bytes += move.bytes.size();
    group.records.push_back(encode_record(record, from.uid, std::move(move.bytes)));
}

RelocationBatch::Moves& RelocationBatch::moves() {
    if (moves_ == nullptr) {
        moves_ = std::make_shared<Moves>();
        moves_->rooms = rooms_;
    }
    return *moves_;
}

bool RelocationBatch::fits(std::uint64_t size_bytes) const noexcept {
    return empty() || size_bytes_ + size_bytes + LiveSpace::kLogRecordBytes <= size_max_bytes_;
}

void RelocationBatch::add(RelocatedBlob blob) {
    size_bytes_ += blob.bytes.size() + LiveSpace::kLogRecordBytes;
    moves().blobs.push_back(std::move(blob));
}

void RelocationBatch::add(RelocatedMark mark) {
    size_bytes_ += mark.bytes.size() + LiveSpace::kLogRecordBytes;
    moves().marks.push_back(std::move(mark));
}

Awaitable<Result<RelocationCounts>> RelocationBatch::commit() {
    if (empty()) co_return RelocationCounts{};
    const std::shared_ptr<Moves> moves = std::exchange(moves_, nullptr);
    size_bytes_ = 0;
    Group group;
    group.keys = moves->keys();
    group.check = [moves](Group& self, const FrameContext&) -> Result<void> {
        moves->check(self);
        return ok();
    };
    ORB_CO_TRY(co_await rooms_->log->commit(std::move(group)));
    co_return moves->counts;
}

}  // namespace orbitalreg::cas
