// `orbitalreg config check`: reads the configuration as `serve` would and says all that is wrong with it.

#include "exit_codes.h"
#include "frontend/config.h"
#include "frontend/server.h"
#include "listening_rules.h"
#include "subcommands.h"

#include <iostream>
#include <memory>
#include <string>
#include <unistd.h>
#include <vector>

namespace orbitalreg::program {
namespace {

int check(const std::vector<std::string>& files) {
    const auto loaded = frontend::load_config(files, frontend::config_environment(environ));
    for (const auto& warning : loaded.warnings) std::cerr << "warning: " << warning.text() << '\n';
    for (const auto& error : loaded.errors) std::cerr << "error: " << error.text() << '\n';
    if (!loaded.ok()) return exit_findings;
    if (const auto refused = refuse_listening(loaded.config); !refused.empty()) {
        std::cerr << "error: " << refused << '\n';
        return exit_findings;
    }
    if (const auto trouble = frontend::check_tls(loaded.config.server.tls); !trouble.empty()) {
        std::cerr << "error: " << trouble << '\n';
        return exit_findings;
    }
    std::cout << "the configuration is valid\n";
    return exit_clean;
}

}  // namespace

void add_config(CLI::App& app, int& exit_code) {
    auto* config = app.add_subcommand("config", "Look at the configuration");
    config->require_subcommand(1);
    auto* command = config->add_subcommand(
        "check", "Say what is wrong with the configuration, by file, line and path");
    auto files = std::make_shared<std::vector<std::string>>();
    command->add_option("-c,--config", *files,
                        "Configuration file; several are read in order, the later wins");
    command->add_option("files", *files, "Configuration files");
    command->callback([files, &exit_code] { exit_code = check(*files); });
}

}  // namespace orbitalreg::program
