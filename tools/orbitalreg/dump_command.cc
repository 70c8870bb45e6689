// `orbitalreg dump`: what a data directory holds, one JSON object a line.

#include "base/log.h"
#include "base/metrics.h"
#include "cas/inspect.h"
#include "engine/embedded_store.h"
#include "exit_codes.h"
#include "store_opening.h"
#include "subcommands.h"

#include <iostream>
#include <map>
#include <memory>
#include <string>

namespace orbitalreg::program {
namespace {

struct DumpArguments {
    std::string name;
    cas::DumpWhat what = cas::DumpWhat::superblock;
    std::string directory;
};

int dump(const DumpArguments& arguments) {
    const auto log = make_stderr_log(LogLevel::warn, LogFormat::text);
    Metrics metrics;
    auto io = make_tool_io(arguments.directory, *log, metrics);
    if (!io) {
        std::cerr << "error: " << explain_store_error(io.error(), arguments.directory) << '\n';
        return exit_could_not_run;
    }
    const auto dumped = cas::dump(*io.value(), arguments.what, engine::describe_record,
                                  [](std::string_view line) { std::cout << line << '\n'; });
    if (!dumped) {
        std::cerr << "error: " << explain_store_error(dumped.error(), arguments.directory) << '\n';
        return exit_could_not_run;
    }
    return exit_clean;
}

}  // namespace

void add_dump(CLI::App& app, int& exit_code) {
    static const std::map<std::string, cas::DumpWhat> kinds{
        {"superblock", cas::DumpWhat::superblock}, {"checkpoint", cas::DumpWhat::checkpoint},
        {"segments", cas::DumpWhat::segments},     {"frames", cas::DumpWhat::frames},
        {"records", cas::DumpWhat::records},       {"blobs", cas::DumpWhat::blobs},
        {"lanes", cas::DumpWhat::lanes},           {"lane-records", cas::DumpWhat::lane_records},
        {"uploads", cas::DumpWhat::uploads}};
    auto* command =
        app.add_subcommand("dump", "Print what a data directory holds, one JSON object a line");
    command->footer(
        "superblock    the four copies: where the log begins, which checkpoint counts\n"
        "checkpoint    both copies, block by block\n"
        "segments      the files of the log\n"
        "frames        group commits behind the checkpoint, as far as the chain is whole\n"
        "records       the changes in them: what was pushed, tagged, deleted, when\n"
        "blobs         each blob that is stored, and where its bytes lie\n"
        "lanes         the files of large blobs\n"
        "lane-records  what lies in them, also of blobs that are gone and were not given back\n"
        "uploads       sessions that are open\n"
        "Nothing is changed. Where a damaged log stops `fsck`, `frames` and `records` tell how "
        "far it reads.");
    auto arguments = std::make_shared<DumpArguments>();
    command
        ->add_option(
            "what", arguments->name,
            "superblock, checkpoint, segments, frames, records, blobs, lanes, lane-records or "
            "uploads")
        ->required()
        ->check(CLI::IsMember(kinds).description(""));
    command->add_option("directory", arguments->directory, "Data directory")->required();
    command->callback([arguments, &exit_code] {
        arguments->what = kinds.at(arguments->name);
        exit_code = dump(*arguments);
    });
}

}  // namespace orbitalreg::program
