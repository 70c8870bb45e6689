// `orbitalreg stats`: the figures of a data directory that no server has open, or of a running server.

#include "base/log.h"
#include "base/metrics.h"
#include "cas/store.h"
#include "engine/embedded_store.h"
#include "exit_codes.h"
#include "offline_store.h"
#include "store_opening.h"
#include "subcommands.h"

#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace orbitalreg::program {
namespace {

struct StatsArguments {
    std::string directory;
    bool json = false;
};

using Figures = std::vector<std::pair<std::string, std::uint64_t>>;

Figures collect(engine::EmbeddedStore& embedded) {
    const auto store = embedded.store().stats();
    const auto registry = embedded.registry_store().stats();
    return {{"images", registry.images},
            {"repositories", registry.repositories},
            {"manifests", registry.manifests},
            {"tags", registry.tags},
            {"links", registry.links},
            {"documents", registry.documents},
            {"catalog_memory_bytes", registry.catalog_memory_bytes},
            {"blobs", store.blobs},
            {"blob_bytes", store.blob_bytes},
            {"damaged_blobs", store.damaged_blobs},
            {"uploads_open", store.uploads_open},
            {"log_segments", store.log_segments},
            {"log_bytes", store.log_bytes},
            {"lanes", store.lanes},
            {"lane_bytes_used", store.lane_bytes_used},
            {"lsn", store.lsn},
            {"store_time_ms", store.store_time_ms},
            {"checkpoint_lsn", store.checkpoint_lsn},
            {"checkpoint_bytes", store.checkpoint_bytes},
            {"checkpoint_rows_loaded", store.checkpoint_rows_loaded},
            {"log_bytes_since_checkpoint", store.log_bytes_since_checkpoint},
            {"frames_replayed", store.frames_replayed},
            {"recovery_ms", static_cast<std::uint64_t>(store.recovery_ms)}};
}

void print(const Figures& figures, bool json) {
    if (json) std::cout << '{';
    for (const auto& [name, value] : figures) {
        if (json) {
            std::cout << (name == figures.front().first ? "" : ",") << '"' << name
                      << "\":" << value;
        } else {
            std::cout << name << ' ' << value << '\n';
        }
    }
    if (json) std::cout << "}\n";
}

int stats(const StatsArguments& arguments) {
    const auto log = make_stderr_log(LogLevel::warn, LogFormat::text);
    Metrics metrics;
    auto io = make_tool_io(arguments.directory, *log, metrics);
    if (!io) {
        std::cerr << "error: " << explain_store_error(io.error(), arguments.directory) << '\n';
        return exit_could_not_run;
    }
    OfflineStore store{*io.value(), *log, metrics};
    const auto opened = store.open(true);
    if (!opened) {
        std::cerr << "error: " << explain_store_error(opened.error(), arguments.directory) << '\n';
        return exit_could_not_run;
    }
    print(collect(store.embedded()), arguments.json);
    return exit_clean;
}

}  // namespace

void add_stats(CLI::App& app, int& exit_code) {
    auto* command =
        app.add_subcommand("stats", "Figures of a data directory that no server has open");
    auto arguments = std::make_shared<StatsArguments>();
    command->add_option("directory", arguments->directory, "Data directory")->required();
    command->add_flag("--json", arguments->json, "As one JSON object");
    command->callback([arguments, &exit_code] { exit_code = stats(*arguments); });
}

}  // namespace orbitalreg::program
