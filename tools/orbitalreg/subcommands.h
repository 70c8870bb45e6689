#pragma once
// The subcommands of the program, a file each, or one for two that belong together. Each adds itself to the command line and
// runs when it was chosen; its exit code is where `exit_code` points.

#include <CLI/CLI.hpp>

namespace orbitalreg::program {

void add_serve(CLI::App& app, int& exit_code);
void add_config(CLI::App& app, int& exit_code);
void add_fsck(CLI::App& app, int& exit_code);
void add_compact(CLI::App& app, int& exit_code);
void add_scrub(CLI::App& app, int& exit_code);
void add_gc(CLI::App& app, int& exit_code);
void add_stats(CLI::App& app, int& exit_code);
void add_login(CLI::App& app, int& exit_code);
void add_logout(CLI::App& app, int& exit_code);
void add_user(CLI::App& app, int& exit_code);
void add_token(CLI::App& app, int& exit_code);
void add_robot(CLI::App& app, int& exit_code);
void add_project(CLI::App& app, int& exit_code);
void add_repo(CLI::App& app, int& exit_code);
void add_retention(CLI::App& app, int& exit_code);
void add_access(CLI::App& app, int& exit_code);
void add_keys(CLI::App& app, int& exit_code);
void add_audit(CLI::App& app, int& exit_code);
void add_bench(CLI::App& app, int& exit_code);
void add_dump(CLI::App& app, int& exit_code);
void add_import(CLI::App& app, int& exit_code);

}  // namespace orbitalreg::program
