#include "audit/audit_files.h"
#include "audit/audit_line.h"
#include "http/json_text.h"

#include <algorithm>
#include <cerrno>
#include <limits>

namespace orbitalreg::frontend {
namespace {

constexpr std::uint64_t kScannedBytesMax = 64_MiB;
constexpr std::int64_t kClockSlackMs = 3'600'000;
constexpr std::int64_t kNsPerMs = 1'000'000;
constexpr std::uint64_t kNoBound = std::numeric_limits<std::uint64_t>::max();

bool is_printable(std::string_view line) noexcept {
    return std::all_of(line.begin(), line.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

std::string needle(std::string_view name, std::string_view value, std::string_view end) {
    std::string text = ",\"" + std::string{name} + "\":\"";
    append_json_ascii(text, value, AuditEvent::kFieldSizeMax);
    return text.append(end);
}

std::string time_text(std::int64_t ms) {
    constexpr std::int64_t kMsMax = std::numeric_limits<std::int64_t>::max() / kNsPerMs;
    return audit_time_text(std::clamp<std::int64_t>(ms, 0, kMsMax) * kNsPerMs);
}

// What AuditFilter asks of a line, as texts that a line must hold: values are compared as they are written.
class AuditMatcher {
public:
    explicit AuditMatcher(const AuditFilter& filter) {
        if (!filter.principal.empty())
            needles_.push_back(needle("principal", filter.principal, "\""));
        if (!filter.action.empty()) needles_.push_back(needle("action", filter.action, ""));
        if (!filter.address.empty()) needles_.push_back(needle("address", filter.address, "\""));
        if (!filter.object.empty()) {
            const bool prefix = filter.object.ends_with('/');
            needles_.push_back(needle("object", filter.object, prefix ? "" : "\""));
        }
        if (filter.granted)
            needles_.emplace_back(*filter.granted ? ",\"granted\":true" : ",\"granted\":false");
        after_seq_ = filter.after_seq;
        before_seq_ = filter.before_seq == 0 ? kNoBound : filter.before_seq;
        if (filter.since_ms) {
            since_ = time_text(*filter.since_ms);
            surely_before_ = time_text(*filter.since_ms - kClockSlackMs);
        }
        if (filter.until_ms) {
            until_ = time_text(*filter.until_ms);
            surely_after_ = time_text(*filter.until_ms + kClockSlackMs);
        }
    }

    // No line before it holds, or no line after it.
    bool too_early(const AuditLinePosition& at) const noexcept {
        return at.seq <= after_seq_ || at.time < surely_before_;
    }
    bool too_late(const AuditLinePosition& at) const noexcept {
        return at.seq >= before_seq_ || (!surely_after_.empty() && at.time >= surely_after_);
    }
    bool matches(std::string_view line, const AuditLinePosition& at) const {
        if (at.time < since_ || (!until_.empty() && at.time >= until_)) return false;
        // Names within `more` are whatever an event brought.
        const auto own = line.substr(0, line.find(R"(,"more":{)"));
        return std::all_of(needles_.begin(), needles_.end(),
                           [own](const auto& text) { return own.find(text) != own.npos; }) &&
               is_printable(line);
    }
    std::uint64_t before_seq() const noexcept { return before_seq_; }
    std::uint64_t after_seq() const noexcept { return after_seq_; }

private:
    std::vector<std::string> needles_;
    std::uint64_t after_seq_ = 0;
    std::uint64_t before_seq_ = kNoBound;
    std::string since_;
    std::string until_;
    std::string surely_before_;
    std::string surely_after_;
};

// Part of a file, from the begin of a line.
struct Range {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
};

// Narrows `range` to where `later` turns from false to true, which it does once: a window or two. Lines that say nothing
// end the search early.
template <class Later>
Result<Range> find_turn(int fd, Range range, Later later) {
    while (range.end - range.begin > 2 * AuditWindow::kSize) {
        const std::uint64_t middle = range.begin + (range.end - range.begin) / 2;
        // From the middle of a line: the first is dropped.
        ORB_TRY(const auto window, AuditWindow::at_begin(fd, middle, range.end));
        std::optional<AuditLinePosition> position;
        std::uint64_t offset = 0;
        for (std::size_t i = 1; i < window.lines().size() && !position; ++i) {
            position = audit_line_position(window.lines()[i]);
            offset = window.offset_of(window.lines()[i]);
        }
        if (!position) break;
        (later(*position) ? range.end : range.begin) = offset;
    }
    return range;
}

// AuditSearch fills a page.
class AuditSearch {
public:
    explicit AuditSearch(const AuditFilter& filter)
        : matcher_{filter},
          oldest_first_{filter.oldest_first},
          limit_{std::clamp<std::size_t>(filter.limit, 1, AuditFilter::kLimitMax)} {}

    Result<AuditPage> run(const std::vector<AuditFilePath>& files) {
        if (oldest_first_) {
            for (std::size_t i = 0; i < files.size() && !done_; ++i) {
                const bool next_is_too_early =
                    i + 1 < files.size() && files[i + 1].first_seq <= matcher_.after_seq() + 1;
                if (next_is_too_early) continue;
                ORB_TRY(scan_file(files[i].path));
            }
        } else {
            for (std::size_t i = files.size(); i-- > 0 && !done_;) {
                if (files[i].first_seq >= matcher_.before_seq()) continue;
                ORB_TRY(scan_file(files[i].path));
            }
        }
        return std::move(page_);
    }

private:
    Result<void> scan_file(const std::string& path) {
        auto opened = open_audit_file(path);
        if (!opened && opened.error() == boost::system::errc::no_such_file_or_directory)
            return ok();  // removed since it was listed
        ORB_TRY(const auto fd, std::move(opened));
        ORB_TRY(const std::uint64_t size, file_size_bytes(fd.get()));
        return oldest_first_ ? scan_forward(fd.get(), {0, size})
                             : scan_backward(fd.get(), {0, size});
    }

    Result<void> scan_forward(int fd, Range range) {
        ORB_TRY(const auto turn, find_turn(fd, range, [this](const AuditLinePosition& at) {
                    return !matcher_.too_early(at);
                }));
        range.begin = turn.begin;
        while (range.begin < range.end && !done_) {
            ORB_TRY(const auto window, AuditWindow::at_begin(fd, range.begin, range.end));
            for (const auto line : window.lines()) {
                look_at(line);
                if (done_) break;
            }
            range.begin = window.end();
            count(window);
        }
        return ok();
    }

    Result<void> scan_backward(int fd, Range range) {
        ORB_TRY(const auto turn, find_turn(fd, range, [this](const AuditLinePosition& at) {
                    return matcher_.too_late(at);
                }));
        range.end = turn.end;
        while (range.begin < range.end && !done_) {
            ORB_TRY(const auto window, AuditWindow::at_end(fd, range.begin, range.end));
            const auto& lines = window.lines();
            for (auto line = lines.rbegin(); line != lines.rend() && !done_; ++line) look_at(*line);
            range.end = window.begin();
            count(window);
        }
        return ok();
    }

    void look_at(std::string_view line) {
        const auto at = audit_line_position(line);
        if (!at) return;
        if (oldest_first_ ? matcher_.too_late(*at) : matcher_.too_early(*at)) {
            done_ = true;
        } else if (!matcher_.too_early(*at) && !matcher_.too_late(*at)) {
            last_seq_ = at->seq;
            if (matcher_.matches(line, *at)) page_.lines.emplace_back(line);
            if (page_.lines.size() >= limit_) stop_here();
        }
    }

    void count(const AuditWindow& window) {
        scanned_bytes_ += window.end() - window.begin();
        if (!done_ && scanned_bytes_ >= kScannedBytesMax && last_seq_) stop_here();
    }

    void stop_here() {
        done_ = true;
        page_.cursor = last_seq_;
    }

    const AuditMatcher matcher_;
    const bool oldest_first_;
    const std::size_t limit_;
    AuditPage page_;
    std::optional<std::uint64_t> last_seq_;
    std::uint64_t scanned_bytes_ = 0;
    bool done_ = false;
};

}  // namespace

Result<AuditPage> read_audit(const std::string& directory, const AuditFilter& filter) {
    ORB_TRY(const auto files, list_audit_files(directory));
    return AuditSearch{filter}.run(files);
}

}  // namespace orbitalreg::frontend
