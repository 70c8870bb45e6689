#include "log/recovery.h"

#include "base/assert.h"
#include "base/planted_bug.h"
#include "cas/errors.h"

#include <array>

namespace orbitalreg::cas {
namespace {

// What this version does not know and need not know is left out; what it must know and does not
// refuses the log.
Result<void> verify_records(const FrameTarget& target, std::vector<FrameRecord>& records) {
    std::vector<FrameRecord> kept;
    kept.reserve(records.size());
    for (const FrameRecord& found : records) {
        const RecordOwner owner = found.record.owner;
        const bool owner_known = owner == RecordOwner::cas || owner == RecordOwner::catalog;
        const Result<void> verified =
            owner_known ? target.verify(found.record)
                        : Result<void>{make_error_code(Errc::version_unsupported)};
        if (verified) {
            kept.push_back(found);
            continue;
        }
        if (!found.ignorable) return fail(verified.error());
        // The group still ends where it ended.
        if (found.last_of_group && !kept.empty()) kept.back().last_of_group = true;
    }
    records = std::move(kept);
    return ok();
}

Result<std::uint64_t> replay_frame(FrameTarget& target, const ScannedFrame& frame,
                                   std::vector<AppliedRecord>& scratch) {
    if (frame.header.kind != FrameKind::data) return std::uint64_t{0};
    ORB_TRY(auto records, decode_records(frame.header, frame.position.offset, frame.bytes));
    ORB_TRY(verify_records(target, records));
    const FrameContext context{Lsn{frame.header.lsn}, frame.header.store_time_ms};
    apply_frame(target, context, records, scratch);
    if (ORB_PLANTED(apply_twice)) apply_frame(target, context, records, scratch);
    return records.size();
}

}  // namespace

LogIdentity log_identity(const Superblock& superblock) noexcept {
    return {superblock.uuid, AddressSeed{superblock.secret}};
}

void apply_frame(FrameTarget& target, const FrameContext& frame,
                 std::span<const FrameRecord> records,
                 std::vector<AppliedRecord>& scratch) noexcept {
    scratch.clear();
    for (const FrameRecord& found : records) {
        scratch.push_back(found.record);
        if (!found.last_of_group) continue;
        target.apply(frame, scratch);
        scratch.clear();
    }
    ORB_ASSERT(scratch.empty());
}

Result<ReplayedLog> replay_log(Io& io, const Superblock& superblock, const ChainEnd& start,
                               FrameTarget& target, Log& log,
                               const std::function<void(const ScannedFrame&)>& visit) {
    FrameScanner scanner{
        io, log_identity(superblock), {superblock.log_end_lsn, superblock.incarnation}, start};
    ReplayedLog replayed;
    std::vector<AppliedRecord> scratch;
    for (;;) {
        ORB_TRY(const auto frame, scanner.next());
        if (!frame) break;
        if (visit) visit(*frame);
        const auto records = replay_frame(target, *frame, scratch);
        if (!records) {
            log.error("a frame of the log cannot be understood",
                      {{"lsn", frame->header.lsn},
                       {"segment", frame->position.segment},
                       {"offset", frame->position.offset},
                       {"error", records.error().message()}});
            return fail(records.error());
        }
        replayed.records += records.value();
        replayed.bytes += frame->bytes.size();
        ++replayed.frames;
    }
    replayed.end = scanner.end();
    replayed.tail_reason = scanner.tail_reason();
    return replayed;
}

Result<void> check_log_end(Io& io, const Superblock& superblock, const ReplayedLog& replayed,
                           Log& log) {
    const ChainEnd& end = replayed.end;
    const bool backup = superblock.log_end_lsn != 0;
    // In a backup's copy the original's frames lie behind the end; only frames of the copy count.
    // Otherwise any frame does, whoever wrote it: a rotten `opened` frame hides nothing behind it.
    const bool narrow = ORB_PLANTED(rotten_opened_frame);
    const std::array<std::uint64_t, 1> ours{narrow ? end.incarnation : superblock.incarnation};
    const auto incarnations =
        backup || narrow ? std::span<const std::uint64_t>{ours} : std::span<const std::uint64_t>{};
    ORB_TRY(const auto stray, find_frame_behind(io, log_identity(superblock), end, incarnations));
    // A genuine frame that does not follow the last one: the one before it is not what was there
    // when it was written.
    const bool chain_broken = !backup && replayed.tail_reason == TailReason::not_a_successor;
    if (stray || chain_broken) {
        log.error("acknowledged frames of the log are damaged",
                  {{"first_damaged_lsn", end.lsn + (chain_broken ? 0 : 1)},
                   {"readable_again_at_lsn", stray ? stray->header.lsn : end.lsn + 1},
                   {"segment", end.position.segment},
                   {"offset", end.position.offset},
                   {"found", to_string(replayed.tail_reason)}});
        return fail(Errc::log_corrupt);
    }
    const bool clean_lost =
        superblock.clean_lsn > end.lsn ||
        (superblock.clean_lsn == end.lsn && end.lsn != 0 && end.kind != FrameKind::closed);
    if (clean_lost) {
        log.error("the log ends before the frame that the last clean stop wrote",
                  {{"last_lsn", end.lsn}, {"clean_lsn", superblock.clean_lsn}});
        return fail(Errc::log_corrupt);
    }
    return ok();
}

}  // namespace orbitalreg::cas
