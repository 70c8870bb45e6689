#pragma once
// UploadTable is what the frames say of upload sessions: the marks of open ones and how closed ones
// ended; and, beside it, which sessions have a writer just now.
//
// Life     apply() for each record; claim() before a session is written or closed, release()
//          afterwards.
// Memory   about 300 bytes an open session; tails, inline bytes and chunk sums stay in the log.
//          Closed ones: ClosedUploads.
// Threads  any; one lock, held for one look-up or one change.

#include "base/event.h"
#include "cas/walked_table.h"
#include "index/blob_table.h"
#include "lane/closed_uploads.h"
#include "lane/lane_records.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace orbitalreg::cas {

// Raw bytes of one mark, in the log. The checksum was made when the frame was applied.
struct MarkPart {
    std::uint32_t segment = 0;
    std::uint32_t size_bytes = 0;
    std::uint64_t offset = 0;  // in the segment, a multiple of 64
    std::uint64_t checksum = 0;
    std::uint64_t first =
        0;  // number of its first chunk sum; of an inline upload: of its first byte
    std::uint32_t sums = 0;  // 0 in an inline upload
};

// One part of a session's marks.
struct SessionPart {
    SessionId session{};
    std::uint64_t uid = 0;
    MarkPart part;
};

struct UploadRow {
    std::uint64_t uid = 0;
    std::uint64_t issued_store_time_s = 0;
    std::uint64_t last_store_time_ms = 0;
    std::vector<std::byte> owner;
    std::uint64_t offset = 0;
    std::uint32_t lane = 0;
    std::uint32_t base_page = 0;
    std::uint64_t aligned_bytes = 0;
    std::vector<std::byte> hash_state;
    std::uint64_t open_chunk_sum = 0;
    std::vector<MarkPart> parts;
    bool unusable = false;  // its lane does not bear out its mark
};

// A session is a row of its own for all but its parts, and one for each kPartsPerRow of these; docs/on-disk-format.md,
// "Rows of cas".
struct UploadRows {
    static constexpr std::size_t kPartsPerRow = 1024;
    using Key = std::pair<SessionId, std::uint32_t>;  // 0: all but the parts
    std::map<SessionId, UploadRow>& rows;
    SpaceTable& space;  // told of the parts that are loaded

    static std::uint32_t last_row(const UploadRow& row) noexcept {
        return static_cast<std::uint32_t>((row.parts.size() + kPartsPerRow - 1) / kPartsPerRow);
    }
    std::optional<Key> next(const std::optional<Key>& after) const;
    void encode(const Key& key, std::vector<std::byte>& row) const;
    Result<void> load(ByteView row) const;
    Result<void> loaded() const { return ok(); }
};

class UploadTable {
public:
    explicit UploadTable(BlobTable& blobs) noexcept : blobs_{blobs} {}

    // Sequencer. A mark of a closed session, or a second close, changes nothing.
    void apply(const FrameContext& frame, const AppliedRecord& record, const MarkRecord& mark);
    // `remember_s`: how long after its issue a session's close matters. True when the session was
    // open with marks.
    bool apply(const FrameContext& frame, const CloseRecord& close, std::uint64_t remember_s,
               std::uint32_t closed_max);

    // The bytes of one part are elsewhere; nothing when the session has no part there.
    void apply(const AppliedRecord& record, const MarkMoveRecord& move);

    // The parts that lie in `segments`, at most `count_max`, in order of session.
    std::vector<SessionPart> parts_in(const std::set<std::uint32_t>& segments,
                                      std::size_t count_max) const;
    // Where that part is now: compaction may have moved it. None once the session is closed.
    std::optional<MarkPart> part_now(const SessionId& session, const MarkPart& part) const;

    UploadStatus status(const SessionId& session) const;
    bool closed(const SessionId& session) const;
    std::optional<UploadRow> row(const SessionId& session) const;
    void set_unusable(const SessionId& session);

    // In the order in which they are loaded: open sessions, closed ones.
    std::vector<CheckpointTable*> checkpoint_tables() noexcept {
        return {&walked_, &closed_.checkpoint_table()};
    }

    std::uint64_t open_count() const;
    std::uint64_t closed_count() const;
    std::uint64_t forgotten() const;
    // Sessions whose last byte is older than `before_ms` in store time and that nobody writes; at
    // most `count_max`.
    std::vector<SessionId> expired(std::uint64_t before_ms, std::size_t count_max) const;
    void for_each(const std::function<void(const SessionId&, const UploadRow&)>& visit) const;

    // One writer a session. claim() fails with Errc::upload_busy; when that writer is gone and only
    // its I/O goes on, `draining` is set to what will be woken.
    Result<void> claim(const SessionId& session, std::shared_ptr<Event>& draining);
    void set_draining(const SessionId& session) noexcept;
    void release(const SessionId& session) noexcept;

private:
    struct Claim {
        std::shared_ptr<Event> released = std::make_shared<Event>();
        bool draining = false;
    };

    static MarkPart* part_at(UploadRow& row, const MarkMoveRecord& move) noexcept;
    void drop_parts(UploadRow& row);
    // The session is about to change, and may get another part.
    void before_change(const SessionId& session);

    BlobTable& blobs_;
    mutable std::mutex mutex_;
    std::map<SessionId, UploadRow> rows_;
    WalkedTable<UploadRows> walked_{kUploadTable, UploadRows{rows_, blobs_.space()}};
    ClosedUploads closed_;
    std::uint64_t forgotten_ = 0;
    std::map<SessionId, Claim> claims_;
};

}  // namespace orbitalreg::cas
