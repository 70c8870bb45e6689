#pragma once
// SimProcess is the process of one life, from its start on a disk as the last one left it until it is killed, stopped or
// loses its power.
//
// Life     open() -> audit(), run() ... -> stop(), or the destructor, which no killed process would notice.
// Errors   what is wrong goes to SimWorld::fail().

#include "base/log.h"
#include "base/metrics.h"
#include "cas/options.h"
#include "engine/retention.h"
#include "sim/judged.h"
#include "sim/life.h"
#include "sim/upstreams.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace orbitalreg::sim {

// Of one phase of a life; a request that needs more never ends.
inline constexpr std::uint64_t kStepsMax = 400'000;

// What the oracle is told of collection, by the options of the store.
void expect_collection(SimWorld& world, const cas::StoreOptions& options);

// What is true of a store while nobody uses it, and must be true again after the next start.
struct QuietState {
    std::uint64_t fingerprint = 0;
    std::vector<std::uint32_t> references;
    friend bool operator==(const QuietState&, const QuietState&) = default;
};

class SimProcess {
public:
    SimProcess(SimWorld& world, std::int64_t now_ns, const SimIoOptions& options);
    ~SimProcess();

    Result<void> open(const cas::StoreOptions& options, Log& log);
    bool is_open() const noexcept { return store_ != nullptr; }
    Life life();
    // Steps until `done`; fails the world with `complaint` when that never comes.
    void run_until(const std::function<bool()>& done, const char* complaint);
    void audit();
    // Ends what is under way from upstreams, and writes what was noted of pulls, as the process does before its store stops.
    void stop_services();
    // Lets everything that a retention policy matches grow old, and go.
    void let_all_go();
    // In order: closed frame, clean superblock.
    void stop();
    QuietState quiet_state() const;
    // A counter of the store's metrics.
    std::uint64_t counted(std::string_view name) { return metrics_.counter(name, "").value(); }
    // Nothing changes by itself: no round of collection is under way.
    bool is_quiet() const;
    // Lets the grace pass, and two rounds of collection; then nothing unreferenced is left.
    void await_collection(const cas::StoreOptions& options);

    SimScheduler& scheduler() noexcept { return scheduler_; }
    SimClock& clock() noexcept { return clock_; }
    SimIo& io() noexcept { return io_; }
    engine::EmbeddedStore& store() noexcept { return *store_; }

private:
    void begin_retention(const cas::StoreOptions& options, Log& log);
    void perform(Awaitable<void> work, const char* complaint);

    SimWorld& world_;
    SimScheduler scheduler_;
    SimClock clock_;
    Metrics metrics_;
    SimIo io_;
    std::unique_ptr<engine::EmbeddedStore> store_;
    std::unique_ptr<SimUpstreams> upstreams_;
    std::unique_ptr<engine::Remotes> remotes_;
    std::unique_ptr<WatchedRetentionStore> retention_store_;
    std::unique_ptr<engine::Retention> retention_;
};

// fsck of the store at rest must have nothing to say, and replay `quiet`, when that is known.
void check_at_rest(SimWorld& world, Log& log, const QuietState* quiet);

}  // namespace orbitalreg::sim
