// `orbitalreg compact`: gives dead bytes back to the file system, now, on a data directory that no server has open or
// through a running server.

#include "engine/embedded_store.h"
#include "exit_codes.h"
#include "store_place.h"
#include "store_report.h"
#include "subcommands.h"

#include <memory>
#include <string>

namespace orbitalreg::program {
namespace {

constexpr const char* kPath = "/api/v1/system/compaction";

struct CompactArguments {
    StorePlace place;
    bool status = false;
};

Awaitable<void> compact_store(OfflineStore* store, DirectoryAnswer* answer) {
    const auto round = co_await store->embedded().upkeep().compact();
    if (round) {
        answer->json = round.value();
    } else {
        answer->trouble = round.error().message;
    }
}

int compact(const CompactArguments& arguments) {
    const StorePlace& place = arguments.place;
    if (place.asks_server()) {
        const auto client = find_server(place.server);
        if (!client) return exit_could_not_run;
        if (arguments.status)
            return tell(place, client->get(kPath), describe_compaction_status, no_verdict);
        return tell(place, client->post(kPath), describe_compaction, compaction_verdict);
    }
    if (arguments.status) return could_not_run("--status: only a server has one: --server URL");
    return on_directory(
        place, Access::write, describe_compaction, compaction_verdict,
        [](OfflineStore& store, DirectoryAnswer& answer) {
            store.run(compact_store(&store, &answer));
        },
        [](cas::StoreOptions& options) { options.compaction_rate_bytes_per_s = 0; });
}

}  // namespace

void add_compact(CLI::App& app, int& exit_code) {
    auto* command =
        app.add_subcommand("compact", "Give dead bytes back to the file system, a round now");
    command->footer(
        "Exit codes: 0 all that is dead went back; 2 some stays, see what it says; 3 could not "
        "run.\nA server does this of itself each minute. `stats` says where the bytes are.");
    auto arguments = std::make_shared<CompactArguments>();
    add_place(*command, arguments->place, "gc.damaged_keep");
    command->add_flag("--status", arguments->status,
                      "Only say what compaction of a server has done");
    command->callback([arguments, &exit_code] { exit_code = compact(*arguments); });
}

}  // namespace orbitalreg::program
