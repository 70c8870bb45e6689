// `orbitalreg scrub`: one pass over everything that is stored, now, in a data directory that no server has open or through
// a running server.

#include "base/clock.h"
#include "engine/embedded_store.h"
#include "exit_codes.h"
#include "report_text.h"
#include "store_place.h"
#include "store_report.h"
#include "subcommands.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <iomanip>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <unistd.h>

namespace orbitalreg::program {
namespace {

constexpr const char* kPath = "/api/v1/system/scrub";

struct ScrubArguments {
    StorePlace place;
    std::uint64_t rate_bytes = 0;
    bool quick = false;
    bool status = false;
    bool detach = false;
    bool resume_marking = false;
};

constexpr std::int64_t kLookNs = 250'000'000;
constexpr std::int64_t kLineNs = 60'000'000'000;

// Bytes, rate and time left: on a terminal all the time, else one line a minute.
class ScrubProgress {
public:
    void show(const json::object& status) {
        const auto bytes = static_cast<std::uint64_t>(number(status, "bytes"));
        const auto bytes_all = static_cast<std::uint64_t>(number(status, "bytes_stored"));
        const std::int64_t now_ns = system_clock().steady_ns();
        if (!terminal_ && now_ns - told_ns_ < kLineNs) return;
        told_ns_ = now_ns;
        const double seconds = static_cast<double>(now_ns - begun_ns_) / 1e9;
        const double rate = seconds > 0 ? static_cast<double>(bytes) / seconds : 0;
        const std::uint64_t left = bytes_all - std::min(bytes_all, bytes);
        std::ostringstream text;
        text << std::fixed << std::setprecision(1) << (bytes >> 20) << " of " << (bytes_all >> 20)
             << " MiB, " << rate / 1048576 << " MiB/s";
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
    const std::int64_t begun_ns_ = system_clock().steady_ns();
    std::int64_t told_ns_ = begun_ns_;
};

using AskStatus = std::function<ServerClient::Answer()>;

// Looks now and then until the pass that was asked for is through, or the store took no more writes. `last` is the last
// answer.
Awaitable<void> watch_pass(AskStatus ask, std::int64_t full_pass_before,
                           ServerClient::Answer* last) {
    ScrubProgress progress;
    for (;;) {
        co_await system_clock().sleep_until(system_clock().steady_ns() + kLookNs);
        *last = ask();
        const auto status = parse_object(last->body);
        if (!last->ok() || !status) break;
        progress.show(*status);
        const bool through =
            number(*status, "full_pass") > full_pass_before && !flag(*status, "running");
        if (through || !text(*status, "read_only").empty()) break;
    }
    progress.done();
}

Awaitable<void> run_pass(OfflineStore* store, engine::ScrubOrder order, DirectoryAnswer* answer) {
    engine::Upkeep& upkeep = store->embedded().upkeep();
    const auto before = parse_object(upkeep.scrub_status());
    const auto begun = upkeep.scrub(order);
    if (!begun) {
        answer->trouble = begun.error().message;
        co_return;
    }
    ServerClient::Answer last;
    co_await watch_pass(
        [&upkeep] {
            return ServerClient::Answer{200, upkeep.scrub_status(), {}, {}};
        },
        before ? number(*before, "full_pass") : 0, &last);
    answer->json = last.body;
}

std::string query_of(const ScrubArguments& arguments) {
    if (arguments.resume_marking) return "?resume_marking=true";
    return std::string{"?digests="} + (arguments.quick ? "false" : "true") +
           "&rate=" + std::to_string(arguments.rate_bytes);
}

int scrub_server(const ScrubArguments& arguments) {
    const StorePlace& place = arguments.place;
    const auto client = find_server(place.server);
    if (!client) return exit_could_not_run;
    const auto before = client->get(kPath);
    if (arguments.status || !before.ok()) return tell(place, before, describe_scrub, scrub_verdict);
    ServerClient::Answer last = client->post(kPath + query_of(arguments));
    if (arguments.resume_marking || arguments.detach || !last.ok())
        return tell(place, last, describe_scrub, no_verdict);
    const auto status = parse_object(before.body);
    asio::io_context context{1};
    asio::co_spawn(context,
                   watch_pass([&client] { return client->get(kPath); },
                              status ? number(*status, "full_pass") : 0, &last),
                   asio::detached);
    context.run();
    return tell(place, last, describe_scrub, scrub_verdict);
}

int scrub(const ScrubArguments& arguments) {
    if (arguments.place.asks_server()) return scrub_server(arguments);
    if (arguments.resume_marking || arguments.detach) {
        return could_not_run("--resume-marking and --detach are for a server: --server URL");
    }
    if (arguments.status) {
        return on_directory(arguments.place, Access::read, describe_scrub, scrub_verdict,
                            [](OfflineStore& store, DirectoryAnswer& answer) {
                                answer.json = store.embedded().upkeep().scrub_status();
                            });
    }
    return on_directory(
        arguments.place, Access::write, describe_scrub, scrub_verdict,
        [&](OfflineStore& store, DirectoryAnswer& answer) {
            store.run(run_pass(&store,
                               {.digests = !arguments.quick, .rate_bytes = arguments.rate_bytes},
                               &answer));
        });
}

}  // namespace

void add_scrub(CLI::App& app, int& exit_code) {
    auto* command =
        app.add_subcommand("scrub", "Read and verify everything that is stored, a pass now");
    command->footer(
        "Damaged blobs are marked: they answer as absent until they are pushed again.\n"
        "Exit codes: 0 all verifies; 1 all verifies, and marks of damage went; 2 something is "
        "damaged or unreadable; 3 could not run.");
    auto arguments = std::make_shared<ScrubArguments>();
    add_place(*command, arguments->place, "scrub.marks_per_minute");
    command->add_flag("--quick", arguments->quick, "Checksums only, no digests");
    command
        ->add_option("--rate", arguments->rate_bytes,
                     "Bytes a second, as 50MiB; without it as fast as the device allows")
        ->transform(CLI::AsSizeValue(false));
    command->add_flag("--status", arguments->status, "Only say how far scrub is");
    command->add_flag("--detach", arguments->detach, "Leave the server to its pass");
    command->add_flag("--resume-marking", arguments->resume_marking,
                      "Mark damaged blobs again after too many were; collection stays halted "
                      "until the next start");
    command->callback([arguments, &exit_code] { exit_code = scrub(*arguments); });
}

}  // namespace orbitalreg::program
