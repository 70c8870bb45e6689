#pragma once
// LocalRegistry wires the layers of a server on one machine: reactors, Io, store, registry and server, in the order in
// which they need each other, and takes them down in the reverse.
//
// Life     open() -> start() -> { begin_stop() -> cut_all() } -> stop() -> destroyed.

#include "base/log.h"
#include "base/metrics.h"
#include "cas/io.h"
#include "cas/store.h"
#include "engine/access_control.h"
#include "engine/embedded_store.h"
#include "engine/registry.h"
#include "engine/retention.h"
#include "frontend/audit.h"
#include "frontend/config.h"
#include "frontend/server.h"
#include "frontend/upstreams.h"
#include "reactors.h"

#include <memory>
#include <string>

namespace orbitalreg::program {

class LocalRegistry {
public:
    LocalRegistry(const frontend::Config& config, Log& log);
    ~LocalRegistry();
    LocalRegistry(const LocalRegistry&) = delete;
    LocalRegistry& operator=(const LocalRegistry&) = delete;

    // Recovers the store and binds the addresses. Blocking. False: `trouble` says what happened and what to do.
    bool open(std::string& trouble);
    // False: `trouble` says what happened.
    bool start(std::string& trouble);

    frontend::Server& server() noexcept { return *server_; }
    cas::StoreStats stats() const { return embedded_->store().stats(); }
    const cas::Io& io() const noexcept { return *io_; }

    // Policies and switches of a configuration that was read again.
    void reload_retention(const frontend::Config& config);
    // Of the server itself, in the audit log: a configuration that was read again.
    void note(std::string_view action, std::string_view reason = {});

    // Who waits for an upstream waits no longer.
    void end_transfers();
    // The server is finished: ends the store and the threads.
    void stop();

private:
    bool open_store(std::string& trouble);
    bool open_audit(std::string& trouble);
    bool open_server(std::string& trouble);
    // Rounds of collection and damage that were seen since the last look.
    void note_upkeep();
    static Awaitable<void> check_audit_head(LocalRegistry* self);
    // Notes in the store how far the audit log is, so that a cut end is found out.
    static Awaitable<void> note_audit_head(LocalRegistry* self);
    static Awaitable<void> tend(LocalRegistry* self);
    static Awaitable<void> tend_retention(LocalRegistry* self);
    void note_retention(const engine::RetentionEvent& event);
    void note_refused(const std::string& why);
    std::vector<frontend::HealthComponent> health() const;

    frontend::Config config_;
    Log& log_;
    Metrics metrics_;
    Reactors reactors_;
    std::unique_ptr<cas::Io> io_;
    std::unique_ptr<engine::EmbeddedStore> embedded_;
    std::unique_ptr<engine::Accounts> accounts_;
    std::unique_ptr<engine::Projects> projects_;
    std::unique_ptr<engine::AccessControl> access_;
    std::unique_ptr<frontend::Outbound> outbound_;
    std::unique_ptr<engine::Remotes> remotes_;
    std::unique_ptr<engine::Registry> registry_;
    std::unique_ptr<engine::Retention> retention_;
    std::unique_ptr<frontend::AuditLog> audit_;  // null: nothing is recorded
    std::uint64_t noted_seq_ = 0;
    std::uint64_t noted_rounds_ = 0;
    std::uint64_t noted_damaged_ = 0;
    std::unique_ptr<frontend::Server> server_;
};

cas::StoreOptions store_options(const frontend::Config& config);
engine::RegistryOptions registry_options(const frontend::Config& config);

}  // namespace orbitalreg::program
