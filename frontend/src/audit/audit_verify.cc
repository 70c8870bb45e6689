#include "audit/audit_files.h"
#include "audit/audit_line.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>

namespace orbitalreg::frontend {
namespace {

std::string file_name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::string range_text(std::uint64_t first, std::uint64_t last) {
    if (first == last) return "line with seq " + std::to_string(first);
    return "lines with seq " + std::to_string(first) + " to " + std::to_string(last);
}

// AuditVerifier follows the chain through the files it is given, up to the first break.
class AuditVerifier {
public:
    explicit AuditVerifier(const std::optional<AuditHead>& expected) : expected_{expected} {}

    bool broken() const noexcept { return found_.first_break.has_value(); }
    Result<void> verify_file(const std::string& path);
    // `all`: the files are all there are, and `live`: a server may be about to write a line.
    AuditVerification finish(bool all, bool live);

private:
    void verify_line(std::string_view line);
    void follow(const AuditLineView& line);
    void begin_with(const AuditLineView& line);
    void break_at(std::uint64_t line, std::string what) {
        if (!broken()) found_.first_break = AuditBreak{file_, line, std::move(what)};
    }
    void break_here(std::string what) { break_at(line_, std::move(what)); }

    const std::optional<AuditHead> expected_;
    AuditVerification found_;
    std::string first_file_;
    std::string file_;
    std::uint64_t line_ = 0;   // in the file
    std::string removal_seq_;  // how an event would name what is missing before the first line
    std::string removal_hash_;
    bool beginning_explained_ = true;
    std::uint64_t unfinished_bytes_ = 0;
};

void AuditVerifier::begin_with(const AuditLineView& line) {
    found_.first_seq = line.seq;
    found_.head = {line.seq - 1, std::string{line.previous_hash}};
    if (line.seq == 1 && found_.head != AuditHead{})
        break_here("the first line names a line before it");
    if (line.seq == 1) return;
    beginning_explained_ = false;
    removal_seq_ = "\"last_seq\":\"" + std::to_string(line.seq - 1) + '"';
    removal_hash_ = "\"last_hash\":\"" + found_.head.hash + '"';
    if (expected_ && expected_->seq == found_.head.seq && expected_->hash != found_.head.hash)
        break_here("does not follow the line that was expected before it");
}

void AuditVerifier::follow(const AuditLineView& line) {
    const std::uint64_t next = found_.head.seq + 1;
    if (line.seq > next) {
        break_here(range_text(next, line.seq - 1) + " missing before this line");
    } else if (line.seq < next) {
        break_here("the line with seq " + std::to_string(line.seq) +
                   " stands behind the one with seq " + std::to_string(next - 1) +
                   ": inserted or moved");
    } else if (line.previous_hash != found_.head.hash) {
        break_here("does not follow from the line before: one of the two was replaced");
    }
}

void AuditVerifier::verify_line(std::string_view text) {
    ++line_;
    const auto line = view_audit_line(text);
    if (!line) return break_here("is no line of an audit log");
    if (!has_right_hash(*line)) return break_here("was changed: its hash is not that of its bytes");
    if (line_ == 1 && parse_audit_file_name(file_).value_or(line->seq) != line->seq)
        break_here("begins with seq " + std::to_string(line->seq) + ", which its name denies");
    if (found_.lines == 0) begin_with(*line);
    follow(*line);
    if (expected_ && expected_->seq == line->seq && expected_->hash != line->hash)
        break_here("is not the line that was expected there");
    if (broken()) return;
    if (!beginning_explained_ && audit_field(text, "action") == "audit.removed" &&
        text.find(removal_seq_) != text.npos && text.find(removal_hash_) != text.npos) {
        beginning_explained_ = true;
    }
    found_.head = {line->seq, std::string{line->hash}};
    ++found_.lines;
    found_.bytes += text.size() + 1;
}

Result<void> AuditVerifier::verify_file(const std::string& path) {
    ORB_TRY(const auto fd, open_audit_file(path));
    ORB_TRY(const std::uint64_t size, file_size_bytes(fd.get()));
    if (unfinished_bytes_ > 0) break_at(line_ + 1, "has no end, and another file follows");
    if (broken()) return ok();
    file_ = file_name_of(path);
    if (first_file_.empty()) first_file_ = file_;
    line_ = 0;
    ++found_.files;
    std::uint64_t begin = 0;
    while (begin < size && !broken()) {
        ORB_TRY(const auto window, AuditWindow::at_begin(fd.get(), begin, size));
        for (const auto line : window.lines()) {
            verify_line(line);
            if (broken()) return ok();
        }
        if (window.skipped() && size - begin > kAuditLineSizeMax) {
            break_at(line_ + 1, "is longer than a line can be");
        } else if (window.skipped()) {
            unfinished_bytes_ = size - begin;
        }
        begin = window.end();
    }
    return ok();
}

AuditVerification AuditVerifier::finish(bool all, bool live) {
    if (unfinished_bytes_ > 0 && !live) break_at(line_ + 1, "has no end: half a line");
    if (!broken()) found_.unfinished_bytes = unfinished_bytes_;
    if (!broken() && expected_ && expected_->seq > found_.head.seq) {
        break_at(line_, "the end is cut off: seq " + std::to_string(found_.head.seq) +
                            " is the last, and there was " + std::to_string(expected_->seq));
    }
    if (!broken() && all && !beginning_explained_) {
        found_.first_break = AuditBreak{first_file_, 1,
                                        "the beginning is missing, up to seq " +
                                            std::to_string(found_.first_seq - 1) +
                                            ", and no event says that it was removed"};
    }
    return std::move(found_);
}

// A lock is taken for no longer than it takes to see whether a server has it.
bool is_in_use(const std::string& directory) {
    const UniqueFd fd{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    return fd && ::flock(fd.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

}  // namespace

Result<AuditVerification> verify_audit(const std::string& directory,
                                       const std::optional<AuditHead>& expected) {
    ORB_TRY(const auto files, list_audit_files(directory));
    AuditVerifier verifier{expected};
    bool begun = false;
    for (const auto& file : files) {
        const auto verified = verifier.verify_file(file.path);
        // The oldest may be removed by a server between the list and here.
        if (!verified && !begun &&
            verified.error() == boost::system::errc::no_such_file_or_directory)
            continue;
        ORB_TRY(verified);
        begun = true;
        if (verifier.broken()) break;
    }
    return verifier.finish(true, is_in_use(directory));
}

Result<AuditVerification> verify_audit_files(std::vector<std::string> files,
                                             const std::optional<AuditHead>& expected) {
    std::sort(files.begin(), files.end(),
              [](const auto& a, const auto& b) { return file_name_of(a) < file_name_of(b); });
    AuditVerifier verifier{expected};
    for (const auto& file : files) {
        ORB_TRY(verifier.verify_file(file));
        if (verifier.broken()) break;
    }
    return verifier.finish(false, false);
}

}  // namespace orbitalreg::frontend
