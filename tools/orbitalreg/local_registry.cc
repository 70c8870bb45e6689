#include "local_registry.h"

#include "base/clock.h"
#include "base/cores.h"
#include "base/random.h"
#include "engine/remotes.h"
#include "frontend/bootstrap.h"
#include "store_opening.h"

#include <boost/asio/use_future.hpp>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <system_error>
#include <thread>
#include <unistd.h>

namespace orbitalreg::program {
namespace {

unsigned reactor_count(const frontend::Config& config) noexcept {
    return config.threads > 0 ? config.threads : usable_cores();
}

cas::IoChoice io_choice(frontend::IoBackend backend) noexcept {
    switch (backend) {
        case frontend::IoBackend::uring:
            return cas::IoChoice::uring;
        case frontend::IoBackend::threads:
            return cas::IoChoice::threads;
        case frontend::IoBackend::automatic:
            break;
    }
    return cas::IoChoice::automatic;
}

const std::string kAuditHead = "audit/head";

Awaitable<std::string> load_projects(engine::Projects* projects) {
    const auto loaded = co_await projects->load();
    if (loaded) co_return std::string{};
    co_return "the repositories cannot be read: " + loaded.error().message;
}

Awaitable<void> stop_store(cas::Store* store) { co_await store->stop(); }

}  // namespace

cas::StoreOptions store_options(const frontend::Config& config) {
    cas::StoreOptions options;
    options.durability = config.storage.durable ? cas::Durability::full : cas::Durability::none;
    options.log_segment_size_bytes = config.storage.log_segment_bytes;
    options.lane_target_bytes = config.storage.lane_bytes;
    options.lanes_writing_max = config.storage.lanes_writing_max;
    options.commit_target_us = 1000 * config.storage.commit_target.count();
    options.memory_limit_bytes = config.storage.memory_limit_bytes;
    options.checkpoint_interval_bytes = config.storage.checkpoint_interval_bytes;
    options.checkpoint_after_ms = config.storage.checkpoint_after.count();
    options.checkpoint_at_stop_bytes = config.storage.checkpoint_at_stop_bytes;
    if (const auto limit = config.server.limits.blob_bytes; limit > 0) {
        options.blob_size_max_bytes = std::min(limit, options.blob_size_max_bytes);
    }
    options.uploads_idle_expiry_ms = config.uploads.idle_expiry.count();
    options.uploads_open_max = config.uploads.open_max;
    options.uploads_closed_max = config.uploads.closed_max;
    options.rehash_max = config.uploads.rehash_max;
    options.scrub_rate_bytes = config.scrub.rate_bytes;
    options.scrub_full_every_ms = config.scrub.full_every.count();
    options.scrub_digest_every = config.scrub.digest_every;
    options.damage_marks_per_minute_max = config.scrub.marks_per_minute;
    options.compaction_interval_ms = config.compaction.interval.count();
    options.compaction_rate_bytes_per_s = config.compaction.rate_bytes;
    options.gc_interval_ms = config.gc.interval.count();
    options.gc_grace_ms = config.gc.grace.count();
    options.gc_paused = config.gc.paused;
    options.damaged_keep_ms = config.gc.damaged_keep.count();
    return options;
}

engine::RegistryOptions registry_options(const frontend::Config& config) {
    engine::RegistryOptions options;
    options.limits.manifest_size_max_bytes = config.server.limits.manifest_bytes;
    options.limits.blob_size_max_bytes = config.server.limits.blob_bytes;
    options.limits.uploads_idle_expiry_ms = config.uploads.idle_expiry.count();
    options.limits.uploads_per_principal_max = config.uploads.open_per_principal;
    options.auto_create_projects = config.auto_create_projects;
    options.default_project = config.default_project;
    options.mount_without_from = config.server.mount_without_from;
    for (const auto& project : config.projects) {
        engine::ProjectDeclaration declaration{
            project.name, project.auto_create, {}, project.open_to_all, {}};
        for (const auto& member : project.members) {
            // The configuration was read: the role is one.
            const auto role = engine::parse_role(member.role).value_or(engine::Role::limited);
            declaration.members.push_back({member.group, member.name, role, member.patterns});
        }
        for (const auto& repository : project.repositories) {
            declaration.repositories.push_back(
                {repository.name, repository.type, repository.sparse_index_allowed,
                 repository.open_to_all, repository.remote, repository.members});
        }
        options.projects.push_back(std::move(declaration));
    }
    return options;
}

namespace {

engine::RetentionOptions retention_options(const frontend::Config& config) {
    const auto& chosen = config.retention;
    engine::RetentionOptions options;
    options.enabled = chosen.enabled;
    options.max_clock_jump_ms = chosen.max_clock_jump.count();
    options.trash_ms = config.gc.grace.count();
    if (chosen.trash_hours != 0)
        options.trash_ms =
            std::chrono::milliseconds{std::chrono::hours{chosen.trash_hours}}.count();
    options.manifest_size_max_bytes = config.server.limits.manifest_bytes;
    return options;
}

Awaitable<void> finish_retention(engine::Retention* retention) { co_await retention->finish(); }

}  // namespace

LocalRegistry::LocalRegistry(const frontend::Config& config, Log& log)
    : config_{config}, log_{log}, reactors_{reactor_count(config)} {
    auto& keys = config_.server.auth.keys_path;
    if (keys.empty()) keys = config_.storage.path + "/keys";
    config_.server.auth.bootstrap_path = config_.storage.path + "/bootstrap-secret";
    config_.server.audit = config_.audit;
    config_.server.oidc = config_.oidc;
    if (config_.server.audit.path.empty())
        config_.server.audit.path = config_.storage.path + "/audit";
}

LocalRegistry::~LocalRegistry() { reactors_.stop(); }

bool LocalRegistry::open(std::string& trouble) {
    return open_store(trouble) && open_audit(trouble) && open_server(trouble);
}

bool LocalRegistry::open_store(std::string& trouble) {
    const std::string& path = config_.storage.path;
    std::error_code made;
    std::filesystem::create_directories(path, made);
    if (made == std::errc::permission_denied) {
        trouble = path + ": user " + std::to_string(::geteuid()) +
                  " may not make or reach the data directory: each folder above it must let that "
                  "user pass. Or set storage.path.";
        return false;
    }
    if (made) {
        trouble =
            path + ": the data directory cannot be made: " + made.message() + ". Set storage.path.";
        return false;
    }
    cas::IoOptions io_options;
    io_options.choice = io_choice(config_.storage.io);
    auto io = cas::make_io(path, io_options, log_, metrics_);
    if (!io) {
        trouble = path + ": no I/O backend: " + io.error().message() +
                  (io_options.choice == cas::IoChoice::uring ? ". Try `storage.io: auto`." : ".");
        return false;
    }
    io_ = std::move(io.value());
    cas::StoreEnvironment environment{
        *io_,     system_clock(),        system_random(),        log_,
        metrics_, reactors_.executors(), reactors_.background(), false};
    auto embedded = engine::open_embedded(std::move(environment), store_options(config_),
                                          registry_options(config_).limits);
    if (!embedded) {
        trouble = explain_store_error(embedded.error(), path);
        return false;
    }
    embedded_ = std::move(embedded.value());
    return true;
}

bool LocalRegistry::open_audit(std::string& trouble) {
    using frontend::AuditEnabled;
    const auto& options = config_.server.audit;
    const bool automatic = options.enabled == AuditEnabled::automatic && config_.server.auth.on;
    if (options.enabled != AuditEnabled::on && !automatic) return true;
    auto opened = frontend::AuditLog::open(options.path, options, system_clock(), log_, metrics_);
    if (!opened) {
        trouble = options.path + ": the audit log cannot be opened: " + opened.error().message() +
                  ". audit.path and audit.enabled choose otherwise.";
        return false;
    }
    audit_ = std::move(opened.value());
    return true;
}

bool LocalRegistry::open_server(std::string& trouble) {
    auto& documents = embedded_->document_store();
    const auto options = registry_options(config_);
    accounts_ = std::make_unique<engine::Accounts>(documents, system_random(), system_clock());
    projects_ = std::make_unique<engine::Projects>(documents, system_random(), system_clock(),
                                                   options.projects, options.default_project);
    access_ = std::make_unique<engine::AccessControl>(*accounts_, *projects_, system_random());
    outbound_ = frontend::make_outbound(
        {system_clock(), log_, metrics_, [this](const std::string& why) { note_refused(why); }});
    remotes_ = std::make_unique<engine::Remotes>(engine::RemotesEnvironment{
        embedded_->registry_store(), documents, outbound_->factory(), system_clock(),
        system_random(), log_, metrics_, options.limits});
    registry_ =
        std::make_unique<engine::Registry>(embedded_->registry_store(), system_random(), log_,
                                           metrics_, options, projects_.get(), remotes_.get());
    retention_ = std::make_unique<engine::Retention>(
        embedded_->registry_store(), embedded_->retention_store(), documents, system_clock(),
        system_random(), log_, metrics_, reactors_.background(), retention_options(config_),
        [this](const engine::RetentionEvent& event) { note_retention(event); });
    reload_retention(config_);
    registry_->set_pull_observer(*retention_);
    frontend::ServerEnvironment environment{*registry_,
                                            embedded_->upkeep(),
                                            *access_,
                                            reactors_.executors(),
                                            system_clock(),
                                            system_random(),
                                            log_,
                                            metrics_,
                                            [this] { return health(); },
                                            reactors_.background(),
                                            audit_.get(),
                                            retention_.get()};
    server_ = std::make_unique<frontend::Server>(std::move(environment), config_.server);
    if (config_.server.tls.enabled()) {
        trouble = server_->load_tls(config_.server.tls);
        if (!trouble.empty()) return false;
    }
    trouble = server_->open_auth();
    if (!trouble.empty()) return false;
    const auto listening = server_->listen();
    if (!listening) {
        trouble =
            server_->failed_address() + ": cannot listen: " + listening.error().message() +
            ". Is another server running there? http.addr, http.tls.addr and admin.addr choose "
            "other addresses; port 0 takes a free one.";
        return false;
    }
    return true;
}

bool LocalRegistry::start(std::string& trouble) {
    reactors_.start();
    const auto executor = reactors_.executors().front();
    trouble = asio::co_spawn(executor, load_projects(projects_.get()), asio::use_future).get();
    if (!trouble.empty()) return false;
    if (config_.server.auth.on) {
        trouble = asio::co_spawn(executor,
                                 frontend::prepare_bootstrap(
                                     access_.get(), config_.server.auth.bootstrap_path, &log_),
                                 asio::use_future)
                      .get();
        if (!trouble.empty()) return false;
    }
    if (audit_) {
        asio::co_spawn(executor, check_audit_head(this), asio::use_future).wait();
        note("start");
    }
    server_->start();
    asio::co_spawn(executor, tend(this), asio::detached);
    asio::co_spawn(executor, tend_retention(this), asio::detached);
    return true;
}

void LocalRegistry::reload_retention(const frontend::Config& config) {
    auto read = engine::read_retention_policies(config.retention.texts);
    if (!read.policies) return;  // the configuration was checked before
    retention_->set_policies(std::move(read.policies));
    retention_->set_options(retention_options(config));
}

void LocalRegistry::note_retention(const engine::RetentionEvent& event) {
    if (!audit_) return;
    frontend::AuditEvent line;
    line.action = event.action;
    line.principal = event.principal;
    line.object = event.image;
    line.reference = event.reference;
    line.digest = event.digest;
    line.granted = event.granted;
    line.rule = event.policy;
    line.reason = event.reason;
    if (!event.run.empty()) line.more.emplace_back("run", event.run);
    if (!audit_->append(line))
        log_.error("an audit event could not be written", {{"action", event.action}});
}

// Pulls are written once a minute, and policies run when their time has come.
Awaitable<void> LocalRegistry::tend_retention(LocalRegistry* self) {
    constexpr std::int64_t kEveryNs = 60'000'000'000;
    co_await self->retention_->begin();
    for (;;) {
        co_await system_clock().sleep_until(system_clock().steady_ns() + kEveryNs);
        co_await self->retention_->tick();
    }
}

void LocalRegistry::note_refused(const std::string& why) {
    if (!audit_) return;
    frontend::AuditEvent event;
    event.action = "upstream.address_refused";
    event.reason = why;
    if (!audit_->append(event))
        log_.error("an audit event could not be written", {{"action", event.action}});
}

void LocalRegistry::note(std::string_view action, std::string_view reason) {
    if (!audit_) return;
    frontend::AuditEvent event;
    event.action = action;
    event.granted = true;
    event.reason = reason;
    if (!audit_->append(event))
        log_.error("an audit event could not be written", {{"action", action}});
}

// The chain shows what was changed in the middle; the store shows whether its end is still there.
Awaitable<void> LocalRegistry::check_audit_head(LocalRegistry* self) {
    const auto known = co_await self->embedded_->document_store().get(kAuditHead);
    if (!known) co_return;
    const auto text = as_text(known.value().bytes);
    const auto colon = text.find(':');
    frontend::AuditFilter filter;
    std::uint64_t seq = 0;
    std::from_chars(text.data(), text.data() + std::min(colon, text.size()), seq);
    if (seq == 0 || colon == text.npos) co_return;
    filter.after_seq = seq - 1;
    filter.oldest_first = true;
    filter.limit = 1;
    const auto page = self->audit_->read(filter);
    const bool there =
        page && !page.value().lines.empty() &&
        frontend::audit_field(page.value().lines.front(), "hash") == text.substr(colon + 1);
    if (there) co_return;
    self->log_.error(
        "the audit log is not the one that was written: its end was cut off, or it was changed",
        {{"line", std::to_string(seq)}});
    self->note("audit.altered");
}

Awaitable<void> LocalRegistry::note_audit_head(LocalRegistry* self) {
    if (!self->audit_) co_return;
    const auto head = self->audit_->head();
    if (head.seq == self->noted_seq_) co_return;
    const auto text = std::to_string(head.seq) + ':' + head.hash;
    const auto bytes = as_bytes(text);
    engine::DocumentWrite write{
        kAuditHead, {bytes.begin(), bytes.end()}, engine::DocumentExpectation::anything(), 0};
    const auto id = engine::RequestId::make(system_random());
    const auto written = co_await self->embedded_->document_store().put(id, std::move(write));
    if (written) self->noted_seq_ = head.seq;
}

void LocalRegistry::note_upkeep() {
    const auto collection = embedded_->upkeep().collection_status();
    if (collection.rounds != noted_rounds_ && collection.last) {
        noted_rounds_ = collection.rounds;
        const auto& round = *collection.last;
        // A round that found nothing to do is no news.
        if (round.deleted > 0 || !round.trouble.empty()) {
            note("gc", std::to_string(round.deleted) + " blobs deleted, " +
                           std::to_string(round.deleted_bytes) + " bytes" +
                           (round.trouble.empty() ? "" : "; " + round.trouble));
        }
    }
    const auto damaged = embedded_->store().stats().damaged_blobs;
    if (damaged > noted_damaged_)
        note("integrity", std::to_string(damaged) + " blobs are not what they were");
    noted_damaged_ = damaged;
}

// What has to be looked at now and then.
Awaitable<void> LocalRegistry::tend(LocalRegistry* self) {
    constexpr std::int64_t kEveryNs = 30'000'000'000;
    for (;;) {
        co_await system_clock().sleep_until(system_clock().steady_ns() + kEveryNs);
        const auto trouble = self->server_->tend_keys();
        if (!trouble.empty())
            self->log_.error("the keys of tokens could not be kept", {{"error", trouble}});
        self->note_upkeep();
        co_await note_audit_head(self);
    }
}

void LocalRegistry::end_transfers() { outbound_->stop(); }

void LocalRegistry::stop() {
    if (audit_) {
        note_upkeep();
        note("stop");
        asio::co_spawn(reactors_.executors().front(), note_audit_head(this), asio::use_future)
            .wait();
    }
    const auto executor = reactors_.executors().front();
    outbound_->stop();
    asio::co_spawn(executor, remotes_->stop(), asio::use_future).wait();
    asio::co_spawn(executor, finish_retention(retention_.get()), asio::use_future).wait();
    asio::co_spawn(executor, stop_store(&embedded_->store()), asio::use_future).wait();
    reactors_.stop();
    server_.reset();
    if (audit_) audit_->stop();
    registry_.reset();
    remotes_.reset();
    outbound_.reset();
    retention_.reset();
    access_.reset();
    projects_.reset();
    accounts_.reset();
    embedded_.reset();
    io_.reset();
}

std::vector<frontend::HealthComponent> LocalRegistry::health() const {
    const auto store = embedded_->store().stats();
    std::string state =
        store.read_only ? "read-only until a restart: " + store.read_only_reason : "writable";
    return {{"store", !store.read_only, std::move(state)},
            {"damage", !store.damage_storm,
             store.damage_storm ? "too many blobs were found damaged within a minute: nothing is "
                                  "marked or collected until the next start"
                                : "calm"},
            {"io", true, std::string{io_->name()} + ": " + std::string{io_->reason()}}};
}

}  // namespace orbitalreg::program
