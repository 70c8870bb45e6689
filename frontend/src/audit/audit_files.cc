#include "audit/audit_files.h"

#include "base/errors.h"
#include "http/ascii.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

namespace orbitalreg::frontend {
namespace {

constexpr std::string_view kNameBegin = "audit-";
constexpr std::string_view kNameEnd = ".jsonl";
constexpr std::size_t kNameDigits = 20;

struct DirectoryCloser {
    void operator()(DIR* directory) const noexcept { ::closedir(directory); }
};

// Up to `text.size()` bytes; fewer where the file ends before.
Result<void> read_at(int fd, std::uint64_t offset, std::vector<char>& text) {
    std::size_t done = 0;
    while (done < text.size()) {
        const auto n =
            ::pread(fd, text.data() + done, text.size() - done, static_cast<off_t>(offset + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail(errno_code(errno));
        if (n == 0) break;
        done += static_cast<std::size_t>(n);
    }
    text.resize(done);
    return ok();
}

std::string_view view(const std::vector<char>& text) noexcept { return {text.data(), text.size()}; }

}  // namespace

std::string audit_file_name(std::uint64_t first_seq) {
    std::array<char, 48> name{};
    const int size = std::snprintf(name.data(), name.size(), "audit-%020llu.jsonl",
                                   static_cast<unsigned long long>(first_seq));
    return {name.data(), static_cast<std::size_t>(size)};
}

std::optional<std::uint64_t> parse_audit_file_name(std::string_view name) noexcept {
    if (name.size() != kNameBegin.size() + kNameDigits + kNameEnd.size()) return std::nullopt;
    if (!name.starts_with(kNameBegin) || !name.ends_with(kNameEnd)) return std::nullopt;
    return parse_decimal(name.substr(kNameBegin.size(), kNameDigits));
}

Result<std::vector<AuditFilePath>> list_audit_files(const std::string& directory) {
    const std::unique_ptr<DIR, DirectoryCloser> open{::opendir(directory.c_str())};
    if (!open) return fail(errno_code(errno));
    std::vector<AuditFilePath> files;
    errno = 0;
    while (const dirent* entry = ::readdir(open.get())) {
        if (const auto seq = parse_audit_file_name(entry->d_name))
            files.push_back({*seq, directory + '/' + entry->d_name});
        errno = 0;
    }
    if (errno != 0) return fail(errno_code(errno));
    std::sort(files.begin(), files.end(),
              [](const auto& a, const auto& b) { return a.first_seq < b.first_seq; });
    return files;
}

Result<UniqueFd> open_audit_file(const std::string& path) {
    UniqueFd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
    if (!fd) return fail(errno_code(errno));
    return fd;
}

Result<std::uint64_t> file_size_bytes(int fd) {
    struct stat found {};
    if (::fstat(fd, &found) != 0) return fail(errno_code(errno));
    return static_cast<std::uint64_t>(found.st_size);
}

Result<AuditWindow> AuditWindow::at_begin(int fd, std::uint64_t begin, std::uint64_t end) {
    AuditWindow window;
    window.text_.resize(std::min<std::uint64_t>(kSize, end - begin));
    ORB_TRY(read_at(fd, begin, window.text_));
    const auto text = view(window.text_);
    const std::size_t whole = text.rfind('\n') + 1;  // 0: none
    window.begin_ = window.text_begin_ = begin;
    window.skipped_ = whole == 0;
    window.end_ = text.empty() ? end : begin + (whole == 0 ? text.size() : whole);
    window.split(text.substr(0, whole));
    return window;
}

Result<AuditWindow> AuditWindow::at_end(int fd, std::uint64_t begin, std::uint64_t end) {
    AuditWindow window;
    const std::uint64_t from = end - std::min<std::uint64_t>(kSize, end - begin);
    window.text_.resize(end - from);
    ORB_TRY(read_at(fd, from, window.text_));
    const auto text = view(window.text_);
    const std::size_t whole_end = text.rfind('\n') + 1;
    // The first line may have begun before the window.
    const std::size_t whole_begin = from == begin ? 0 : text.find('\n') + 1;
    window.text_begin_ = window.begin_ = from;
    window.end_ = end;
    window.skipped_ = whole_end < text.size();
    if (whole_end > whole_begin) {
        window.begin_ = from + whole_begin;
        window.split(text.substr(whole_begin, whole_end - whole_begin));
    }
    return window;
}

void AuditWindow::split(std::string_view whole_lines) {
    while (!whole_lines.empty()) {
        const auto line_break = whole_lines.find('\n');
        lines_.push_back(whole_lines.substr(0, line_break));
        whole_lines.remove_prefix(line_break + 1);
    }
}

}  // namespace orbitalreg::frontend
