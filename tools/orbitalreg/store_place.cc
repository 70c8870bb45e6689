#include "store_place.h"

#include "base/log.h"
#include "base/metrics.h"
#include "exit_codes.h"
#include "frontend/config.h"
#include "local_registry.h"
#include "store_opening.h"

#include <iostream>

namespace orbitalreg::program {
namespace {

int print(const StorePlace& place, std::string_view json, Describe describe, Verdict verdict) {
    if (place.json) {
        std::cout << json << (json.ends_with('\n') ? "" : "\n");
    } else {
        std::cout << describe(json);
    }
    return verdict(json);
}

}  // namespace

void add_place(CLI::App& command, StorePlace& place, const std::string& configured) {
    auto* group = command.add_option_group("place", "Where to work");
    group->add_option("directory", place.directory, "Data directory that no server has open");
    group->add_option("--server", place.server.url,
                      "A running server, as http://127.0.0.1:5000; without it and without a "
                      "directory ORBITALREG_SERVER, or the only one that there is a login of");
    group->require_option(0, 1);
    add_account_options(command, place.server);
    if (!configured.empty()) {
        // One for each -c: the directory may stand behind it.
        command
            .add_option("-c,--config", place.files,
                        "Configuration, for " + configured + " where no server is asked")
            ->allow_extra_args(false);
    }
    command.add_flag("--json", place.json, "As one JSON object");
}

int tell(const StorePlace& place, const ServerClient::Answer& answer, Describe describe,
         Verdict verdict) {
    if (!answer.ok()) return could_not_run(answer.trouble);
    return print(place, answer.body, describe, verdict);
}

int on_directory(const StorePlace& place, Access access, Describe describe, Verdict verdict,
                 const std::function<void(OfflineStore&, DirectoryAnswer&)>& work,
                 const std::function<void(cas::StoreOptions&)>& prepare) {
    const auto loaded = frontend::load_config(place.files, {});
    if (!loaded.ok()) return could_not_run(loaded.errors.front().text());
    const auto log = make_stderr_log(LogLevel::warn, LogFormat::text);
    Metrics metrics;
    auto io = make_tool_io(place.directory, *log, metrics);
    if (!io) return could_not_run(explain_store_error(io.error(), place.directory));
    cas::StoreOptions options = store_options(loaded.config);
    options.read_only = access == Access::read;
    if (prepare) prepare(options);
    OfflineStore store{*io.value(), *log, metrics};
    const auto opened = store.open(options);
    if (!opened) return could_not_run(explain_store_error(opened.error(), place.directory));
    DirectoryAnswer answer;
    work(store, answer);
    if (access == Access::write) store.stop();
    if (!answer.trouble.empty()) return could_not_run(answer.trouble);
    return print(place, answer.json, describe, verdict);
}

}  // namespace orbitalreg::program
