// `orbitalreg gc run|status|explain DIGEST`: collection, asked of a running server or done on a data directory that no
// server has open.

#include "base/clock.h"
#include "engine/embedded_store.h"
#include "engine/names.h"
#include "exit_codes.h"
#include "gc_report.h"
#include "report_text.h"
#include "store_place.h"
#include "subcommands.h"

#include <iostream>
#include <memory>
#include <string>
#include <unistd.h>

namespace orbitalreg::program {
namespace {

constexpr const char* kPath = "/api/v1/system/gc";

struct GcArguments {
    StorePlace place;
    std::string digest;
    bool dry_run = false;
};

// A round that broke off, a blob nobody knows: something is left for whoever asked.
int verdict(std::string_view json) {
    const bool left =
        !text_member(json, "trouble").empty() || text_member(json, "state") == "unknown";
    return left ? exit_findings : exit_clean;
}

// What is left to look at, while a server runs a round: on a terminal all the time, else one line a minute.
class GcProgress {
public:
    void show(std::string_view status_json) {
        const auto status = parse_object(status_json);
        const std::int64_t now_ns = system_clock().steady_ns();
        if (!status || (!terminal_ && now_ns - told_ns_ < kLineNs)) return;
        told_ns_ = now_ns;
        std::cerr << (terminal_ ? "\r\x1b[K" : "") << number(*status, "unreferenced_blobs")
                  << " unreferenced blobs left" << (terminal_ ? "" : "\n") << std::flush;
    }
    void done() const {
        if (terminal_) std::cerr << "\r\x1b[K" << std::flush;
    }

private:
    static constexpr std::int64_t kLineNs = 60'000'000'000;
    const bool terminal_ = ::isatty(STDERR_FILENO) == 1;
    std::int64_t told_ns_ = system_clock().steady_ns();
};

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

int run(const GcArguments& arguments) {
    const StorePlace& place = arguments.place;
    if (place.asks_server()) {
        const std::string query = arguments.dry_run ? "?dry_run=true" : "";
        const auto client = find_server(place.server);
        if (!client) return exit_could_not_run;
        GcProgress progress;
        const auto answer =
            client->post(kPath + query, [&] { progress.show(client->get(kPath).body); });
        progress.done();
        return tell(place, answer, describe_round, verdict);
    }
    return on_directory(
        place, Access::write, describe_round, verdict,
        [&](OfflineStore& store, DirectoryAnswer& answer) {
            store.run(collect(&store, arguments.dry_run, &answer.json, &answer.trouble));
        },
        [](cas::StoreOptions& options) { options.gc_blobs_per_second = 0; });  // nobody waits
}

int status(const GcArguments& arguments) {
    const StorePlace& place = arguments.place;
    if (place.asks_server()) {
        const auto client = find_server(place.server);
        if (!client) return exit_could_not_run;
        return tell(place, client->get(kPath), describe_status, verdict);
    }
    return on_directory(place, Access::read, describe_status, verdict,
                        [](OfflineStore& store, DirectoryAnswer& answer) {
                            answer.json =
                                engine::to_json(store.embedded().upkeep().collection_status());
                        });
}

int explain_blob(const GcArguments& arguments) {
    const StorePlace& place = arguments.place;
    const auto digest = engine::parse_digest(arguments.digest);
    if (!digest) return could_not_run(arguments.digest + ": is not a digest");
    if (place.asks_server()) {
        const auto client = find_server(place.server);
        if (!client) return exit_could_not_run;
        return tell(place, client->get(kPath + ('/' + digest.value().to_string())),
                    describe_explanation, verdict);
    }
    return on_directory(place, Access::read, describe_explanation, verdict,
                        [&](OfflineStore& store, DirectoryAnswer& answer) {
                            store.run(explain(&store, digest.value(), &answer.json));
                        });
}

}  // namespace

void add_gc(CLI::App& app, int& exit_code) {
    auto* gc = app.add_subcommand("gc", "Collection: delete what nothing references any more");
    gc->require_subcommand(1);
    auto arguments = std::make_shared<GcArguments>();
    auto* run_command = gc->add_subcommand("run", "A round of collection, now");
    run_command->add_flag("--dry-run", arguments->dry_run, "Only say what it would delete");
    add_place(*run_command, arguments->place, "gc.grace");
    run_command->callback([arguments, &exit_code] { exit_code = run(*arguments); });
    auto* status_command = gc->add_subcommand("status", "What collection does and did");
    add_place(*status_command, arguments->place, "gc.grace");
    status_command->callback([arguments, &exit_code] { exit_code = status(*arguments); });
    auto* explain_command =
        gc->add_subcommand("explain", "Why a blob is there, or when and why it went");
    explain_command->add_option("digest", arguments->digest, "sha256:... or sha512:...")
        ->required();
    add_place(*explain_command, arguments->place, "gc.grace");
    explain_command->callback([arguments, &exit_code] { exit_code = explain_blob(*arguments); });
}

}  // namespace orbitalreg::program
