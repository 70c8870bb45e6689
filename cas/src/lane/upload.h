#pragma once
// Upload takes in the bytes of one blob: in memory as long as they may be inline, then through a
// RecordWriter into a lane. Marks make its offset durable, finish() commits it, end() leaves its
// session and its lane in order.
//
//   inline ──more than inline_size_max──> in lane          both: mark()*, then finish() | cancel()
//   | end()
//
// Life     shared by its handle (the BlobWriter) and what it has in flight. One call at a time.
// Threads  the reactor it was opened on; what its groups do on the sequencer touches copies only.
// I1       marked_ <= received_; the hash, the sums and the stored bytes cover exactly [0,
//          received_).
// I2       no sum is made from bytes read back, but for an open chunk that agreed with its sum
//          before.

#include "base/hasher.h"
#include "cas/blob_writer.h"
#include "lane/chunk_sums.h"
#include "lane/followed_record.h"
#include "lane/lane_rooms.h"
#include "lane/record_writer.h"
#include "lane/sum_reader.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace orbitalreg::cas {

class Upload : public std::enable_shared_from_this<Upload> {
public:
    struct Session {
        SessionId id{};
        std::uint64_t issued_store_time_s = 0;
        std::vector<std::byte> owner;
    };

    // The session, if any, is claimed already; end() releases it.
    Upload(std::shared_ptr<LaneRooms> rooms, IoQueue& queue, std::uint64_t uid,
           DigestAlgorithm algorithm, std::optional<std::uint64_t> size_hint,
           std::optional<Session> session);

    // Goes on at the last mark. upload_resume.cc.
    Awaitable<Result<void>> resume(UploadRow row);

    std::uint64_t offset() const noexcept { return received_; }
    Awaitable<Result<MutableByteView>> buffer();
    Awaitable<Result<void>> advance(std::size_t size);
    Awaitable<Result<std::uint64_t>> mark();
    // From now on what arrives can be read.
    Awaitable<Result<std::shared_ptr<FollowedBlob>>> follow();
    // upload_finish.cc
    Awaitable<Result<BlobInfo>> finish(Digest expected, Change change);
    Awaitable<Result<void>> cancel();

    // The handle is gone: falls back to the last mark.
    void end() noexcept;
    void set_in_call(bool in_call) noexcept { in_call_ = in_call; }

private:
    struct FinishRequest;

    bool may_be_inline() const noexcept;
    ByteView inline_bytes() const noexcept;
    Awaitable<Result<void>> enter_lane();
    void tell_follower();
    RecordHeader record_header() const noexcept;
    Awaitable<Result<void>> write_mark();
    Awaitable<Result<void>> commit_mark(MarkRecord mark, std::vector<std::byte> raw);

    // Of its session, if it has one; without one there are no marks to read.
    MarkReader mark_reader() const noexcept {
        return {*rooms_->log, queue_, rooms_->uploads, session_ ? session_->id : SessionId{}};
    }
    CloseRecord close_record(UploadOutcome outcome) const;
    Awaitable<Result<void>> commit_cancel();
    Awaitable<Result<Digest>> digest_in(DigestAlgorithm algorithm);
    Awaitable<Result<Digest>> rehash(DigestAlgorithm algorithm);
    Awaitable<Result<void>> write_trailer(const Digest& digest);
    Awaitable<Result<BlobInfo>> commit_blob(const Digest& digest, Change change);
    Awaitable<Result<void>> resume_inline(const UploadRow& row);
    Awaitable<Result<void>> resume_in_lane(const UploadRow& row);
    Awaitable<Result<void>> reopen_chunk(const UploadRow& row, ByteView tail);
    void release() noexcept;

    std::shared_ptr<LaneRooms> rooms_;
    IoQueue& queue_;
    const std::uint64_t uid_;
    const std::optional<std::uint64_t> size_hint_;
    const std::optional<Session> session_;
    Hasher hasher_;
    ChunkSums sums_;
    std::uint64_t received_ = 0;
    std::uint64_t marked_ = 0;
    bool any_mark_ = false;
    std::vector<MarkPart> parts_;  // chunk sums in the log, when in a lane
    std::optional<Buffer> first_;  // the bytes, while inline
    std::shared_ptr<RecordWriter> record_;
    std::shared_ptr<FollowedRecord> followed_;  // empty: nobody may read along
    bool marked_in_lane_ = false;
    ErrorCode failed_;
    bool committed_ = false;
    bool ended_ = false;
    bool in_call_ = false;
};

}  // namespace orbitalreg::cas
