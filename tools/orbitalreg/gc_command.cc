// `orbitalreg gc run|status|explain DIGEST`: collection, asked of a running server or done on a data directory that no
// server has open.

#include "base/log.h"
#include "base/metrics.h"
#include "engine/embedded_store.h"
#include "engine/names.h"
#include "exit_codes.h"
#include "frontend/config.h"
#include "gc_report.h"
#include "local_registry.h"
#include "offline_store.h"
#include "server_client.h"
#include "store_opening.h"
#include "subcommands.h"

#include <iostream>
#include <memory>
#include <string>
#include <unistd.h>
#include <vector>

namespace orbitalreg::program {
namespace {

constexpr const char* kPath = "/api/v1/system/gc";

struct GcArguments {
    std::string directory;
    std::string server;
    std::vector<std::string> files;
    std::string digest;
    bool dry_run = false;
    bool json = false;
};

using Describe = std::string (*)(std::string_view json);

int print(const GcArguments& arguments, std::string_view json, Describe describe) {
    if (arguments.json) {
        std::cout << json << (json.ends_with('\n') ? "" : "\n");
    } else {
        std::cout << describe(json);
    }
    return exit_clean;
}

int could_not_run(const std::string& trouble) {
    std::cerr << "error: " << trouble << '\n';
    return exit_could_not_run;
}

// A round that broke off, a blob nobody knows: something is left for whoever asked.
int verdict(std::string_view json) {
    const bool left =
        !text_member(json, "trouble").empty() || text_member(json, "state") == "unknown";
    return left ? exit_findings : exit_clean;
}

int ask_server(const GcArguments& arguments, const std::string& target, bool post,
               Describe describe) {
    const ServerClient client{arguments.server};
    const auto answer = post ? client.post(target) : client.get(target);
    if (!answer.ok()) return could_not_run(answer.trouble);
    print(arguments, answer.body, describe);
    return verdict(answer.body);
}

Awaitable<void> collect(OfflineStore* store, bool dry_run, std::string* json,
                        std::string* trouble) {
    std::function<void(const engine::CollectionRound&)> progress;
    if (::isatty(STDERR_FILENO) == 1) {
        progress = [](const engine::CollectionRound& round) {
            std::cerr << "\r\x1b[K" << round.deleted << " blobs" << std::flush;
        };
    }
    const auto round = co_await store->embedded().upkeep().collect(dry_run, progress);
    if (progress) std::cerr << "\r\x1b[K";
    if (round) {
        *json = engine::to_json(round.value());
    } else {
        *trouble = round.error().message;
    }
}

Awaitable<void> explain(OfflineStore* store, Digest digest, std::string* json) {
    const auto explanation = co_await store->embedded().upkeep().explain(digest);
    *json = engine::to_json(explanation);
}

// Opens the directory, lets `work` make the JSON, closes. `trouble` says why not.
template <class Work>
int on_directory(const GcArguments& arguments, bool read_only, Describe describe, Work work) {
    const auto loaded = frontend::load_config(arguments.files, {});
    if (!loaded.ok()) return could_not_run(loaded.errors.front().text());
    const auto log = make_stderr_log(LogLevel::warn, LogFormat::text);
    Metrics metrics;
    auto io = make_tool_io(arguments.directory, *log, metrics);
    if (!io) return could_not_run(explain_store_error(io.error(), arguments.directory));
    cas::StoreOptions options = store_options(loaded.config);
    options.read_only = read_only;
    options.gc_blobs_per_second = 0;  // nobody is kept waiting
    OfflineStore store{*io.value(), *log, metrics};
    const auto opened = store.open(options);
    if (!opened) return could_not_run(explain_store_error(opened.error(), arguments.directory));
    std::string json;
    std::string trouble;
    work(store, json, trouble);
    if (!read_only) store.stop();
    if (!trouble.empty()) return could_not_run(trouble);
    print(arguments, json, describe);
    return verdict(json);
}

int run(const GcArguments& arguments) {
    if (!arguments.server.empty()) {
        const std::string query = arguments.dry_run ? "?dry_run=true" : "";
        return ask_server(arguments, kPath + query, true, describe_round);
    }
    return on_directory(arguments, false, describe_round,
                        [&](OfflineStore& store, std::string& json, std::string& trouble) {
                            store.run(collect(&store, arguments.dry_run, &json, &trouble));
                        });
}

int status(const GcArguments& arguments) {
    if (!arguments.server.empty()) return ask_server(arguments, kPath, false, describe_status);
    return on_directory(arguments, true, describe_status,
                        [](OfflineStore& store, std::string& json, std::string&) {
                            json = engine::to_json(store.embedded().upkeep().collection_status());
                        });
}

int explain_blob(const GcArguments& arguments) {
    const auto digest = engine::parse_digest(arguments.digest);
    if (!digest) return could_not_run(arguments.digest + ": is not a digest");
    if (!arguments.server.empty()) {
        return ask_server(arguments, kPath + ('/' + digest.value().to_string()), false,
                          describe_explanation);
    }
    return on_directory(arguments, true, describe_explanation,
                        [&](OfflineStore& store, std::string& json, std::string&) {
                            store.run(explain(&store, digest.value(), &json));
                        });
}

// Where to work: a directory or a server, one of the two.
void add_place(CLI::App& command, GcArguments& arguments) {
    auto* place = command.add_option_group("place", "Where to work");
    place->add_option("directory", arguments.directory, "Data directory that no server has open");
    place->add_option("--server", arguments.server, "A running server, as http://127.0.0.1:5000");
    place->require_option(1);
    command.add_option("-c,--config", arguments.files,
                       "Configuration, for gc.grace where no server is asked");
    command.add_flag("--json", arguments.json, "As one JSON object");
}

}  // namespace

void add_gc(CLI::App& app, int& exit_code) {
    auto* gc = app.add_subcommand("gc", "Collection: delete what nothing references any more");
    gc->require_subcommand(1);
    auto arguments = std::make_shared<GcArguments>();
    auto* run_command = gc->add_subcommand("run", "A round of collection, now");
    run_command->add_flag("--dry-run", arguments->dry_run, "Only say what it would delete");
    add_place(*run_command, *arguments);
    run_command->callback([arguments, &exit_code] { exit_code = run(*arguments); });
    auto* status_command = gc->add_subcommand("status", "What collection does and did");
    add_place(*status_command, *arguments);
    status_command->callback([arguments, &exit_code] { exit_code = status(*arguments); });
    auto* explain_command =
        gc->add_subcommand("explain", "Why a blob is there, or when and why it went");
    explain_command->add_option("digest", arguments->digest, "sha256:... or sha512:...")
        ->required();
    add_place(*explain_command, *arguments);
    explain_command->callback([arguments, &exit_code] { exit_code = explain_blob(*arguments); });
}

}  // namespace orbitalreg::program
