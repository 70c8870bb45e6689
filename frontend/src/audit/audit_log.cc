#include "audit/audit_files.h"
#include "audit/audit_line.h"
#include "base/errors.h"
#include "base/hasher.h"
#include "frontend/audit.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace orbitalreg::frontend {
namespace {

constexpr mode_t kDirectoryMode = 0700;
constexpr mode_t kFileMode = 0600;
constexpr std::size_t kCutBytesHashed = 1_MiB;

ErrorCode last_error() noexcept { return errno_code(errno); }

// Its parents are made with the rights that the process gives to everything.
Result<UniqueFd> open_directory(const std::string& path) {
    std::error_code ignored;  // mkdir() says what is wrong
    std::filesystem::create_directories(std::filesystem::path{path}.parent_path(), ignored);
    if (::mkdir(path.c_str(), kDirectoryMode) != 0 && errno != EEXIST) return fail(last_error());
    UniqueFd fd{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!fd) return fail(last_error());
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return fail(last_error());
    return fd;
}

// How a file ends.
struct AuditEnd {
    std::optional<AuditHead> head;      // of its last sound line
    std::uint64_t whole_bytes = 0;      // up to the last line break
    std::uint64_t half_line_bytes = 0;  // behind it
    bool damaged = false;               // whole lines follow `head` that are none
};

Result<AuditEnd> end_of(int fd) {
    ORB_TRY(const std::uint64_t size, file_size_bytes(fd));
    AuditEnd found;
    std::uint64_t end = size;
    bool first = true;
    while (end > 0 && !found.head) {
        ORB_TRY(const auto window, AuditWindow::at_end(fd, 0, end));
        const auto& lines = window.lines();
        if (first && !lines.empty()) {
            first = false;
            found.whole_bytes = window.offset_of(lines.back()) + lines.back().size() + 1;
        }
        for (auto line = lines.rbegin(); line != lines.rend() && !found.head; ++line) {
            const auto seen = view_audit_line(*line);
            if (seen && has_right_hash(*seen)) {
                found.head = AuditHead{seen->seq, std::string{seen->hash}};
            } else {
                found.damaged = true;
            }
        }
        end = window.begin();
    }
    found.half_line_bytes = size - found.whole_bytes;
    return found;
}

AuditEvent note(std::string_view action, std::string reason,
                std::vector<std::pair<std::string, std::string>> more) {
    AuditEvent event;
    event.action = action;
    event.granted = true;
    event.reason = std::move(reason);
    event.more = std::move(more);
    return event;
}

// What is cut off from `from` on is nobody's acknowledged line; its digest may tell a later reader what it was.
Result<AuditEvent> cut_half_line(int fd, const std::string& name, const AuditEnd& end) {
    std::vector<std::byte> bytes(std::min<std::uint64_t>(end.half_line_bytes, kCutBytesHashed));
    const auto n = ::pread(fd, bytes.data(), bytes.size(), static_cast<off_t>(end.whole_bytes));
    if (n < 0) return fail(last_error());
    const auto digest =
        Digest::of(DigestAlgorithm::sha256, ByteView{bytes}.first(static_cast<std::size_t>(n)));
    if (::ftruncate(fd, static_cast<off_t>(end.whole_bytes)) != 0) return fail(last_error());
    return note("audit.recovered", "a half line at the end was cut off",
                {{"file", name},
                 {"offset", std::to_string(end.whole_bytes)},
                 {"bytes", std::to_string(end.half_line_bytes)},
                 {"sha256", digest.hex()}});
}

}  // namespace

AuditLog::AuditLog(std::string directory, const AuditOptions& options, Clock& clock, Log& log,
                   Metrics& metrics)
    : directory_{std::move(directory)},
      options_{options},
      clock_{clock},
      log_{log},
      granted_total_{metrics.counter("audit_events_total", "Events written to the audit log.",
                                     {{"result", "granted"}})},
      refused_total_{metrics.counter("audit_events_total", "Events written to the audit log.",
                                     {{"result", "refused"}})},
      errors_total_{metrics.counter("audit_errors_total",
                                    "Events that could not be written, and syncs that failed.")},
      bytes_{metrics.gauge("audit_bytes", "Bytes of the audit log's files.")} {}

Result<std::unique_ptr<AuditLog>> AuditLog::open(std::string directory, const AuditOptions& options,
                                                 Clock& clock, Log& log, Metrics& metrics) {
    std::unique_ptr<AuditLog> opened{
        new AuditLog{std::move(directory), options, clock, log, metrics}};
    const auto continued = opened->continue_files();
    if (!continued) {
        log.error("the audit log cannot be opened",
                  {{"directory", opened->directory_}, {"error", continued.error().message()}});
        return fail(continued.error());
    }
    opened->syncing_ = std::thread{&AuditLog::sync_loop, opened.get()};
    return opened;
}

bool AuditLog::OpenFile::sync() {
    const std::lock_guard lock{syncing};
    if (!sync_failed && ::fdatasync(fd.get()) != 0) sync_failed = true;
    return !sync_failed;
}

AuditLog::~AuditLog() { stop(); }

std::string AuditLog::path_of(std::uint64_t first_seq) const {
    return directory_ + '/' + audit_file_name(first_seq);
}

// The chain goes on behind the last sound line, in the newest file; nothing but a half line is ever taken away.
Result<void> AuditLog::continue_files() {
    ORB_TRY(directory_fd_, open_directory(directory_));
    ORB_TRY(const auto paths, list_audit_files(directory_));
    bytes_.set(0);
    if (paths.empty()) return begin_file();
    for (const auto& [first_seq, path] : paths) {
        ORB_TRY(const auto fd, open_audit_file(path));
        ORB_TRY(const std::uint64_t size, file_size_bytes(fd.get()));
        files_.push_back({first_seq, size});
        bytes_.add(static_cast<std::int64_t>(size));
    }
    const auto& newest = paths.back();
    UniqueFd fd{::open(newest.path.c_str(), O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW)};
    if (!fd) return fail(last_error());
    ORB_TRY(auto end, end_of(fd.get()));
    bool damaged = end.damaged;
    if (end.half_line_bytes > 0) {
        ORB_TRY(auto event, cut_half_line(fd.get(), audit_file_name(newest.first_seq), end));
        notes_.push_back(std::move(event));
        bytes_.add(-static_cast<std::int64_t>(end.half_line_bytes));
        files_.back().size_bytes = end.whole_bytes;
    }
    for (std::size_t i = paths.size() - 1; i-- > 0 && !end.head;) {
        ORB_TRY(const auto older, open_audit_file(paths[i].path));
        ORB_TRY(end, end_of(older.get()));
        damaged = damaged || end.damaged || end.half_line_bytes > 0;
    }
    head_ = end.head.value_or(AuditHead{newest.first_seq - 1, AuditHead{}.hash});
    if (damaged) {
        notes_.push_back(note("audit.recovered", "lines at the end are damaged",
                              {{"last_sound_seq", std::to_string(head_.seq)}}));
    }
    file_ = std::make_shared<OpenFile>();
    file_->fd = std::move(fd);
    ORB_TRY(sync_now());
    old_files_ = true;
    if (!notes_.empty()) {
        log_.warn("the audit log did not end as it should",
                  {{"file", newest.path}, {"what", notes_.front().reason}});
    }
    while (!notes_.empty()) {
        // Where there is no space now, it is written before the next event.
        if (const auto written = write_line(notes_.front()); !written) {
            note_result(written);
            break;
        }
        notes_.erase(notes_.begin());
    }
    remove_old_files();
    return ok();
}

// The old file is on stable storage before a line of the new one can be: a crash never leaves a gap between them.
Result<void> AuditLog::begin_file() {
    if (file_ && !given_up_) {
        ORB_TRY(sync_now());
    }
    const std::uint64_t first_seq = head_.seq + 1;
    UniqueFd fd{::open(path_of(first_seq).c_str(),
                       O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kFileMode)};
    if (!fd) return fail(last_error());
    ORB_TRY(const std::uint64_t size, file_size_bytes(fd.get()));
    if (size != 0) return fail(errno_code(EEXIST));
    if (::fsync(directory_fd_.get()) != 0) return fail(last_error());
    file_ = std::make_shared<OpenFile>();
    file_->fd = std::move(fd);
    files_.push_back({first_seq, 0});
    old_files_ = true;
    given_up_ = false;
    return ok();
}

Result<void> AuditLog::sync_now() {
    if (!file_->sync()) {
        give_up_file();
        return fail(errno_code(EIO));
    }
    synced_seq_ = settled_seq_ = head_.seq;
    settled_.notify_all();
    return ok();
}

// After a sync that failed: what the kernel still held may be gone, and a second sync would not say so.
void AuditLog::give_up_file() {
    ++sync_failures_;
    settled_seq_ = head_.seq;
    settled_.notify_all();
    errors_total_.add();
    if (given_up_) return;
    given_up_ = true;
    notes_.push_back(note(
        "audit.unsynced", "a sync failed: these lines may be lost in a crash",
        {{"first_seq", std::to_string(synced_seq_ + 1)}, {"last_seq", std::to_string(head_.seq)}}));
    failed_.store(true, std::memory_order_release);
    log_.error("a sync of the audit log failed; a new file is begun with the next event",
               {{"file", path_of(files_.back().first_seq)}, {"last_synced_seq", synced_seq_}});
}

Result<void> AuditLog::take_back_half_line() {
    if (!half_line_at_) return ok();
    if (::ftruncate(file_->fd.get(), static_cast<off_t>(*half_line_at_)) != 0)
        return fail(last_error());
    half_line_at_.reset();
    return ok();
}

Result<void> AuditLog::write_line(const AuditEvent& event) {
    ORB_TRY(take_back_half_line());
    const auto line = seal_audit_line(head_, clock_.wall_ns(), encode_audit_event(event));
    const std::uint64_t size = files_.back().size_bytes;
    if (given_up_ || (size > 0 && size + line.text.size() > options_.rotate_bytes)) {
        ORB_TRY(begin_file());
    }
    ssize_t written = 0;
    do {
        written = ::write(file_->fd.get(), line.text.data(), line.text.size());
    } while (written < 0 && errno == EINTR);
    if (written != static_cast<ssize_t>(line.text.size())) {
        const auto error = written < 0 ? last_error() : errno_code(ENOSPC);
        if (written > 0) {
            half_line_at_ = files_.back().size_bytes;
            static_cast<void>(take_back_half_line());  // else before the next line
        }
        return fail(error);
    }
    head_ = {head_.seq + 1, line.hash};
    files_.back().size_bytes += line.text.size();
    bytes_.add(static_cast<std::int64_t>(line.text.size()));
    (event.granted ? granted_total_ : refused_total_).add();
    return ok();
}

Result<void> AuditLog::write_event(const AuditEvent& event) {
    if (stopped_) return fail(errno_code(ECANCELED));
    while (!notes_.empty()) {
        ORB_TRY(write_line(notes_.front()));
        notes_.erase(notes_.begin());
    }
    return write_line(event);
}

// Said first, durably, and done then: a beginning that is missing without a word is a break.
Result<void> AuditLog::remove_oldest_file() {
    const File oldest = files_.front();
    const std::uint64_t last_seq = files_[1].first_seq - 1;
    ORB_TRY(const auto next, open_audit_file(path_of(files_[1].first_seq)));
    ORB_TRY(const std::uint64_t next_size, file_size_bytes(next.get()));
    ORB_TRY(const auto window, AuditWindow::at_begin(next.get(), 0, next_size));
    const auto line = window.lines().empty() ? std::nullopt : view_audit_line(window.lines()[0]);
    if (!line) return fail(errno_code(EBADMSG));
    ORB_TRY(write_line(note("audit.removed", "audit.files_max",
                            {{"file", audit_file_name(oldest.first_seq)},
                             {"last_seq", std::to_string(last_seq)},
                             {"last_hash", std::string{line->previous_hash}}})));
    ORB_TRY(sync_now());
    if (::unlink(path_of(oldest.first_seq).c_str()) != 0 && errno != ENOENT)
        return fail(last_error());
    files_.erase(files_.begin());
    bytes_.add(-static_cast<std::int64_t>(oldest.size_bytes));
    return ok();
}

// Where it fails, the next new file brings the next try.
void AuditLog::remove_old_files() {
    if (!std::exchange(old_files_, false) || options_.files_max == 0) return;
    // The event that says so may itself begin a file: no more are removed than were too many before.
    for (std::size_t left =
             files_.size() - std::min<std::size_t>(files_.size(), options_.files_max);
         left > 0; --left) {
        if (const auto removed = remove_oldest_file(); !removed) {
            log_.warn("an old file of the audit log cannot be removed",
                      {{"file", path_of(files_.front().first_seq)},
                       {"error", removed.error().message()}});
            return;
        }
    }
}

void AuditLog::note_result(const Result<void>& result) {
    const bool failed_before = failed_.exchange(!result, std::memory_order_acq_rel);
    if (!result) errors_total_.add();
    if (!result && !failed_before) {
        log_.error("the audit log cannot be written",
                   {{"directory", directory_}, {"error", result.error().message()}});
    } else if (result && failed_before) {
        log_.info("the audit log is written again", {{"directory", directory_}});
    }
}

Result<void> AuditLog::append(const AuditEvent& event) {
    std::unique_lock lock{mutex_};
    const auto written = write_event(event);
    note_result(written);
    if (!written) return written;
    remove_old_files();
    if (options_.sync == AuditSync::always) return wait_for_sync(lock);
    work_.notify_one();
    return ok();
}

Result<void> AuditLog::wait_for_sync(std::unique_lock<std::mutex>& lock) {
    const std::uint64_t seq = head_.seq;
    const std::uint64_t failures = sync_failures_;
    work_.notify_one();
    settled_.wait(lock, [this, seq] { return settled_seq_ >= seq; });
    if (failures != sync_failures_) return fail(errno_code(EIO));
    return ok();
}

AuditHead AuditLog::head() const {
    const std::lock_guard lock{mutex_};
    return head_;
}

Result<AuditPage> AuditLog::read(const AuditFilter& filter) const {
    return read_audit(directory_, filter);
}

void AuditLog::stop() {
    {
        const std::lock_guard lock{mutex_};
        stopped_ = true;
    }
    work_.notify_all();
    if (syncing_.joinable()) syncing_.join();
}

void AuditLog::sync_once(std::unique_lock<std::mutex>& lock) {
    const auto file = file_;
    const std::uint64_t seq = head_.seq;
    lock.unlock();
    const bool synced = file->sync();
    lock.lock();
    if (synced) {
        synced_seq_ = std::max(synced_seq_, seq);
        settled_seq_ = std::max(settled_seq_, seq);
        settled_.notify_all();
    } else if (file == file_) {
        give_up_file();
    }
}

void AuditLog::sync_loop() {
    std::unique_lock lock{mutex_};
    while (true) {
        work_.wait(lock, [this] { return stopped_ || settled_seq_ < head_.seq; });
        if (settled_seq_ >= head_.seq) return;
        sync_once(lock);
        if (options_.sync == AuditSync::interval)
            work_.wait_for(lock, options_.sync_interval, [this] { return stopped_; });
    }
}

}  // namespace orbitalreg::frontend
