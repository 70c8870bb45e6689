#pragma once
// Retention deletes what no policy keeps. It plans on a snapshot, says for every item why, and deletes with a second look in the
// item's own turn: what was pulled or pushed meanwhile stays. Blobs are given back by collection, never from here.
//
// Life     made after the store is open; begin() once requests may come; tick() now and then; finish() before the store stops.
// Durable  runs, and what they deleted, are documents: a run that a crash ended is marked by the next start's first look, and what it
//          deleted can be restored all the same.
// Threads  any reactor. One run for an image name at a time.
// Limits   kRunsKept runs are remembered; a report holds as many items as its query asks for, at most kItemsMax.

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/random.h"
#include "engine/document_store.h"
#include "engine/ports.h"
#include "engine/registry_store.h"
#include "engine/retention_policy.h"
#include "engine/retention_store.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace orbitalreg::engine {

struct RetentionOptions {
    bool enabled = true;  // false: nothing is ever deleted
    std::int64_t max_clock_jump_ms =
        30 * 86'400'000LL;  // between two runs; beyond it they must be confirmed
    std::int64_t trash_ms =
        86'400'000LL;  // how long a deletion can be undone; no longer than blobs wait
    std::uint64_t manifest_size_max_bytes = 4ULL * 1024 * 1024;
};

struct RetentionQuery {
    std::string policy;      // empty: all together
    std::string yaml;        // a policy beside the stored ones, instead of them
    std::string repository;  // an image name; empty: all
    // As of then, in seconds since 1970, without a pull until then; not in the past. 0: now.
    std::int64_t at_wall_s = 0;
    std::uint32_t items_max = 1000;
    bool kept_too = true;  // items that stay are listed as well
};

struct RetentionOrder {
    std::string policy;
    std::string repository;  // empty: all that match
    std::string principal;   // who asked; empty: the schedule
    bool confirm_clock = false;
    bool above_percent = false;  // also where more than max_delete_percent would go
};

struct RestoreOrder {
    std::string run;
    std::string repository;  // empty: all of the run
    std::string reference;   // a tag or digest; empty: all
};

// What is told to the audit log.
struct RetentionEvent {
    std::string action;  // retention.deleted, retention.run, retention.restored
    std::string principal;
    std::string image;
    std::string reference;
    std::string digest;
    std::string policy;
    std::string reason;
    std::string run;
    bool granted = true;
};

class Retention final : public PullObserver {
public:
    static constexpr std::uint32_t kItemsMax = 10'000;
    static constexpr std::uint32_t kRunsKept = 200;

    // All outlive it. `events` is called from any reactor and must not block for long; may be null.
    // `background`: where plans are made.
    Retention(RegistryStore& registry, RetentionStore& store, DocumentStore& documents,
              Clock& clock, Random& random, Log& log, Metrics& metrics,
              asio::any_io_executor background, RetentionOptions options,
              std::function<void(const RetentionEvent&)> events);
    ~Retention() override;
    Retention(const Retention&) = delete;
    Retention& operator=(const Retention&) = delete;

    // Takes effect with the next evaluation.
    void set_policies(std::shared_ptr<const RetentionPolicies> policies);
    void set_options(RetentionOptions options);
    std::vector<std::string> policy_names() const;
    // The first look: from here on pulls are noted.
    Awaitable<void> begin();
    // Writes the pulls that were noted, and runs the policies whose time has come. At most one at a time.
    Awaitable<void> tick();
    Awaitable<void> finish();

    // PullObserver
    Awaitable<void> pulled(Principal principal, ImageName image, Reference reference,
                           Digest digest) override;
    // Pulls that are noted and not yet written.
    std::size_t pulls_waiting() const;

    // All answers are JSON objects; docs/api/openapi.json has their shapes.
    Awaitable<Answer<std::string>> plan(RetentionQuery query);
    Awaitable<Answer<std::string>> explain(ImageName image, Reference reference);
    // Errc::precondition_failed where nothing may be deleted at all, in_use while another run works on the same image name.
    Awaitable<Answer<std::string>> run(RetentionOrder order);
    // Newest first; `before`: a run's number, 0 for the newest.
    Awaitable<Answer<std::string>> runs(std::uint64_t before, std::uint32_t count);
    Awaitable<Answer<std::string>> find_run(std::string run);
    Awaitable<Answer<std::string>> restore(RestoreOrder order);

    struct Rooms;  // of the sources of this class

private:
    struct RunSteps;
    struct RestoreSteps;
    // Shared with runs: what they are cut off from outlives them.
    std::shared_ptr<Rooms> rooms_;
};

}  // namespace orbitalreg::engine
