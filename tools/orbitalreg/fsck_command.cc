// `orbitalreg fsck`: looks at a data directory that no server has open, and changes nothing.

#include "base/log.h"
#include "base/metrics.h"
#include "cas/inspect.h"
#include "engine/embedded_store.h"
#include "exit_codes.h"
#include "store_opening.h"
#include "subcommands.h"

#include <iostream>
#include <memory>
#include <string>
#include <unistd.h>

namespace orbitalreg::program {
namespace {

struct FsckArguments {
    std::string directory;
    std::string level = "normal";
    bool json = false;
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
              << report.lanes << R"(,"findings_dropped":)" << report.findings_dropped
              << R"(,"findings":[)";
    for (const auto& finding : report.findings) {
        if (&finding != &report.findings.front()) std::cout << ',';
        std::cout << R"({"severity":")" << to_string(finding.severity) << R"(","code":")"
                  << escape_json(finding.code) << R"(","where":")" << escape_json(finding.where)
                  << R"(","detail":")" << escape_json(finding.detail) << "\"}";
    }
    std::cout << "]}\n";
}

void print_text(const cas::FsckReport& report, std::string_view level) {
    for (const auto& finding : report.findings) {
        std::cout << to_string(finding.severity) << ' ' << finding.code << " at " << finding.where
                  << ": " << finding.detail << '\n';
    }
    if (report.findings_dropped > 0)
        std::cout << report.findings_dropped << " more findings are not shown\n";
    std::cout << level << ": " << report.frames << " frames, " << report.records << " records, "
              << report.blobs << " blobs with " << report.bytes << " bytes, " << report.lanes
              << " lanes: " << (report.clean() ? "clean" : "NOT CLEAN") << '\n';
}

// The engine's own limits play no part in reading what was written under them.
int fsck(const FsckArguments& arguments) {
    const auto log = make_stderr_log(LogLevel::warn, LogFormat::text);
    Metrics metrics;
    auto io = make_tool_io(arguments.directory, *log, metrics);
    if (!io) {
        std::cerr << "error: " << explain_store_error(io.error(), arguments.directory) << '\n';
        return exit_could_not_run;
    }
    const auto catalog = engine::make_catalog(engine::RegistryLimits{});
    const auto level = arguments.level == "quick" ? cas::FsckLevel::quick : cas::FsckLevel::normal;
    const bool terminal = ::isatty(STDERR_FILENO) == 1;
    const auto progress = [terminal](std::string_view text) {
        if (terminal) std::cerr << "\r\x1b[K" << text << std::flush;
    };
    const auto report = cas::fsck(*io.value(), level, *catalog, *log, progress);
    if (terminal) std::cerr << "\r\x1b[K";
    if (!report) {
        std::cerr << "error: " << explain_store_error(report.error(), arguments.directory) << '\n';
        return exit_could_not_run;
    }
    arguments.json ? print_json(report.value(), arguments.level)
                   : print_text(report.value(), arguments.level);
    return report.value().clean() ? exit_clean : exit_findings;
}

}  // namespace

void add_fsck(CLI::App& app, int& exit_code) {
    auto* command = app.add_subcommand("fsck", "Check a data directory; changes nothing");
    auto arguments = std::make_shared<FsckArguments>();
    command->add_option("directory", arguments->directory, "Data directory")->required();
    command
        ->add_option("--level", arguments->level, "quick: log and counts; normal: and every lane")
        ->check(CLI::IsMember({"quick", "normal"}))
        ->capture_default_str();
    command->add_flag("--json", arguments->json, "Report as JSON");
    command->callback([arguments, &exit_code] { exit_code = fsck(*arguments); });
}

}  // namespace orbitalreg::program
