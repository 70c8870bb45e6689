#pragma once
// The files of an audit log, and the lines in them, a window at a time.

#include "base/result.h"
#include "base/unique_fd.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orbitalreg::frontend {

struct AuditFilePath {
    std::uint64_t first_seq = 0;
    std::string path;
};

// audit-<first seq, 20 digits>.jsonl
std::string audit_file_name(std::uint64_t first_seq);
std::optional<std::uint64_t> parse_audit_file_name(std::string_view name) noexcept;
// Oldest first. Files of other names are nobody's business.
Result<std::vector<AuditFilePath>> list_audit_files(const std::string& directory);

Result<UniqueFd> open_audit_file(const std::string& path);
Result<std::uint64_t> file_size_bytes(int fd);

// Lines are whole, without their line breaks.
//
// Limits  kSize bytes in memory. A line that does not fit into a window is none of ours: its pieces are skipped.
class AuditWindow {
public:
    static constexpr std::size_t kSize = 512 << 10;

    // The first lines of [begin, end), `begin` being the begin of a line.
    static Result<AuditWindow> at_begin(int fd, std::uint64_t begin, std::uint64_t end);
    // The last lines of [begin, end); what follows the last line break is skipped.
    static Result<AuditWindow> at_end(int fd, std::uint64_t begin, std::uint64_t end);

    AuditWindow(AuditWindow&&) = default;
    AuditWindow& operator=(AuditWindow&&) = default;

    const std::vector<std::string_view>& lines() const noexcept { return lines_; }
    std::uint64_t offset_of(std::string_view line) const noexcept {
        return text_begin_ + static_cast<std::uint64_t>(line.data() - text_.data());
    }
    // What was looked at, skipped pieces included: where the next window ends or begins.
    std::uint64_t begin() const noexcept { return begin_; }
    std::uint64_t end() const noexcept { return end_; }
    // Bytes of it that belong to no line.
    bool skipped() const noexcept { return skipped_; }

private:
    AuditWindow() = default;
    void split(std::string_view whole_lines);

    std::vector<char> text_;  // on the heap: the views stay valid when the window moves
    std::vector<std::string_view> lines_;
    std::uint64_t text_begin_ = 0;
    std::uint64_t begin_ = 0;
    std::uint64_t end_ = 0;
    bool skipped_ = false;
};

}  // namespace orbitalreg::frontend
