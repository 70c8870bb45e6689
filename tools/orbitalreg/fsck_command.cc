// `orbitalreg fsck`: looks at a data directory that no server has open. Changes nothing, unless --repair or --rebuild says so.

#include "base/cores.h"
#include "base/log.h"
#include "base/metrics.h"
#include "cas/inspect.h"
#include "cas/rebuild.h"
#include "engine/embedded_store.h"
#include "exit_codes.h"
#include "offline_store.h"
#include "store_opening.h"
#include "subcommands.h"

#include <algorithm>
#include <array>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <unistd.h>

namespace orbitalreg::program {
namespace {

struct FsckArguments {
    std::string directory;
    std::string level = "normal";
    bool json = false;
    bool repair = false;
    bool rebuild = false;
    bool online = false;
};

std::string_view to_string(cas::FsckFinding::Severity severity) noexcept {
    switch (severity) {
        case cas::FsckFinding::Severity::note:
            return "note";
        case cas::FsckFinding::Severity::repairable:
            return "repairable";
        case cas::FsckFinding::Severity::loss:
            return "loss";
    }
    return "unknown";
}

void print_json(const cas::FsckReport& report, std::string_view level) {
    std::cout << R"({"level":")" << level << R"(","clean":)" << (report.clean() ? "true" : "false")
              << R"(,"frames":)" << report.frames << R"(,"records":)" << report.records
              << R"(,"blobs":)" << report.blobs << R"(,"bytes":)" << report.bytes << R"(,"lanes":)"
              << report.lanes << R"(,"allocated_bytes":)" << report.allocated_bytes
              << R"(,"reclaimable_bytes":)" << report.reclaimable_bytes << R"(,"needs_rebuild":)"
              << (report.needs_rebuild ? "true" : "false") << R"(,"findings_dropped":)"
              << report.findings_dropped << R"(,"findings":[)";
    for (const auto& finding : report.findings) {
        if (&finding != &report.findings.front()) std::cout << ',';
        std::cout << R"({"severity":")" << to_string(finding.severity) << R"(","code":")"
                  << escape_json(finding.code) << R"(","where":")" << escape_json(finding.where)
                  << R"(","detail":")" << escape_json(finding.detail) << "\"}";
    }
    std::cout << "]}\n";
}

void print_strings(std::string_view name, const std::vector<std::string>& strings) {
    std::cout << '"' << name << "\":[";
    for (const auto& each : strings) {
        if (&each != &strings.front()) std::cout << ',';
        std::cout << '"' << escape_json(each) << '"';
    }
    std::cout << ']';
}

void print_json(const cas::RebuildReport& report) {
    std::cout << R"({"rebuilt":{)";
    print_strings("restored", report.restored);
    std::cout << ',';
    print_strings("lost", report.lost);
    std::cout << R"(,"counts":[)";
    for (const auto& count : report.counts) {
        if (&count != &report.counts.front()) std::cout << ',';
        std::cout << R"({"what":")" << escape_json(count.what) << R"(","restored":)"
                  << count.restored << R"(,"lost":)" << count.lost << '}';
    }
    std::cout << "]}}\n";
}

void print_text(const cas::RebuildReport& report) {
    for (const auto& line : report.restored) std::cout << "rebuilt: " << line << '\n';
    for (const auto& count : report.counts) {
        std::cout << "rebuilt: " << count.what << ": " << count.restored << " restored, "
                  << count.lost << " lost\n";
    }
    for (const auto& line : report.lost) std::cout << "lost: " << line << '\n';
}

// Whoever reads the findings for the first time learns here what comes next.
void print_advice(const cas::FsckReport& report, const FsckArguments& arguments) {
    using Severity = cas::FsckFinding::Severity;
    const auto count = [&report](Severity severity) {
        return std::ranges::count(report.findings, severity, &cas::FsckFinding::severity);
    };
    if (const auto repairable = count(Severity::repairable); repairable > 0) {
        std::cout << "next: " << repairable << (repairable == 1 ? " finding" : " findings")
                  << " can be put right without loss: `orbitalreg fsck --repair "
                  << arguments.directory << "`, with the server stopped\n";
    }
    if (report.needs_rebuild) {
        std::cout << "next: the store cannot be opened as it is. Copy the directory, then "
                     "`orbitalreg fsck --rebuild "
                  << arguments.directory
                  << "`: it brings back what can still be proven and says what it could not; "
                     "docs/operations/runbook.md, \"The store cannot be opened\"\n";
    } else if (const auto losses = count(Severity::loss); losses > 0) {
        std::cout << "next: " << losses << (losses == 1 ? " loss" : " losses")
                  << ": each line says what heals it. What is damaged is never served, the rest "
                     "is sound. `orbitalreg gc explain DIGEST "
                  << arguments.directory
                  << "` tells which tags need a blob; docs/operations/runbook.md, \"fsck\", tells "
                     "the rest\n";
    }
}

void print_text(const cas::FsckReport& report, const FsckArguments& arguments) {
    for (const auto& finding : report.findings) {
        std::cout << to_string(finding.severity) << ' ' << finding.code << " at " << finding.where
                  << ": " << finding.detail << '\n';
    }
    if (report.findings_dropped > 0)
        std::cout << report.findings_dropped << " more findings are not shown\n";
    std::cout << arguments.level << ": " << report.frames << " frames, " << report.records
              << " records, " << report.blobs << " blobs with " << report.bytes << " bytes, "
              << report.lanes << " lanes: " << (report.clean() ? "clean" : "NOT CLEAN") << '\n';
    if (!report.clean()) print_advice(report, arguments);
}

// What lies in the data directory beside the store: the server's, and no news.
bool is_of_server(const cas::FsckFinding& finding) {
    constexpr std::array<std::string_view, 3> kNames{"audit", "bootstrap-secret", "keys"};
    return finding.code == "unknown_file" &&
           std::find(kNames.begin(), kNames.end(), finding.where) != kNames.end();
}

// The engine's limits play no part in reading what was written under them.
Result<cas::FsckReport> examine(const FsckArguments& arguments, cas::Io& io, Log& log) {
    const bool terminal = ::isatty(STDERR_FILENO) == 1;
    const auto progress = [terminal](std::string_view text) {
        if (terminal) std::cerr << "\r\x1b[K" << text << std::flush;
    };
    cas::FsckOptions options;
    options.threads = usable_cores();
    if (arguments.level == "quick") options.level = cas::FsckLevel::quick;
    if (arguments.level == "deep") options.level = cas::FsckLevel::deep;
    const auto make_catalog = [] { return engine::make_catalog(engine::RegistryLimits{}); };
    auto report = arguments.online ? cas::fsck_online(io, options, make_catalog, log, progress)
                                   : cas::fsck(io, options, *make_catalog(), log, progress);
    progress("");
    if (report) std::erase_if(report.value().findings, is_of_server);
    return report;
}

// What a loss leaves to be put right beside it is put right all the same.
bool has_repairable(const cas::FsckReport& report) {
    return std::any_of(report.findings.begin(), report.findings.end(), [](const auto& each) {
        return each.severity == cas::FsckFinding::Severity::repairable;
    });
}

// First what only a repair does, then a start for writing: it cuts a torn tail, and gives back what no frame knows of.
Result<void> repair(cas::Io& io, Log& log, Metrics& metrics) {
    const auto catalog = engine::make_catalog(engine::RegistryLimits{});
    ORB_TRY(const auto repaired, cas::repair(io, *catalog, log));
    for (const auto& done : repaired.done) std::cerr << "repaired: " << done << '\n';
    for (const auto& left : repaired.left) std::cerr << "left: " << left << '\n';
    OfflineStore store{io, log, metrics};
    ORB_TRY(store.open(false));
    store.stop();
    return ok();
}

int could_not_run(const FsckArguments& arguments, const ErrorCode& error) {
    std::cerr << "error: " << explain_store_error(error, arguments.directory) << '\n';
    return exit_could_not_run;
}

// No start for writing follows: what nothing names any more is given back by the next one, and until then whoever wants to
// may look at it.
int rebuild(const FsckArguments& arguments, cas::Io& io, Log& log) {
    const auto catalog = engine::make_catalog(engine::RegistryLimits{});
    const bool terminal = ::isatty(STDERR_FILENO) == 1;
    const auto rebuilt = cas::rebuild(io, *catalog, log, [terminal](std::string_view text) {
        if (terminal) std::cerr << "\r\x1b[K" << text << std::flush;
    });
    if (terminal) std::cerr << "\r\x1b[K" << std::flush;
    if (!rebuilt) return could_not_run(arguments, rebuilt.error());
    arguments.json ? print_json(rebuilt.value()) : print_text(rebuilt.value());
    const auto again = examine(arguments, io, log);
    if (!again) return could_not_run(arguments, again.error());
    arguments.json ? print_json(again.value(), arguments.level)
                   : print_text(again.value(), arguments);
    const bool all = rebuilt.value().lost.empty() && again.value().clean();
    return all ? exit_repaired : exit_findings;
}

int fsck(const FsckArguments& arguments) {
    const auto log = make_stderr_log(LogLevel::error, LogFormat::text);
    Metrics metrics;
    auto io = make_tool_io(arguments.directory, *log, metrics);
    if (!io) return could_not_run(arguments, io.error());
    auto report = examine(arguments, *io.value(), *log);
    if (!report) return could_not_run(arguments, report.error());
    arguments.json ? print_json(report.value(), arguments.level)
                   : print_text(report.value(), arguments);
    if (report.value().clean()) return exit_clean;
    if (arguments.rebuild && report.value().needs_rebuild)
        return rebuild(arguments, *io.value(), *log);
    if (!arguments.repair || !has_repairable(report.value())) return exit_findings;
    const auto repaired = repair(*io.value(), *log, metrics);
    if (!repaired) return could_not_run(arguments, repaired.error());
    auto again = examine(arguments, *io.value(), *log);
    if (!again) return could_not_run(arguments, again.error());
    if (!arguments.json) print_text(again.value(), arguments);
    return again.value().clean() ? exit_repaired : exit_findings;
}

}  // namespace

void add_fsck(CLI::App& app, int& exit_code) {
    auto* command = app.add_subcommand("fsck", "Check a data directory that no server has open");
    command->footer(
        "Findings: `note` is unusual and not wrong; `repairable` costs nothing to put right; "
        "`loss` "
        "means bytes\nare damaged or gone, and says what heals it.\n"
        "A rebuild brings back: every blob whose digest verifies; names, tags and manifests of "
        "readable checkpoint\nblocks and log frames, and what follows from manifests that are "
        "there. It prints what it could not bring back.\n"
        "Exit codes: 0 clean; 1 findings, all repaired; 2 findings left; 3 could not run.");
    auto arguments = std::make_shared<FsckArguments>();
    command->add_option("directory", arguments->directory, "Data directory")->required();
    command
        ->add_option("--level", arguments->level,
                     "quick: log and counts; normal: and every lane; deep: and every digest")
        ->check(CLI::IsMember({"quick", "normal", "deep"}))
        ->capture_default_str();
    command->add_flag("--json", arguments->json, "Report as JSON");
    auto* repair_flag = command->add_flag("--repair", arguments->repair,
                                          "Put right what can be put right without loss");
    auto* rebuild_flag = command->add_flag(
        "--rebuild", arguments->rebuild,
        "If the checkpoint is lost or the log damaged: make a new checkpoint from what can still "
        "be read. Removes nothing; copy the directory first");
    command
        ->add_flag("--online", arguments->online,
                   "Look beside a running server, without its lock; changes nothing")
        ->excludes(repair_flag)
        ->excludes(rebuild_flag);
    command->callback([arguments, &exit_code] { exit_code = fsck(*arguments); });
}

}  // namespace orbitalreg::program
