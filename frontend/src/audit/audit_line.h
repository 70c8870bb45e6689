#pragma once
// A line of the audit log: how an event is written, and what the chain needs to know of it. docs/on-disk-format.md, "Audit log".

#include "frontend/audit.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace orbitalreg::frontend {

// Without the line break. 29 fields of 1 KiB, each byte six characters, take 178 KiB.
inline constexpr std::size_t kAuditLineSizeMax = 256_KiB;
inline constexpr std::size_t kAuditHashSize = 64;

// The members between the time and the chain, each with its comma.
std::string encode_audit_event(const AuditEvent& event);

struct SealedAuditLine {
    std::string text;  // with its line break
    std::string hash;
};
// The line that follows `before`.
SealedAuditLine seal_audit_line(const AuditHead& before, std::int64_t wall_ns,
                                std::string_view members);

// Of a line in which everything stands where it must. The views are into it.
struct AuditLineView {
    std::uint64_t seq = 0;
    std::string_view previous_hash;
    std::string_view hash;
    std::string_view hashed;  // what the hash is over, behind the hash before
};
// `line` without its line break. Nothing for what no server wrote; the hash is not looked at.
std::optional<AuditLineView> view_audit_line(std::string_view line) noexcept;
// `line.hash` is that of its own bytes and of the hash that it names as the one before.
bool has_right_hash(const AuditLineView& line);

// As much as a search wants to know of each line.
struct AuditLinePosition {
    std::uint64_t seq = 0;
    std::string_view time;
};
std::optional<AuditLinePosition> audit_line_position(std::string_view line) noexcept;

// 2026-01-31T12:00:00.000Z: of one length, in the order of time.
std::string audit_time_text(std::int64_t wall_ns);

}  // namespace orbitalreg::frontend
