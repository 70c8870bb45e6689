#include "sim/process.h"

#include "cas/inspect.h"
#include "sim/keepers.h"
#include "sim/pulls.h"

#include <algorithm>

namespace orbitalreg::sim {

void expect_collection(SimWorld& world, const cas::StoreOptions& options) {
    // A lease is not renewed while less than this has run; times of blobs are whole seconds.
    constexpr std::int64_t kHourMs = 3'600'000;
    constexpr std::int64_t kRoundingMs = 1000;
    const std::int64_t grace = std::max<std::int64_t>(0, options.gc_grace_ms - kRoundingMs);
    const std::int64_t slack = std::min<std::int64_t>(kHourMs, options.gc_grace_ms / 24);
    const std::int64_t promise = std::max<std::int64_t>(0, grace - slack);
    world.history.set_collection(static_cast<std::uint64_t>(promise),
                                 static_cast<std::uint64_t>(grace));
}

SimProcess::SimProcess(SimWorld& world, std::int64_t now_ns, const SimIoOptions& options)
    : world_{world},
      scheduler_{world.random.draw(), now_ns},
      clock_{scheduler_},
      io_{world.disk, world.random, world.trace, options} {
    world.store_time.begin_life();
}

SimProcess::~SimProcess() {
    scheduler_.clear();
    retention_.reset();
    retention_store_.reset();
    remotes_.reset();
    upstreams_.reset();
    store_.reset();
    scheduler_.clear();
}

Result<void> SimProcess::open(const cas::StoreOptions& options, Log& log) {
    const auto executor = scheduler_.executor();
    cas::StoreEnvironment environment{io_,      clock_,     world_.random, log,
                                      metrics_, {executor}, executor,      true};
    ORB_TRY(store_, engine::open_embedded(std::move(environment), options, {}));
    if (world_.pulls == nullptr) return ok();
    world_.pulls->kept.begin_life();
    upstreams_ =
        std::make_unique<SimUpstreams>(world_, world_.pulls->hub, clock_, store_->registry_store());
    remotes_ = std::make_unique<engine::Remotes>(engine::RemotesEnvironment{
        store_->registry_store(), store_->document_store(), *upstreams_, clock_, world_.random, log,
        metrics_, engine::RegistryLimits{}, world_.pulls->hub.limits});
    if (world_.judged != nullptr) begin_retention(options, log);
    return ok();
}

void SimProcess::begin_retention(const cas::StoreOptions& options, Log& log) {
    world_.judged->begin_life();
    retention_store_ = std::make_unique<WatchedRetentionStore>(world_, store_->retention_store());
    engine::RetentionOptions chosen;
    chosen.trash_ms = options.gc_grace_ms;
    retention_ = std::make_unique<engine::Retention>(
        store_->registry_store(), *retention_store_, store_->document_store(), clock_,
        world_.random, log, metrics_, scheduler_.executor(), chosen,
        [](const engine::RetentionEvent&) {});
    const auto read = engine::read_retention_policies({{"sim", world_.judged->policy(), {}}});
    if (!read.policies) {
        world_.fail("the policy: " + read.errors.front().text());
        return;
    }
    retention_->set_policies(read.policies);
    perform(retention_->begin(), "the history of pulls never began");
}

void SimProcess::perform(Awaitable<void> work, const char* complaint) {
    bool done = false;
    const auto run = [](Awaitable<void> of, bool& ended) -> Awaitable<void> {
        co_await std::move(of);
        ended = true;
    };
    asio::co_spawn(scheduler_.executor(), run(std::move(work), done), asio::detached);
    run_until([&] { return done; }, complaint);
}

Life SimProcess::life() {
    return {world_,
            scheduler_,
            clock_,
            io_,
            store_->registry_store(),
            store_->document_store(),
            store_->store(),
            0,
            0,
            false,
            false,
            remotes_.get(),
            retention_.get(),
            retention_store_.get()};
}

void SimProcess::run_until(const std::function<bool()>& done, const char* complaint) {
    scheduler_.run_until([&] { return done() || !world_.failure.empty(); }, kStepsMax);
    if (!done()) world_.fail(complaint);
}

void SimProcess::audit() {
    Life life = this->life();
    bool audited = false;
    asio::co_spawn(scheduler_.executor(), sim::audit(life, audited), asio::detached);
    scheduler_.run_until([&] { return audited; }, kStepsMax);
    if (!audited) world_.fail("the audit never ended");
    if (remotes_ == nullptr || io_.crashed()) return;
    bool audited_pulls = false;
    asio::co_spawn(scheduler_.executor(), audit_pulls(life, audited_pulls), asio::detached);
    run_until([&] { return audited_pulls; }, "the audit of pulls never ended");
    if (retention_ == nullptr || io_.crashed()) return;
    bool audited_judged = false;
    asio::co_spawn(scheduler_.executor(), audit_judged(life, audited_judged), asio::detached);
    run_until([&] { return audited_judged; }, "the audit of what is judged never ended");
}

void SimProcess::stop_services() {
    if (remotes_ == nullptr) return;
    upstreams_->stop();
    perform(remotes_->stop(), "the remote repositories never stopped");
    if (upstreams_->under_way() > 0)
        world_.fail("a transfer is left when the remote repositories have stopped");
    if (retention_ != nullptr && !io_.crashed())
        perform(retention_->finish(), "the last pulls were never written");
}

void SimProcess::let_all_go() {
    if (retention_ == nullptr || io_.crashed()) return;
    Life life = this->life();
    bool gone = false;
    asio::co_spawn(scheduler_.executor(), sim::let_all_go(life, gone), asio::detached);
    run_until([&] { return gone; }, "the last runs of the policy never ended");
}

void SimProcess::stop() {
    bool stopped = false;
    const auto run_stop = [](cas::Store& store, bool& done) -> Awaitable<void> {
        co_await store.stop();
        done = true;
    };
    asio::co_spawn(scheduler_.executor(), run_stop(store_->store(), stopped), asio::detached);
    scheduler_.run_until([&] { return stopped; }, kStepsMax);
    if (!stopped) world_.fail("stop() never ended");
}

bool SimProcess::is_quiet() const {
    cas::Store& store = store_->store();
    if (remotes_ != nullptr) {
        if (world_.pulls->hub.settings->prefetch) return false;
        for (const engine::RemoteStatus& status : remotes_->status()) {
            if (status.transfers > 0) return false;
        }
    }
    return !store.stats().read_only && !store.collection().status().running;
}

void SimProcess::await_collection(const cas::StoreOptions& options) {
    constexpr std::int64_t kGraceMaxMs =
        60'000;  // what runs by itself would run too often until then
    if (options.gc_grace_ms > kGraceMaxMs) return;
    bool passed = false;
    const auto wait = [](SimClock& clock, std::int64_t by_ms, bool& done) -> Awaitable<void> {
        co_await clock.sleep_until(clock.steady_ns() + by_ms * 1'000'000);
        done = true;
    };
    const std::int64_t by_ms = options.gc_grace_ms + 2 * options.gc_interval_ms + 2000;
    asio::co_spawn(scheduler_.executor(), wait(clock_, by_ms, passed), asio::detached);
    run_until([&] { return passed; }, "time does not pass");
    if (store_->store().stats().read_only || !world_.failure.empty()) return;
    const auto check = [&](const Digest& digest) {
        const auto found = store_->store().find(digest);
        if (found && found->references == 0 && !found->damaged)
            world_.fail("what nothing refers to is left when its grace is over");
    };
    for (const SimBlob& blob : world_.universe.blobs) check(blob.digest);
    for (const SimManifest& manifest : world_.universe.manifests) check(manifest.digest);
    if (world_.pulls == nullptr) return;
    for (const SimBlob& blob : world_.pulls->hub.blobs) check(blob.digest);
    for (const HubManifest& manifest : world_.pulls->hub.manifests) check(manifest.digest);
}

QuietState SimProcess::quiet_state() const {
    QuietState state;
    state.fingerprint = store_->catalog_fingerprint();
    const auto add = [&](const Digest& digest) {
        const auto found = store_->store().find(digest);
        state.references.push_back(found ? found->references : 0);
    };
    for (const SimBlob& blob : world_.universe.blobs) add(blob.digest);
    for (const SimManifest& manifest : world_.universe.manifests) add(manifest.digest);
    return state;
}

void check_at_rest(SimWorld& world, Log& log, const QuietState* quiet) {
    SimIo io{world.disk, world.random, world.trace, {.read_only = true}};
    const auto catalog = engine::make_catalog({});
    const auto report =
        cas::fsck(io, cas::FsckLevel::normal, *catalog, log, [](std::string_view) {});
    if (!report) {
        world.fail("fsck: " + report.error().message());
        return;
    }
    for (const cas::FsckFinding& finding : report.value().findings) {
        if (finding.severity == cas::FsckFinding::Severity::note) continue;
        world.fail("fsck: " + finding.code + " at " + finding.where + ": " + finding.detail);
    }
    if (quiet != nullptr && catalog->fingerprint() != quiet->fingerprint)
        world.fail("fsck replayed another state");
}

}  // namespace orbitalreg::sim
