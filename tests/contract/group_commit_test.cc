// The sequencer on a thread of its own, over a real directory: many reactors commit at once and
// share frames.

#include "base/clock.h"
#include "unit/cas/log/log_fixture.h"

#include <boost/asio/io_context.hpp>

#include <atomic>
#include <filesystem>
#include <stdlib.h>
#include <thread>

namespace orbitalreg::cas {
namespace {

class TemporaryDirectory {
public:
    // In the working directory: /tmp may be in memory, and durable writes should cost what they
    // cost.
    TemporaryDirectory() {
        std::string pattern = (std::filesystem::current_path() / "log-test-XXXXXX").string();
        if (::mkdtemp(pattern.data()) != nullptr) path_ = pattern;
    }
    ~TemporaryDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

// A thread with an executor, until it is told to end.
class Reactor {
public:
    Reactor() : thread_{[this] { context_.run(); }} {}
    ~Reactor() { join(); }
    asio::any_io_executor executor() { return context_.get_executor(); }
    void join() {
        work_.reset();
        if (thread_.joinable()) thread_.join();
    }

private:
    asio::io_context context_{1};
    asio::executor_work_guard<asio::io_context::executor_type> work_{context_.get_executor()};
    std::thread thread_;
};

class GroupCommitTest : public testing::TestWithParam<IoChoice> {
public:
    Result<std::unique_ptr<CommitLog>> open(RecordingTarget& target, const StoreOptions& options) {
        if (!io_) {
            ORB_TRY(io_, make_io(directory_.path(),
                                 {.choice = GetParam(), .threads = 2, .queue_depth_max = 16},
                                 null_log(), metrics_));
        }
        return CommitLog::open({*io_,
                                system_clock(),
                                system_random(),
                                null_log(),
                                metrics_,
                                {reactors_[0].executor(), reactors_[1].executor()},
                                background_.executor(),
                                false},
                               options, target);
    }
    std::uint64_t counter(std::string_view name) { return metrics_.counter(name, "").value(); }

    TemporaryDirectory directory_;
    Metrics metrics_;
    std::unique_ptr<Io> io_;
    std::array<Reactor, 2> reactors_;
    Reactor background_;
};

constexpr int kSubmitters = 32;
constexpr int kCommitsEach = 40;

Awaitable<void> submit_many(CommitLog& log, int submitter, std::atomic<int>& succeeded,
                            std::atomic<int>& running) {
    for (int i = 0; i < kCommitsEach; ++i) {
        Group group =
            group_of(std::to_string(submitter) + "/" + std::to_string(i), std::string(512, 's'));
        group.keys.shared = {1};
        group.keys.exclusive = {static_cast<std::uint64_t>(submitter) + 100};
        const auto committed = co_await log.commit(std::move(group));
        if (committed) ++succeeded;
    }
    if (--running == 0) running.notify_all();
}

// Steps between frames, as long as there are submitters: the target is the step's alone meanwhile.
Awaitable<void> step_along(CommitLog& log, const RecordingTarget& target, std::atomic<int>& running,
                           std::atomic<int>& steps, std::atomic<bool>& ended) {
    std::uint64_t last = 0;
    while (running != 0) {
        const auto run = co_await log.between_frames([&] {
            if (target.groups.empty()) return;
            EXPECT_GE(target.groups.back().lsn, last);
            last = target.groups.back().lsn;
        });
        if (!run) break;
        ++steps;
    }
    ended = true;
    ended.notify_all();
}

Awaitable<void> stop_log(CommitLog& log, std::atomic<bool>& stopped) {
    co_await log.stop(group_of("last"));
    stopped = true;
    stopped.notify_all();
}

TEST_P(GroupCommitTest, ManySubmittersShareFrames) {
    StoreOptions options = small_options();
    options.log_segment_size_bytes = 256_KiB;
    RecordingTarget target;
    auto opened = open(target, options);
    if (!opened && GetParam() == IoChoice::uring && !io_) GTEST_SKIP() << "no io_uring here";
    ASSERT_TRUE(opened) << opened.error().message();
    CommitLog& log = *opened.value();
    log.start();
    std::atomic<int> succeeded{0};
    std::atomic<int> running{kSubmitters};
    for (int i = 0; i < kSubmitters; ++i) {
        asio::co_spawn(reactors_[static_cast<std::size_t>(i % 2)].executor(),
                       submit_many(log, i, succeeded, running), asio::detached);
    }
    std::atomic<int> steps{0};
    std::atomic<bool> ended{false};
    asio::co_spawn(background_.executor(), step_along(log, target, running, steps, ended),
                   asio::detached);
    for (int left = running; left != 0; left = running) running.wait(left);
    EXPECT_EQ(succeeded, kSubmitters * kCommitsEach);
    ended.wait(false);
    EXPECT_GT(steps, 0);
    std::atomic<bool> stopped{false};
    asio::co_spawn(reactors_[0].executor(), stop_log(log, stopped), asio::detached);
    stopped.wait(false);
    const double mean = static_cast<double>(counter("commit_requests_total")) /
                        static_cast<double>(counter("commit_frames_total"));
    RecordProperty("requests_per_frame", std::to_string(mean));
    EXPECT_GT(mean, 4.0);
    opened.value().reset();

    RecordingTarget replayed;
    auto again = open(replayed, options);
    ASSERT_TRUE(again) << again.error().message();
    EXPECT_EQ(replayed.groups, target.groups);
    EXPECT_EQ(replayed.groups.size(), static_cast<std::size_t>(kSubmitters * kCommitsEach + 1));
    EXPECT_TRUE(again.value()->stats().clean_start);
    // Each submitter's own commits kept their order.
    std::map<int, int> next;
    for (const auto& group : replayed.groups) {
        const auto slash = group.body.find('/');
        if (slash == std::string::npos) continue;
        EXPECT_EQ(std::stoi(group.body.substr(slash + 1)), next[std::stoi(group.body)]++);
    }
}

// As safe as kill -9: what was acknowledged is there, and nothing hangs.
TEST_P(GroupCommitTest, ALogMayBeDestroyedWithoutAStop) {
    RecordingTarget target;
    auto opened = open(target, small_options());
    if (!opened && GetParam() == IoChoice::uring && !io_) GTEST_SKIP() << "no io_uring here";
    ASSERT_TRUE(opened) << opened.error().message();
    opened.value()->start();
    std::atomic<int> succeeded{0};
    std::atomic<int> running{4};
    for (int i = 0; i < 4; ++i) {
        asio::co_spawn(reactors_[0].executor(), submit_many(*opened.value(), i, succeeded, running),
                       asio::detached);
    }
    for (int left = running; left != 0; left = running) running.wait(left);
    opened.value().reset();
    RecordingTarget replayed;
    auto again = open(replayed, small_options());
    ASSERT_TRUE(again) << again.error().message();
    EXPECT_EQ(replayed.groups.size(), static_cast<std::size_t>(succeeded));
    EXPECT_FALSE(again.value()->stats().clean_start);
}

INSTANTIATE_TEST_SUITE_P(Ios, GroupCommitTest, testing::Values(IoChoice::threads, IoChoice::uring),
                         [](const auto& chosen) {
                             return chosen.param == IoChoice::threads ? "threads" : "uring";
                         });

}  // namespace
}  // namespace orbitalreg::cas
