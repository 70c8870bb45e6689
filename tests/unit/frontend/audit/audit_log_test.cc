// Appending: the chain over files and restarts, what a crash leaves, a full disk, a failing sync, several threads.

#include "unit/frontend/audit/audit_directory.h"

#include <atomic>
#include <csignal>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>

namespace {

std::atomic<bool> sync_fails{false};

}  // namespace

// Every sync of this program comes by here.
extern "C" int fdatasync(int fd) {
    if (sync_fails.load()) {
        errno = EIO;
        return -1;
    }
    return static_cast<int>(::syscall(SYS_fdatasync, fd));
}

namespace orbitalreg::frontend {
namespace {

// Files of this process cannot grow beyond so many bytes: the write that crosses the border is cut, as on a full disk.
class FullDisk {
public:
    explicit FullDisk(std::uint64_t bytes) {
        ::getrlimit(RLIMIT_FSIZE, &before_);
        handler_ = std::signal(SIGXFSZ, SIG_IGN);
        auto limit = before_;
        limit.rlim_cur = bytes;
        ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    ~FullDisk() {
        ::setrlimit(RLIMIT_FSIZE, &before_);
        std::signal(SIGXFSZ, handler_);
    }

private:
    rlimit before_{};
    void (*handler_)(int) = nullptr;
};

struct FailingSync {
    FailingSync() { sync_fails = true; }
    ~FailingSync() { sync_fails = false; }
};

TEST(AuditLog, ItsFilesAreNobodyElses) {
    AuditDirectory directory;
    directory.fill(1);
    struct stat found {};
    ASSERT_EQ(::stat(directory.path.c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 07777U, 0700U);
    ASSERT_EQ(directory.files().size(), 1U);
    EXPECT_TRUE(directory.files()[0].ends_with("/audit-00000000000000000001.jsonl"));
    ASSERT_EQ(::stat(directory.files()[0].c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 07777U, 0600U);
}

TEST(AuditLog, TheChainGoesOnAfterARestart) {
    AuditDirectory directory;
    directory.fill(3);
    const auto head = directory.fill(2);
    EXPECT_EQ(head.seq, 5U);
    EXPECT_EQ(directory.files().size(), 1U);
    const auto found = verify_audit(directory.path, head);
    ASSERT_TRUE(found);
    EXPECT_FALSE(found.value().first_break);
    EXPECT_EQ(found.value().lines, 5U);
    EXPECT_EQ(found.value().head, head);
}

TEST(AuditLog, OneProcessWritesToADirectory) {
    AuditDirectory directory;
    const auto log = directory.open();
    EXPECT_EQ(directory.try_open().error(), boost::system::errc::operation_would_block);
}

// Goal: what append() has returned for outlives kill -9, with nothing to mend at the next start.
TEST(AuditLog, AKilledProcessLosesNoLine) {
    AuditDirectory directory;
    directory.options.rotate_bytes = 2'000;
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        const auto log = directory.open();
        for (int i = 0; i < 20; ++i) static_cast<void>(log->append(AuditDirectory::push("v")));
        ::kill(::getpid(), SIGKILL);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status));
    EXPECT_EQ(directory.open()->head().seq, 20U);
    EXPECT_EQ(directory.trouble(), "");
}

TEST(AuditLog, FewerFilesThanBeforeHoldsFromTheStart) {
    AuditDirectory directory;
    directory.options.rotate_bytes = 1'000;
    directory.fill(20);
    const auto before = directory.files().size();
    directory.options.files_max = 2;
    directory.fill(0);
    EXPECT_LT(directory.files().size(), before);
    EXPECT_EQ(directory.trouble(), "");
    std::int64_t bytes = 0;
    for (const auto& file : directory.files())
        bytes += static_cast<std::int64_t>(std::filesystem::file_size(file));
    EXPECT_EQ(directory.metrics.gauge("audit_bytes", "").value(), bytes);
}

TEST(AuditLog, AfterItsStopItTakesNothing) {
    AuditDirectory directory;
    const auto log = directory.open();
    log->stop();
    EXPECT_EQ(log->append(AuditDirectory::push("a")).error(),
              boost::system::errc::operation_canceled);
    EXPECT_EQ(log->head().seq, 0U);
}

// Goal: wherever a crash cut the last line, it is cut off at the next start, and an event says so.
TEST(AuditLog, AHalfLineAtTheEndIsCutOff) {
    for (const std::size_t kept : {1, 40, 250}) {
        AuditDirectory directory;
        directory.fill(3);
        const auto file = directory.files()[0];
        const auto lines = directory.lines();
        AuditDirectory::write(
            file, AuditDirectory::text_of({lines[0], lines[1]}) + lines[2].substr(0, kept));
        EXPECT_EQ(directory.trouble(), "has no end: half a line");
        const auto log = directory.open();
        EXPECT_EQ(log->head().seq, 3U);
        const auto last = directory.lines().back();
        EXPECT_EQ(audit_field(last, "action"), "audit.recovered");
        EXPECT_NE(last.find("\"bytes\":\"" + std::to_string(kept) + '"'), std::string::npos);
        EXPECT_EQ(directory.trouble(), "");
    }
}

TEST(AuditLog, AHalfFirstLineLeavesTheFileToTheNext) {
    AuditDirectory directory;
    directory.options.rotate_bytes = 1;
    directory.fill(3);
    ASSERT_EQ(directory.files().size(), 3U);
    AuditDirectory::write(directory.files()[2], "{\"seq\":3,");
    const auto log = directory.open();
    EXPECT_TRUE(log->append(AuditDirectory::push("b")));
    EXPECT_EQ(log->head().seq, 4U);
    EXPECT_EQ(directory.trouble(), "");
}

// Goal: damage is not half a line. Nothing is taken away, the log goes on, and the break stays to be found.
TEST(AuditLog, DamageAtTheEndStays) {
    AuditDirectory directory;
    directory.fill(3);
    const auto file = directory.files()[0];
    auto text = AuditDirectory::read(file);
    text[text.size() - 200] ^= 1;
    AuditDirectory::write(file, text);
    const auto log = directory.open();
    EXPECT_TRUE(AuditDirectory::read(file).starts_with(text));
    EXPECT_EQ(audit_field(directory.lines().back(), "action"), "audit.recovered");
    EXPECT_EQ(directory.trouble(), "was changed: its hash is not that of its bytes");
}

TEST(AuditLog, TheChainGoesOverFiles) {
    AuditDirectory directory;
    directory.options.rotate_bytes = 1'000;
    const auto head = directory.fill(10);
    EXPECT_GE(directory.files().size(), 4U);
    for (const auto& file : directory.files()) EXPECT_LE(std::filesystem::file_size(file), 1'000U);
    EXPECT_EQ(directory.trouble(head), "");
    EXPECT_EQ(directory.fill(1).seq, 11U);
    EXPECT_EQ(directory.trouble(), "");
}

// Goal: old files go when there are too many, each with an event that lets the chain begin behind it.
TEST(AuditLog, OldFilesAreRemovedAndNamed) {
    AuditDirectory directory;
    directory.options.rotate_bytes = 2'000;
    directory.options.files_max = 3;
    const auto head = directory.fill(60);
    EXPECT_LE(directory.files().size(), 4U);
    EXPECT_EQ(directory.trouble(head), "");
    const auto first = AuditDirectory::lines_of(AuditDirectory::read(directory.files()[0]))[0];
    EXPECT_NE(audit_field(first, "seq"), "1");
    AuditFilter filter;
    filter.action = "audit.removed";
    filter.limit = 1;
    const auto removed = read_audit(directory.path, filter);
    ASSERT_TRUE(removed);
    ASSERT_EQ(removed.value().lines.size(), 1U);
    const auto before_first = std::stoull(std::string{audit_field(first, "seq")}) - 1;
    EXPECT_NE(removed.value().lines[0].find("\"last_seq\":\"" + std::to_string(before_first) + '"'),
              std::string::npos);
    std::filesystem::remove(directory.files()[0]);
    EXPECT_NE(directory.trouble().find("the beginning is missing"), std::string::npos);
}

// Goal: every append of every thread is there once, in one chain.
TEST(AuditLog, ThreadsAppendSideBySide) {
    constexpr int kThreads = 4;
    constexpr int kEach = 200;
    for (const auto sync : {AuditSync::interval, AuditSync::always}) {
        AuditDirectory directory;
        directory.options.rotate_bytes = 20'000;
        directory.options.sync = sync;
        const auto log = directory.open();
        std::vector<std::thread> threads;
        for (int t = 0; t < kThreads; ++t) {
            threads.emplace_back([&log, t] {
                for (int i = 0; i < kEach; ++i) {
                    EXPECT_TRUE(log->append(
                        AuditDirectory::push(std::to_string(t) + '-' + std::to_string(i))));
                }
            });
        }
        for (auto& thread : threads) thread.join();
        EXPECT_EQ(directory.trouble(log->head()), "");
        std::vector<std::string> tags;
        for (const auto& line : directory.lines())
            tags.emplace_back(audit_field(line, "reference"));
        EXPECT_EQ(tags.size(), std::size_t{kThreads * kEach});
        std::sort(tags.begin(), tags.end());
        EXPECT_EQ(std::unique(tags.begin(), tags.end()), tags.end());
    }
}

// Goal: on a full disk an append fails, leaves no half line, and succeeds once there is space again.
TEST(AuditLog, AFullDiskLosesNoLineAndLeavesNoHalfOne) {
    AuditDirectory directory;
    const auto log = directory.open();
    ASSERT_TRUE(log->append(AuditDirectory::push("first")));
    const auto before = AuditDirectory::read(directory.files()[0]);
    {
        const FullDisk full{before.size() + 100};
        EXPECT_FALSE(log->append(AuditDirectory::push("cut")));
        EXPECT_TRUE(log->failed());
        EXPECT_FALSE(log->append(AuditDirectory::push("cut again")));
    }
    EXPECT_EQ(AuditDirectory::read(directory.files()[0]), before);
    EXPECT_TRUE(log->append(AuditDirectory::push("second")));
    EXPECT_FALSE(log->failed());
    EXPECT_EQ(log->head().seq, 2U);
    EXPECT_EQ(directory.trouble(log->head()), "");
}

TEST(AuditLog, AFullDiskAtTheStartDoesNotKeepItClosed) {
    AuditDirectory directory;
    directory.fill(2);
    const auto file = directory.files()[0];
    const auto text = AuditDirectory::read(file);
    AuditDirectory::write(file, text + "{\"se");
    std::unique_ptr<AuditLog> log;
    {
        const FullDisk full{text.size() + 10};
        log = directory.open();
        EXPECT_TRUE(log->failed());
    }
    EXPECT_TRUE(log->append(AuditDirectory::push("a")));
    EXPECT_FALSE(log->failed());
    EXPECT_EQ(audit_field(directory.lines()[2], "action"), "audit.recovered");
    EXPECT_EQ(log->head().seq, 4U);
    EXPECT_EQ(directory.trouble(), "");
}

// Goal: a failed sync is told to who waited, is not tried again, and the lines in doubt are named in a new file.
TEST(AuditLog, AfterAFailedSyncANewFileIsBegun) {
    AuditDirectory directory;
    directory.options.sync = AuditSync::always;
    const auto log = directory.open();
    ASSERT_TRUE(log->append(AuditDirectory::push("a")));
    {
        const FailingSync failing;
        EXPECT_EQ(log->append(AuditDirectory::push("b")).error(), boost::system::errc::io_error);
        EXPECT_TRUE(log->failed());
    }
    EXPECT_TRUE(log->append(AuditDirectory::push("c")));
    EXPECT_FALSE(log->failed());
    EXPECT_EQ(directory.files().size(), 2U);
    EXPECT_EQ(directory.trouble(log->head()), "");
    const auto noted = directory.lines()[2];
    EXPECT_EQ(audit_field(noted, "action"), "audit.unsynced");
    EXPECT_NE(noted.find(R"("first_seq":"2","last_seq":"2")"), std::string::npos);
}

TEST(AuditLog, CountsWhatItWrote) {
    AuditDirectory directory;
    const auto log = directory.open();
    EXPECT_TRUE(log->append(AuditDirectory::push("a")));
    EXPECT_TRUE(log->append(AuditEvent{}));
    const auto text = directory.metrics.render();
    EXPECT_NE(text.find("orbitalreg_audit_events_total{result=\"granted\"} 1"), std::string::npos);
    EXPECT_NE(text.find("orbitalreg_audit_events_total{result=\"refused\"} 1"), std::string::npos);
    EXPECT_NE(text.find("orbitalreg_audit_bytes " +
                        std::to_string(std::filesystem::file_size(directory.files()[0]))),
              std::string::npos);
}

}  // namespace
}  // namespace orbitalreg::frontend
