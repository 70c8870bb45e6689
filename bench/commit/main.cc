// orbitalreg-commit: how long a small commit takes alone, beside a saturated push without the I/O scheduler, and beside
// one with it. One reactor commits blobs of 512 bytes one after the other, another one pushes as fast as it can. The
// three take turns, --rounds times: what is compared is what one round says.

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/random.h"
#include "cas/io.h"
#include "cas/no_catalog.h"
#include "cas/store.h"

#include <CLI/CLI.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <future>
#include <string>
#include <thread>
#include <vector>

namespace orbitalreg::bench {
namespace {

constexpr std::size_t kCommitBytes = 512;
constexpr std::uint64_t kUploadBytes = 256_MiB;

class Reactor {
public:
    Reactor() : thread_{[this] { context_.run(); }} {}
    ~Reactor() {
        context_.stop();
        thread_.join();
    }
    asio::any_io_executor executor() { return context_.get_executor(); }

private:
    asio::io_context context_{1};
    asio::executor_work_guard<asio::io_context::executor_type> guard_{context_.get_executor()};
    std::thread thread_;
};

struct Arguments {
    std::string directory;
    unsigned seconds = 5;
    unsigned rounds = 3;
    unsigned writers = 4;
    std::int64_t target_us = cas::StoreOptions{}.commit_target_us;
    std::string io = "auto";
};

struct Figures {
    std::vector<std::int64_t> commit_ns;
    std::uint64_t pushed_bytes = 0;
    std::string trouble;
};

// What the coroutines of one store share.
struct Load {
    cas::Store& store;
    std::int64_t end_ns = 0;
    std::atomic<std::uint64_t> pushed_bytes{0};
    std::vector<std::int64_t> commit_ns;
};

Awaitable<Result<void>> commit_for(Load& load) {
    Clock& clock = system_clock();
    while (clock.steady_ns() < load.end_ns) {
        cas::InlineBlob blob;
        blob.bytes.resize(kCommitBytes);
        for (std::byte& b : blob.bytes) b = static_cast<std::byte>(system_random().next_u64());
        blob.digest = Digest::of(DigestAlgorithm::sha256, blob.bytes);
        cas::Change change;
        change.blobs.push_back(std::move(blob));
        const std::int64_t begun_ns = clock.steady_ns();
        ORB_CO_TRY(co_await load.store.submit(std::move(change)));
        load.commit_ns.push_back(clock.steady_ns() - begun_ns);
    }
    co_return ok();
}

// Uploads that end without a blob: what counts is the stream of writes.
Awaitable<Result<void>> push_for(Load& load) {
    Clock& clock = system_clock();
    while (clock.steady_ns() < load.end_ns) {
        ORB_CO_TRY(auto writer,
                   co_await load.store.begin_blob(DigestAlgorithm::sha256, kUploadBytes));
        for (std::uint64_t sent = 0; sent < kUploadBytes && clock.steady_ns() < load.end_ns;) {
            ORB_CO_TRY(const MutableByteView room, co_await writer->buffer());
            ORB_CO_TRY(co_await writer->advance(room.size()));
            sent += room.size();
            load.pushed_bytes += room.size();
        }
    }
    co_return ok();
}

Awaitable<Result<void>> stop(Load& load) {
    co_await load.store.stop();
    co_return ok();
}

Awaitable<void> keep(Awaitable<Result<void>> work, std::promise<std::string>& done) {
    const auto result = co_await std::move(work);
    done.set_value(result ? "" : result.error().message());
}

// What it failed with; empty: nothing.
std::future<std::string> begin(Reactor& reactor, Awaitable<Result<void>> work,
                               std::promise<std::string>& done) {
    asio::co_spawn(reactor.executor(), keep(std::move(work), done), asio::detached);
    return done.get_future();
}

std::string run_load(const Arguments& arguments, unsigned writers, Reactor& pushing,
                     Reactor& committing, Load& load) {
    load.end_ns = system_clock().steady_ns() + arguments.seconds * 1'000'000'000LL;
    std::vector<std::promise<std::string>> pushes(writers);
    std::vector<std::future<std::string>> pushed;
    for (auto& push : pushes) pushed.push_back(begin(pushing, push_for(load), push));
    std::promise<std::string> commits;
    std::string trouble = begin(committing, commit_for(load), commits).get();
    for (auto& push : pushed) trouble += push.get();
    std::promise<std::string> stopped;
    return trouble + begin(committing, stop(load), stopped).get();
}

cas::IoChoice choice_of(const std::string& name) {
    if (name == "uring") return cas::IoChoice::uring;
    return name == "threads" ? cas::IoChoice::threads : cas::IoChoice::automatic;
}

// One store, made and removed.
Figures run(const Arguments& arguments, unsigned writers, std::int64_t target_us) {
    const std::string root = arguments.directory + "/orbitalreg-commit";
    std::filesystem::remove_all(root);
    std::filesystem::create_directories(root);
    Figures figures;
    Metrics metrics;
    const auto io = cas::make_io(root, {.choice = choice_of(arguments.io)}, null_log(), metrics);
    if (!io) return {{}, 0, io.error().message()};
    cas::NoCatalog catalog;
    Reactor pushing;
    Reactor committing;
    Reactor background;
    cas::StoreOptions options;
    options.commit_target_us = target_us;
    const auto store = cas::Store::open({*io.value(),
                                         system_clock(),
                                         system_random(),
                                         null_log(),
                                         metrics,
                                         {pushing.executor(), committing.executor()},
                                         background.executor(),
                                         false},
                                        options, catalog);
    if (!store) return {{}, 0, store.error().message()};
    Load load{*store.value(), 0, {0}, {}};
    figures.trouble = run_load(arguments, writers, pushing, committing, load);
    figures.commit_ns = std::move(load.commit_ns);
    figures.pushed_bytes = load.pushed_bytes;
    std::filesystem::remove_all(root);
    return figures;
}

bool print(const char* name, const Arguments& arguments, Figures figures) {
    if (!figures.trouble.empty() || figures.commit_ns.empty()) {
        std::printf("%-20s %s\n", name, figures.trouble.c_str());
        return false;
    }
    std::ranges::sort(figures.commit_ns);
    const auto at = [&figures](double part) {
        const auto last = static_cast<double>(figures.commit_ns.size() - 1);
        return static_cast<long long>(figures.commit_ns[static_cast<std::size_t>(part * last)] /
                                      1000);
    };
    std::printf(
        "%-20s %7zu commits  p50 %6lld  p99 %6lld  p99.9 %6lld  max %7lld us  push %5llu MB/s\n",
        name, figures.commit_ns.size(), at(0.5), at(0.99), at(0.999), at(1.0),
        static_cast<unsigned long long>(figures.pushed_bytes / 1'000'000 / arguments.seconds));
    std::fflush(stdout);
    return true;
}

}  // namespace
}  // namespace orbitalreg::bench

int main(int argc, char** argv) {
    using namespace orbitalreg::bench;
    Arguments arguments;
    CLI::App app{"Latency of small commits beside a saturated push"};
    app.add_option("directory", arguments.directory, "Where the store is made")->required();
    app.add_option("--seconds", arguments.seconds, "of each run")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    app.add_option("--rounds", arguments.rounds, "of the three runs")->capture_default_str();
    app.add_option("--writers", arguments.writers, "uploads at once")->capture_default_str();
    app.add_option("--target", arguments.target_us, "of the scheduler, in us")
        ->capture_default_str();
    app.add_option("--io", arguments.io, "how the disk is used")
        ->check(CLI::IsMember({"auto", "uring", "threads"}))
        ->capture_default_str();
    CLI11_PARSE(app, argc, argv);
    bool good = true;
    for (unsigned round = 0; round < arguments.rounds; ++round) {
        good &= print("alone", arguments, run(arguments, 0, arguments.target_us));
        good &= print("push, scheduler off", arguments, run(arguments, arguments.writers, 0));
        good &= print("push, scheduler on", arguments,
                      run(arguments, arguments.writers, arguments.target_us));
    }
    return good ? 0 : 3;
}
