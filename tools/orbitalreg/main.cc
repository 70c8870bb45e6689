// orbitalreg: the one program. Chooses a subcommand and leaves with its exit code.

#include "exit_codes.h"
#include "subcommands.h"

#include <cstdio>
#include <exception>

int main(int argc, char** argv) {
    using namespace orbitalreg::program;
    CLI::App app{"OrbitalReg, a self-hosted OCI registry with a storage engine of its own"};
    app.set_version_flag("--version", "orbitalreg " ORB_VERSION);
    app.require_subcommand(1);
    int exit_code = exit_clean;
    add_serve(app, exit_code);
    add_config(app, exit_code);
    add_fsck(app, exit_code);
    add_compact(app, exit_code);
    add_scrub(app, exit_code);
    add_gc(app, exit_code);
    add_stats(app, exit_code);
    add_dump(app, exit_code);
    add_import(app, exit_code);
    add_login(app, exit_code);
    add_logout(app, exit_code);
    add_user(app, exit_code);
    add_token(app, exit_code);
    add_robot(app, exit_code);
    add_project(app, exit_code);
    add_repo(app, exit_code);
    add_retention(app, exit_code);
    add_access(app, exit_code);
    add_keys(app, exit_code);
    add_audit(app, exit_code);
    add_bench(app, exit_code);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? exit_clean : exit_could_not_run;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "orbitalreg: %s\n", error.what());
        return exit_could_not_run;
    }
    return exit_code;
}
