// `orbitalreg serve`: opens the store, listens, and serves until it is told to stop.
//
// Signals  SIGTERM, SIGINT: stop gracefully; a second one: now. SIGHUP: read the configuration again.

#include "base/clock.h"
#include "base/hasher.h"
#include "exit_codes.h"
#include "listening_rules.h"
#include "local_registry.h"
#include "process.h"
#include "reloadable_log.h"
#include "subcommands.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <csignal>
#include <iostream>
#include <memory>
#include <string>
#include <unistd.h>
#include <vector>

namespace orbitalreg::program {
namespace {

constexpr auto kResume = asio::as_tuple(asio::use_awaitable);
// How often a stopping server is asked whether its last request has ended.
constexpr std::chrono::milliseconds kStopPoll{10};
// Log segments, lanes, listeners and what the libraries keep open.
constexpr std::uint64_t kDescriptorsBesideConnections = 1024;

void print_errors(const frontend::LoadedConfig& loaded) {
    for (const auto& error : loaded.errors) std::cerr << "error: " << error.text() << '\n';
}

void explain_to_people(const frontend::Server& server) {
    if (::isatty(STDERR_FILENO) == 0) return;
    const auto& address = server.address();
    const bool plain = server.tls_address() != address;
    std::cerr << "\nOrbitalReg serves " << (plain ? "http://" : "https://") << address
              << "/v2/. Try:\n\n"
              << "  docker pull busybox && docker tag busybox " << address
              << "/busybox && docker push " << address << "/busybox\n"
              << "  skopeo copy " << (plain ? "--dest-tls-verify=false " : "")
              << "docker://busybox docker://" << address << "/busybox\n\n";
}

// Reads the configuration again: what can change changes, and what cannot is named.
void reload(const std::vector<std::string>& files, const frontend::Config& running,
            LocalRegistry& registry, ReloadableLog& log) {
    const auto loaded = frontend::load_config(files, frontend::config_environment(environ));
    if (!loaded.ok()) {
        for (const auto& error : loaded.errors)
            log.error("the configuration is not valid", {{"error", error.text()}});
        log.error("nothing was reloaded", {});
        return;
    }
    log.set_level(loaded.config.log_level);
    registry.reload_retention(loaded.config);
    const auto& tls = loaded.config.server.tls;
    if (running.server.tls.enabled() && tls.enabled()) {
        // The files may be others under the same names.
        const auto trouble = registry.server().load_tls(tls);
        if (trouble.empty()) {
            log.info("certificate reloaded", {{"certificate", tls.certificate}});
        } else {
            log.error("the certificate in use stays: the new one cannot be used",
                      {{"error", trouble}});
        }
    }
    std::string sections;
    for (const auto& path : frontend::restart_needed(running, loaded.config)) {
        sections += (sections.empty() ? "" : ", ") + path;
    }
    log.info("configuration reloaded",
             {{"needs_restart", sections.empty() ? "nothing" : sections}});
    registry.note("config", sections.empty() ? "" : "needs a restart: " + sections);
}

// What the control loop works with; outlives it.
struct Control {
    asio::io_context& context;
    LocalRegistry& registry;
    const frontend::Config& config;
    const std::vector<std::string>& files;
    ReloadableLog& log;
    // Made before anybody is told that the server serves: a signal that comes at once is not lost.
    asio::signal_set signals{context, SIGTERM, SIGINT, SIGHUP};
    bool hurry = false;  // a second signal came
};

Awaitable<void> watch_for_second_signal(Control* control) {
    auto [ec, number] = co_await control->signals.async_wait(kResume);
    if (ec) co_return;
    control->hurry = true;
    control->log.warn("told to stop again: running requests are cut", {{"signal", number}});
}

// Running requests have their time (REL-26), then they are cut.
Awaitable<void> stop_serving(Control* control) {
    auto& server = control->registry.server();
    server.begin_stop();
    asio::steady_timer timer{control->context};
    const auto deadline_ns =
        system_clock().steady_ns() + std::chrono::nanoseconds{control->config.stop_grace}.count();
    bool cut = false;
    while (!server.finished()) {
        if (server.drained()) server.stop_admin();
        if (!cut && (control->hurry || system_clock().steady_ns() >= deadline_ns)) {
            cut = true;
            server.cut_all();
            control->registry.end_transfers();
        }
        timer.expires_after(kStopPoll);
        co_await timer.async_wait(kResume);
    }
}

Awaitable<void> control_loop(Control* control) {
    for (;;) {
        auto [ec, number] = co_await control->signals.async_wait(kResume);
        if (ec) co_return;
        if (number == SIGHUP) {
            reload(control->files, control->config, control->registry, control->log);
            continue;
        }
        control->log.info("stopping: running requests are finished", {{"signal", number}});
        break;
    }
    ErrorCode ignored;
    control->signals.remove(SIGHUP, ignored);
    asio::co_spawn(control->context, watch_for_second_signal(control), asio::detached);
    co_await stop_serving(control);
    control->signals.cancel(ignored);
}

void log_start(const frontend::Config& config, LocalRegistry& registry, Log& log) {
    const auto stats = registry.stats();
    log.info("serving", {{"version", ORB_VERSION},
                         {"address", registry.server().address()},
                         {"tls_address", registry.server().tls_address()},
                         {"admin_address", registry.server().admin_address()},
                         {"path", config.storage.path},
                         {"io", registry.io().name()},
                         {"io_reason", registry.io().reason()},
                         {"durability", config.storage.durable ? "full" : "none"},
                         {"blobs", stats.blobs},
                         {"recovery_ms", stats.recovery_ms},
                         {"clean_start", stats.clean_start}});
    if (!config.storage.durable) {
        log.warn(
            "DURABILITY IS OFF (storage.durability: none): what is acknowledged is lost when power "
            "fails",
            {});
    }
    if (config.insecure) {
        log.warn(
            "http.insecure: plain HTTP without authentication may be reachable from other machines",
            {});
    }
}

void check_descriptors(const frontend::Config& config, Log& log) {
    const auto limit = raise_descriptor_limit();
    const auto wanted = config.server.limits.connections + kDescriptorsBesideConnections;
    if (limit >= wanted) return;
    log.warn(
        "fewer open files are allowed than http.limits.connections may need; raise the limit "
        "(LimitNOFILE, ulimit -n)",
        {{"allowed", limit}, {"wanted", wanted}});
}

// False: the server may not go on.
bool give_up_privileges(const std::string& directory, Log& log) {
    const auto privileges = drop_privileges(directory);
    if (!privileges.trouble.empty()) {
        std::cerr << "error: " << privileges.trouble << '\n';
        return false;
    }
    if (privileges.changed_user) {
        log.info("started as root: continues as the owner of the data directory",
                 {{"user", privileges.user}, {"group", privileges.group}});
    }
    if (privileges.root) {
        log.warn(
            "runs as root, without its capabilities; give the data directory to a user of its own "
            "(chown -R), and the server continues as that user",
            {{"path", directory}});
    }
    return true;
}

int serve(const std::vector<std::string>& files) {
    const auto loaded = frontend::load_config(files, frontend::config_environment(environ));
    if (!loaded.ok()) {
        print_errors(loaded);
        return exit_could_not_run;
    }
    const auto& config = loaded.config;
    if (const auto refused = refuse_listening(config); !refused.empty()) {
        std::cerr << "error: " << refused << '\n';
        return exit_could_not_run;
    }
    harden_process();
    ReloadableLog log{config.log_level, config.log_format};
    for (const auto& warning : loaded.warnings)
        log.warn("configuration", {{"warning", warning.text()}});
    if (!Hasher::self_test()) {
        std::cerr << "error: a saved state of this machine's SHA library does not continue to the "
                     "same digest\n";
        return exit_could_not_run;
    }
    check_descriptors(config, log);
    if (!give_up_privileges(config.storage.path, log)) return exit_could_not_run;
    // Its thread has no more rights than this one has now.
    if (config.log_gather.count() > 0) log.gather(config.log_gather);
    LocalRegistry registry{config, log};
    std::string trouble;
    if (!registry.open(trouble)) {
        std::cerr << "error: " << trouble << '\n';
        return exit_could_not_run;
    }
    asio::io_context context{1};
    Control control{context, registry, config, files, log};
    asio::co_spawn(context, control_loop(&control), asio::detached);
    if (!registry.start(trouble)) {
        std::cerr << "error: " << trouble << '\n';
        registry.stop();
        return exit_could_not_run;
    }
    log_start(config, registry, log);
    explain_to_people(registry.server());
    context.run();
    registry.stop();
    log.info("stopped", {});
    return exit_clean;
}

}  // namespace

void add_serve(CLI::App& app, int& exit_code) {
    auto* command = app.add_subcommand("serve", "Serve a registry");
    auto files = std::make_shared<std::vector<std::string>>();
    command->add_option("-c,--config", *files,
                        "Configuration file; several are read in order, the later wins");
    command->callback([files, &exit_code] { exit_code = serve(*files); });
}

}  // namespace orbitalreg::program
