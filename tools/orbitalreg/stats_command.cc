// `orbitalreg stats`: counts, and where the bytes are, of a data directory that no server has open or of a running server.

#include "engine/embedded_store.h"
#include "exit_codes.h"
#include "store_place.h"
#include "store_report.h"
#include "subcommands.h"

#include <memory>
#include <string>

namespace orbitalreg::program {
namespace {

constexpr const char* kPath = "/api/v1/system/stats";

struct StatsArguments {
    StorePlace place;
    bool files = false;
};

Awaitable<void> ask(OfflineStore* store, bool files, std::string* json) {
    *json = co_await store->embedded().upkeep().stats(files);
}

int stats(const StatsArguments& arguments) {
    const StorePlace& place = arguments.place;
    if (place.asks_server()) {
        const std::string query = arguments.files ? "?files=true" : "";
        const auto client = find_server(place.server);
        if (!client) return exit_could_not_run;
        return tell(place, client->get(kPath + query), describe_stats, no_verdict);
    }
    return on_directory(place, Access::read, describe_stats, no_verdict,
                        [&](OfflineStore& store, DirectoryAnswer& answer) {
                            store.run(ask(&store, arguments.files, &answer.json));
                        });
}

}  // namespace

void add_stats(CLI::App& app, int& exit_code) {
    auto* command = app.add_subcommand("stats", "Counts, and where the bytes are");
    auto arguments = std::make_shared<StatsArguments>();
    add_place(*command, arguments->place, "storage.memory_limit");
    command->add_flag("--files", arguments->files, "Each lane and each log segment too");
    command->callback([arguments, &exit_code] { exit_code = stats(*arguments); });
}

}  // namespace orbitalreg::program
