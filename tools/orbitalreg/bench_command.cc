// `orbitalreg bench`: starts orbitalreg-load, which lies beside this program, with the arguments it was given.

#include "exit_codes.h"
#include "subcommands.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <unistd.h>
#include <vector>

namespace orbitalreg::program {
namespace {

constexpr const char* kLoadProgram = "orbitalreg-load";

// Does not come back when it succeeds.
int start_load(std::vector<std::string> arguments) {
    std::error_code ec;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", ec);
    const auto program = (self.parent_path() / kLoadProgram).string();
    arguments.insert(arguments.begin(), program);
    std::vector<char*> words;
    for (std::string& argument : arguments) words.push_back(argument.data());
    words.push_back(nullptr);
    ::execv(program.c_str(), words.data());
    std::cerr << "error: " << program << " cannot be started: " << std::strerror(errno)
              << ". It is built with the benchmarks (target orbitalreg-load) and belongs beside "
                 "this program.\n";
    return exit_could_not_run;
}

}  // namespace

void add_bench(CLI::App& app, int& exit_code) {
    auto* command = app.add_subcommand(
        "bench", "Put a load on a registry and measure it (orbitalreg-load; `bench --help`)");
    command->prefix_command();
    command->set_help_flag();
    command->callback([command, &exit_code] { exit_code = start_load(command->remaining()); });
}

}  // namespace orbitalreg::program
