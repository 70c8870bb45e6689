#pragma once
// The bodies of the records that this room writes, as structs. What a record from disk says is
// checked by verify_lane_record() once; decode_* are for records that passed it.

#include "cas/store.h"
#include "lane/lanes.h"
#include "log/group.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace orbitalreg::cas {

struct MarkRecord {
    SessionId session{};
    std::uint64_t issued_store_time_s = 0;
    ByteView owner;
    std::uint64_t offset = 0;
    std::uint32_t lane = 0;  // 0: inline
    std::uint32_t base_page = 0;
    std::uint64_t aligned_bytes = 0;
    ByteView hash_state;
    std::uint64_t first_sum = 0;
    std::uint64_t open_chunk_sum = 0;
};

struct MarkMoveRecord {  // MarkRelocate
    SessionId session{};
    std::uint32_t from_segment = 0;
    std::uint32_t from_position = 0;  // offset / 64
};

enum class UploadOutcome : std::uint8_t { none = 0, finished = 1, cancelled = 2 };

struct CloseRecord {
    SessionId session{};
    UploadOutcome outcome = UploadOutcome::none;
    std::optional<Digest> digest;
    std::uint64_t issued_store_time_s = 0;
    std::uint32_t lane = 0;
    std::uint32_t end_page = 0;
};

struct LaneStateRecord {
    std::uint32_t lane = 0;
    LanePhase phase = LanePhase::none;
    std::uint32_t frontier_page = 0;
    std::uint32_t last_base_page = 0;
};

enum class IdKind : std::uint8_t { none = 0, uid = 1, lane = 2 };

struct IdBlockRecord {
    IdKind kind = IdKind::none;
    std::uint64_t first = 0;
    std::uint64_t count = 0;
};

struct LaneCommit {  // of a BlobCommit in a lane; lane 0: inline
    std::uint32_t lane = 0;
    std::uint32_t base_page = 0;
    std::uint32_t pages = 0;
};

GroupRecord encode_record(const MarkRecord& mark, std::uint64_t uid, std::vector<std::byte> raw);
GroupRecord encode_record(const MarkMoveRecord& move, std::uint64_t uid,
                          std::vector<std::byte> raw);
GroupRecord encode_record(const CloseRecord& close, std::uint64_t uid);
GroupRecord encode_record(const LaneStateRecord& state);
GroupRecord encode_record(const IdBlockRecord& block);

Result<void> verify_lane_record(const AppliedRecord& record) noexcept;

MarkRecord decode_mark(ByteView body) noexcept;  // views into `body`
MarkMoveRecord decode_mark_move(ByteView body) noexcept;
CloseRecord decode_close(ByteView body) noexcept;
LaneStateRecord decode_lane_state(ByteView body) noexcept;
IdBlockRecord decode_id_block(ByteView body) noexcept;
LaneCommit decode_lane_commit(ByteView body) noexcept;

// The keys of admission: exclusive for whoever changes the session or brings the digest.
std::uint64_t session_key(const SessionId& session) noexcept;

}  // namespace orbitalreg::cas
