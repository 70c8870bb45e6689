// `orbitalreg scrub`: one pass over everything that a data directory holds, now.

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "cas/scrub.h"
#include "cas/store.h"
#include "exit_codes.h"
#include "offline_store.h"
#include "store_opening.h"
#include "subcommands.h"

#include <algorithm>
#include <iomanip>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <unistd.h>

namespace orbitalreg::program {
namespace {

struct ScrubArguments {
    std::string directory;
    bool quick = false;
    bool json = false;
};

constexpr std::int64_t kLookNs = 250'000'000;
constexpr std::int64_t kLineNs = 60'000'000'000;

// Bytes, rate and time left: on a terminal all the time, else one line a minute.
class ScrubProgress {
public:
    explicit ScrubProgress(std::uint64_t bytes_all) noexcept : bytes_all_{bytes_all} {}

    void show(const cas::ScrubStatus& status) {
        const std::int64_t now_ns = system_clock().steady_ns();
        if (!terminal_ && now_ns - told_ns_ < kLineNs) return;
        told_ns_ = now_ns;
        const double seconds = static_cast<double>(now_ns - begun_ns_) / 1e9;
        const double rate = seconds > 0 ? static_cast<double>(status.bytes) / seconds : 0;
        const std::uint64_t left = bytes_all_ - std::min(bytes_all_, status.bytes);
        std::ostringstream text;
        text << std::fixed << std::setprecision(1) << (status.bytes >> 20) << " of "
             << (bytes_all_ >> 20) << " MiB, " << rate / 1048576 << " MiB/s";
        if (rate > 0)
            text << ", " << static_cast<std::uint64_t>(static_cast<double>(left) / rate)
                 << " s left";
        std::cerr << (terminal_ ? "\r\x1b[K" : "") << text.str() << (terminal_ ? "" : "\n")
                  << std::flush;
    }
    void done() const {
        if (terminal_) std::cerr << "\r\x1b[K" << std::flush;
    }

private:
    const bool terminal_ = ::isatty(STDERR_FILENO) == 1;
    const std::uint64_t bytes_all_;
    const std::int64_t begun_ns_ = system_clock().steady_ns();
    std::int64_t told_ns_ = begun_ns_;
};

Awaitable<void> run_pass(cas::Store* store, cas::ScrubRequest request, ScrubProgress* progress,
                         bool* through) {
    cas::Scrubber& scrubber = store->scrubber();
    const std::uint64_t before = scrubber.scrub_status().full_pass;
    scrubber.request_pass(request);
    for (;;) {
        co_await system_clock().sleep_until(system_clock().steady_ns() + kLookNs);
        const auto status = scrubber.scrub_status();
        progress->show(status);
        *through = status.full_pass > before && !status.running;
        if (*through || store->stats().read_only) co_return;
    }
}

void print(const cas::ScrubStatus& status, std::uint64_t damaged_blobs, bool through, bool json) {
    if (json) {
        std::cout << R"({"through":)" << (through ? "true" : "false") << R"(,"blobs":)"
                  << status.blobs << R"(,"bytes":)" << status.bytes << R"(,"damaged":)"
                  << status.damaged << R"(,"unreadable":)" << status.unreadable
                  << R"(,"headers_damaged":)" << status.headers_damaged << R"(,"cleared":)"
                  << status.cleared << R"(,"damaged_blobs":)" << damaged_blobs << "}\n";
        return;
    }
    std::cout << status.blobs << " blobs with " << status.bytes << " bytes read: " << status.damaged
              << " damaged, " << status.unreadable << " unreadable, " << status.headers_damaged
              << " damaged record headers, " << status.cleared << " verify again\n";
    if (status.damaged + damaged_blobs > 0) {
        std::cout
            << damaged_blobs
            << " blobs are marked damaged: they answer as absent until they are pushed again\n";
    }
    if (status.headers_damaged > 0) {
        std::cout
            << "damaged record headers cost nothing: `orbitalreg fsck --repair` rewrites them\n";
    }
    if (!through) std::cout << "the pass did not get through: the store turned read-only\n";
}

int scrub(const ScrubArguments& arguments) {
    const auto log = make_stderr_log(LogLevel::error, LogFormat::text);
    Metrics metrics;
    auto io = make_tool_io(arguments.directory, *log, metrics);
    if (!io) {
        std::cerr << "error: " << explain_store_error(io.error(), arguments.directory) << '\n';
        return exit_could_not_run;
    }
    OfflineStore store{*io.value(), *log, metrics};
    const auto opened = store.open(false);
    if (!opened) {
        std::cerr << "error: " << explain_store_error(opened.error(), arguments.directory) << '\n';
        return exit_could_not_run;
    }
    ScrubProgress progress{store.store().stats().blob_bytes};
    bool through = false;
    store.run(run_pass(&store.store(), {.digests = !arguments.quick, .rate_bytes = 0}, &progress,
                       &through));
    progress.done();
    const auto status = store.store().scrubber().scrub_status();
    const auto damaged_blobs = store.store().stats().damaged_blobs;
    store.stop();
    print(status, damaged_blobs, through, arguments.json);
    const bool findings = !through || damaged_blobs > 0 ||
                          status.damaged + status.unreadable + status.headers_damaged > 0;
    if (findings) return exit_findings;
    return status.cleared > 0 ? exit_repaired : exit_clean;
}

}  // namespace

void add_scrub(CLI::App& app, int& exit_code) {
    auto* command = app.add_subcommand(
        "scrub", "Read and verify everything in a data directory that no server has open");
    auto arguments = std::make_shared<ScrubArguments>();
    command->add_option("directory", arguments->directory, "Data directory")->required();
    command->add_flag("--quick", arguments->quick, "Checksums only, no digests");
    command->add_flag("--json", arguments->json, "As one JSON object");
    command->callback([arguments, &exit_code] { exit_code = scrub(*arguments); });
}

}  // namespace orbitalreg::program
