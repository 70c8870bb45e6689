#pragma once
// The audit log: who did what to what, from where, by which rule, granted or refused (SEC-106). One JSON object a line, in files that
// are only ever appended to. Each line carries the hash of the line before it, over files too: what is changed, removed,
// inserted or moved afterwards is found by verify_audit(). docs/on-disk-format.md, "Audit log"; docs/operations/audit.md.
//
// It holds no secret: whoever fills an event never gives it a token, a password, or the value of a header (SEC-105).

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "frontend/options.h"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace orbitalreg::frontend {

// Limits  1 KiB of each field, kMoreMax pairs and 64 bytes of their keys; more is left out and the line shows it. What is empty is
//         not written. Control and non-ASCII characters are escaped.
struct AuditEvent {
    static constexpr std::size_t kFieldSizeMax = 1_KiB;
    static constexpr std::size_t kMoreMax = 16;

    std::string action;      // of the list in docs/operations/audit.md
    std::string principal;   // who, as far as it was proven
    std::string credential;  // by what: password, pat:<id>, robot, oidc:<issuer>, none
    std::string address;
    std::string request_id;
    std::string object;  // an image name, project, user
    std::string reference;
    std::string digest;
    std::string old_digest;  // what a tag named before
    bool granted = false;
    unsigned status = 0;  // of the answer; 0: there was none
    std::string rule;     // that decided
    std::string reason;
    std::vector<std::pair<std::string, std::string>> more;
};

// A line of the chain. Whoever keeps one elsewhere finds out later that the end was cut off.
struct AuditHead {
    std::uint64_t seq = 0;  // from 1; 0: before the first line
    std::string hash = std::string(64, '0');

    friend bool operator==(const AuditHead&, const AuditHead&) = default;
};

// All that are given must hold.
struct AuditFilter {
    static constexpr std::size_t kLimitMax = 1'000;

    std::string principal;
    std::string action;  // or how it begins
    std::string object;  // with a `/` at its end: or how it begins
    std::string address;
    std::optional<bool> granted;
    std::optional<std::int64_t> since_ms;  // since 1970; from here
    std::optional<std::int64_t> until_ms;  // up to, but not including
    std::uint64_t after_seq = 0;
    std::uint64_t before_seq = 0;  // 0: no bound
    bool oldest_first = false;
    std::size_t limit = 100;
};

struct AuditPage {
    std::vector<std::string> lines;  // JSON, without a line break; printable ASCII only
    // Where there may be more: `before_seq` of the next page, or `after_seq` with `oldest_first`.
    std::optional<std::uint64_t> cursor;
};

struct AuditBreak {
    std::string file;
    std::uint64_t line = 0;  // from 1
    std::string what;
};

// What was found good, up to the first break.
struct AuditVerification {
    std::uint64_t files = 0;
    std::uint64_t lines = 0;
    std::uint64_t bytes = 0;
    std::uint64_t first_seq = 0;
    AuditHead head;
    std::uint64_t unfinished_bytes = 0;  // of a line that a running server is about to write
    std::optional<AuditBreak> first_break;
};

// Pages through the files of a directory, also beside a server that appends to them.
//
// Limits  AuditFilter::kLimitMax lines and 64 MiB of files a page; then a cursor, perhaps without a line. A clock that was put back by
//         more than an hour may hide lines from `since_ms` and `until_ms`; from sequence numbers nothing is hidden.
Result<AuditPage> read_audit(const std::string& directory, const AuditFilter& filter);

// Every line of every file, against the chain. The beginning may be missing only where an event says that it was removed.
// `expected`: a line that must be there. An error: a file could not be read.
Result<AuditVerification> verify_audit(const std::string& directory,
                                       const std::optional<AuditHead>& expected = std::nullopt);
// Of these files, in the order of their names; the chain may begin anywhere.
Result<AuditVerification> verify_audit_files(
    std::vector<std::string> files, const std::optional<AuditHead>& expected = std::nullopt);

// `2026-01-31`, `2026-01-31T12:00:00Z` or with a fraction of a second; in ms since 1970.
std::optional<std::int64_t> parse_audit_time(std::string_view text) noexcept;

// A member of a line as it is written there, escapes and all; empty: it is not there. Not for members of `more`.
std::string_view audit_field(std::string_view line, std::string_view name) noexcept;

// AuditLog appends to the files of one directory.
//
// Life     open() -> { append(), read() } -> stop(). One for a directory, held by a lock on it.
// Durable  a line is with the kernel once append() has returned: the end of the process loses none. AuditSync::always: and on stable
//          storage; AuditSync::interval: within about AuditOptions::sync_interval.
// Errors   a line that could not be written whole is taken back, and the next append tries again. After a failed sync, which is not
//          tried again, the next append begins a new file and records which lines are in doubt.
// Threads  any. append() waits for the disk under AuditSync::always, and where a file is full. One thread of its own syncs.
class AuditLog {
public:
    // EWOULDBLOCK: another process appends to this directory. A half line at the end is cut off, and an event says so.
    static Result<std::unique_ptr<AuditLog>> open(std::string directory,
                                                  const AuditOptions& options, Clock& clock,
                                                  Log& log, Metrics& metrics);
    AuditLog(const AuditLog&) = delete;
    AuditLog& operator=(const AuditLog&) = delete;
    ~AuditLog();

    Result<void> append(const AuditEvent& event);
    // The last thing that was tried did not succeed.
    bool failed() const noexcept { return failed_.load(std::memory_order_acquire); }
    AuditHead head() const;
    // Does not hold up appends.
    Result<AuditPage> read(const AuditFilter& filter) const;
    // Syncs what was appended; append() fails from now on.
    void stop();

private:
    struct File {
        std::uint64_t first_seq = 0;
        std::uint64_t size_bytes = 0;
    };
    // The file in use. Shared with a sync under way.
    struct OpenFile {
        UniqueFd fd;
        std::mutex syncing;
        bool sync_failed = false;

        // After a failure never tried again, by nobody.
        bool sync();
    };

    AuditLog(std::string directory, const AuditOptions& options, Clock& clock, Log& log,
             Metrics& metrics);
    // With the mutex held:
    Result<void> continue_files();
    Result<void> begin_file();
    Result<void> write_event(const AuditEvent& event);
    Result<void> write_line(const AuditEvent& event);
    Result<void> take_back_half_line();
    Result<void> sync_now();
    void give_up_file();
    void remove_old_files();
    Result<void> remove_oldest_file();
    void note_result(const Result<void>& result);
    void sync_once(std::unique_lock<std::mutex>& lock);

    Result<void> wait_for_sync(std::unique_lock<std::mutex>& lock);
    void sync_loop();
    std::string path_of(std::uint64_t first_seq) const;

    const std::string directory_;
    const AuditOptions options_;
    Clock& clock_;
    Log& log_;
    Counter& granted_total_;
    Counter& refused_total_;
    Counter& errors_total_;
    Gauge& bytes_;

    mutable std::mutex mutex_;
    std::condition_variable work_;
    std::condition_variable settled_;
    UniqueFd directory_fd_;
    std::shared_ptr<OpenFile> file_;
    std::vector<File> files_;  // oldest first; the last is the one in use
    AuditHead head_;
    std::optional<std::uint64_t> half_line_at_;  // the size that the file must be cut to
    std::vector<AuditEvent> notes_;              // events of its own, written before the next one
    bool given_up_ = false;                      // the file in use: its sync failed
    std::uint64_t synced_seq_ = 0;
    std::uint64_t settled_seq_ = 0;  // synced, or never will be
    std::uint64_t sync_failures_ = 0;
    bool old_files_ = false;  // to be removed
    bool stopped_ = false;
    std::atomic<bool> failed_{false};
    std::thread syncing_;
};

}  // namespace orbitalreg::frontend
