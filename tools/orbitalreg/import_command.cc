// `orbitalreg import`: takes over what another registry has, from the directory it kept it in, into a data directory that no server
// has open.

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "distribution_tree.h"
#include "engine/names.h"
#include "exit_codes.h"
#include "frontend/audit.h"
#include "frontend/config.h"
#include "import_progress.h"
#include "import_report.h"
#include "import_store.h"
#include "import_target.h"
#include "importer.h"
#include "local_registry.h"
#include "report_text.h"
#include "subcommands.h"

#include <boost/asio/io_context.hpp>
#include <boost/json/serialize.hpp>

#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <unistd.h>
#include <vector>

namespace orbitalreg::program {
namespace {

struct ImportArguments {
    std::vector<std::string> files;
    std::string from;
    std::string directory;
    ImportOptions options;
    bool create_projects = false;
    bool dry_run = false;
    bool json = false;
};

// Where there is one: else the next start begins it.
void record(const std::string& path, const ImportArguments& arguments, const ImportReport& report) {
    if (!std::filesystem::is_directory(path)) return;
    Metrics metrics;
    const auto log = frontend::AuditLog::open(path, frontend::AuditOptions{}, system_clock(),
                                              null_log(), metrics);
    frontend::AuditEvent event;
    event.action = "import";
    event.granted = true;
    event.object = arguments.from;
    event.reason = std::to_string(report.manifests_stored) + " manifests stored, " +
                   std::to_string(report.tags_set + report.tags_moved) + " tags set, " +
                   std::to_string(report.problems_found) + " problems";
    if (!log || !log.value()->append(event))
        std::cerr << "warning: " << path << ": this could not be recorded\n";
}

int told(const ImportArguments& arguments, const ImportReport& report) {
    if (arguments.json) {
        std::cout << json::serialize(report.to_json()) << '\n';
    } else {
        std::cout << report.to_text();
    }
    if (!report.stopped_by.empty()) return exit_could_not_run;
    return report.problems_found == 0 ? exit_clean : exit_findings;
}

void begin(ImportReport& report, ImportProgress& progress) {
    report.on_problem = [&progress](const ImportProblem& problem) {
        progress.say("problem: " + problem.path + ": " + plain_text(problem.what));
    };
}

void end(ImportReport& report, ImportProgress& progress, std::int64_t begun_ns) {
    constexpr std::int64_t kNsPerMs = 1'000'000;
    progress.finish();
    report.on_problem = nullptr;
    report.duration_ms = (system_clock().steady_ns() - begun_ns) / kNsPerMs;
}

void look(const ImportArguments& arguments, const DistributionTree& tree,
          const frontend::Config& config, ImportReport& report) {
    NoTarget target{registry_options(config).limits};
    asio::io_context context{1};
    Importer importer{context.get_executor(), tree, target, arguments.options, report};
    asio::co_spawn(context, importer.run(), asio::detached);
    context.run();
}

bool take_over(const ImportArguments& arguments, const DistributionTree& tree,
               const frontend::Config& config, ImportReport& report, std::string& trouble) {
    const auto log = make_stderr_log(LogLevel::warn, LogFormat::text);
    const auto begun_ns = system_clock().steady_ns();
    ImportStore store{config, arguments.create_projects, *log};
    if (!store.open(arguments.directory, trouble)) return false;
    {
        const bool whole = arguments.options.include.empty() && arguments.options.exclude.empty();
        ImportProgress progress{tree, report, whole};
        begin(report, progress);
        Importer importer{store.executor(), tree, store, arguments.options, report};
        store.run(importer.run());
        end(report, progress, begun_ns);
    }
    store.close();
    return true;
}

int import(ImportArguments arguments) {
    const auto loaded =
        frontend::load_config(arguments.files, frontend::config_environment(environ));
    if (!loaded.ok()) return could_not_run(loaded.errors.front().text());
    const auto& config = loaded.config;
    if (arguments.directory.empty()) arguments.directory = config.storage.path;
    const auto& into = arguments.options.into;
    if (!into.empty() && !engine::ImageName::parse(into))
        return could_not_run("--into " + into + ": no name of an image begins so");
    const auto tree = DistributionTree::open(arguments.from);
    if (!tree) return could_not_run(tree.error().path + ": " + tree.error().what);
    ImportReport report;
    report.dry_run = arguments.dry_run;
    if (arguments.dry_run) {
        const auto begun_ns = system_clock().steady_ns();
        ImportProgress progress{tree.value(), report, false};
        begin(report, progress);
        look(arguments, tree.value(), config, report);
        end(report, progress, begun_ns);
        return told(arguments, report);
    }
    std::string trouble;
    if (!take_over(arguments, tree.value(), config, report, trouble)) return could_not_run(trouble);
    const auto& audit = config.audit.path;
    record(audit.empty() ? arguments.directory + "/audit" : audit, arguments, report);
    return told(arguments, report);
}

}  // namespace

void add_import(CLI::App& app, int& exit_code) {
    auto* command = app.add_subcommand(
        "import",
        "Take over the content of a CNCF Distribution (Docker registry, Harbor) directory");
    command->footer(
        "Everything the source would serve is taken over, untagged manifests, referrers and "
        "signatures too, each blob verified by its digest.\nWhat is damaged or missing is told "
        "with its path, and what depends on it is left out. To run it again goes on where it "
        "ended.\nA project that is not there is made as the configuration lets a push make it: "
        "give the one the server uses.\n"
        "Exit codes: 0 all is there; 2 there were problems, all else is there; 3 could not run, or "
        "not to the end.\nSee docs/operations/migration.md.");
    auto arguments = std::make_shared<ImportArguments>();
    auto& options = arguments->options;
    command
        ->add_option("--from", arguments->from,
                     "The root directory of the distribution: it holds docker/registry/v2")
        ->required();
    command->add_option("directory", arguments->directory,
                        "Data directory that no server has open; default: storage.path of the "
                        "configuration");
    // One value for each time: the directory may stand behind it.
    command
        ->add_option("-c,--config", arguments->files,
                     "Configuration; several are read in order, the later wins")
        ->allow_extra_args(false);
    command->add_option("--into", options.into,
                        "Put this and a `/` before each name, as `acme` or `acme/old`");
    command
        ->add_option("--include", options.include,
                     "Only repositories of the source that this fits: `*` stands for anything "
                     "without `/`, `**` for anything. May be given again")
        ->allow_extra_args(false);
    command->add_option("--exclude", options.exclude, "Not these. May be given again")
        ->allow_extra_args(false);
    command->add_flag("--overwrite-tags", options.overwrite_tags,
                      "Move tags that are there and name something else; else they are kept and "
                      "told");
    command->add_flag("--create-projects", arguments->create_projects,
                      "Make projects and repositories that are missing and that a push would not "
                      "make");
    command->add_flag("--dry-run", arguments->dry_run,
                      "Only look at the source: names, manifests, sizes. Opens no data directory");
    command->add_option("--jobs", options.jobs, "Manifests in hand at once")
        ->check(CLI::Range(1, 64))
        ->capture_default_str();
    command->add_flag("--json", arguments->json, "Report as JSON");
    command->callback([arguments, &exit_code] { exit_code = import(*arguments); });
}

}  // namespace orbitalreg::program
