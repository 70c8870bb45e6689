#pragma once
// What the parts of Retention share: plan.cc's plans over all image names, runs, restores. Private to this folder.

#include "engine/retention.h"
#include "retention/plan.h"
#include "retention/pull_times.h"
#include "retention/report.h"

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace orbitalreg::engine {

using Policies = std::vector<std::shared_ptr<const RetentionPolicy>>;

// One image name under one look: the plan refers to the snapshot.
struct JudgedImage {
    std::unique_ptr<const ImageSnapshot> snapshot;
    std::unique_ptr<const ImagePlan> plan;
};

// How a run is remembered: retention/run/<number>.
struct RunRecord {
    std::uint64_t number = 0;
    boost::json::object report;
};

struct Retention::Rooms {
    Rooms(RegistryStore& registry_store, RetentionStore& retention_store,
          DocumentStore& document_store, Clock& used_clock, Random& random_source, Log& log_sink,
          Metrics& metrics, asio::any_io_executor executor, RetentionOptions chosen,
          std::function<void(const RetentionEvent&)> told);

    RegistryStore& registry;
    RetentionStore& store;
    DocumentStore& documents;
    Clock& clock;
    Random& random;
    Log& log;
    Counter& deleted_tags;
    Counter& deleted_manifests;
    Counter& changed;
    Counter& runs_done;
    Counter& runs_blocked;
    Counter& runs_failed;
    asio::any_io_executor background;
    std::function<void(const RetentionEvent&)> events;
    PullTimes pulls;

    mutable std::mutex mutex;  // of what follows
    RetentionOptions options;
    std::shared_ptr<const RetentionPolicies> policies;
    std::set<std::string> busy;               // image names
    std::set<std::uint64_t> running;          // numbers
    std::map<std::string, std::int64_t> due;  // by policy, seconds since 1970
    std::int64_t looked_s = 0;

    RetentionOptions current_options() const;
    std::shared_ptr<const RetentionPolicies> current_policies() const;
    TimesShown times() const;
    std::int64_t wall_s() const noexcept { return clock.wall_ns() / 1'000'000'000; }
    RequestId new_request() noexcept { return RequestId::make(random); }
    void tell(RetentionEvent event) const;

    // Writes the pulls that wait: all, or those of one image name.
    Awaitable<Answer<void>> flush(std::string only_image);

    // The plan of one image name; nothing where it holds nothing any more. `matching`: the policies that match it.
    Awaitable<Answer<std::optional<JudgedImage>>> judge(ImageName image, Policies matching,
                                                        const RetentionPolicy* running,
                                                        std::int64_t ahead_s);
    Awaitable<std::vector<ManifestFacts>> read_facts(ImageName image,
                                                     const ImageSnapshot* snapshot);
    Awaitable<ManifestFacts> read_facts_of(ImageName image, const HeldManifest* manifest);
    // The image names that some of `wanted` match; or the one that was asked for.
    Awaitable<Answer<std::vector<std::string>>> images_of(const Policies* wanted,
                                                          std::string repository);

    // Runs as documents.
    Awaitable<Answer<std::uint64_t>> next_number();
    Awaitable<Answer<void>> write_run(std::uint64_t number, boost::json::object report);
    Awaitable<Answer<boost::json::object>> read_run(std::uint64_t number);
    Awaitable<void> forget_old_runs(std::uint64_t newest);
    // Errc::precondition_failed where the clock has jumped.
    Awaitable<Answer<void>> check_clock(bool confirmed);
};

// `r-17`; nothing for what is no name of a run.
std::optional<std::uint64_t> parse_run(const std::string& text);
std::string run_text(std::uint64_t number);
// retention/run/0000000017
std::string run_document(std::uint64_t number);
// What a run deleted, in pieces: retention/trash/0000000017/00001.
std::string trash_prefix(std::uint64_t number);

Policies matching(const Policies& policies, std::string_view image);

}  // namespace orbitalreg::engine
