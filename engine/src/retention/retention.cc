#include "engine/retention.h"

#include "retention/rooms.h"

#include <algorithm>

namespace orbitalreg::engine {

namespace {

// Who is no user of what it reads: scanners, replication, the web page.
constexpr std::string_view kSystemPrefix = "system:";

}  // namespace

Retention::Rooms::Rooms(RegistryStore& registry_store, RetentionStore& retention_store,
                        DocumentStore& document_store, Clock& used_clock, Random& random_source,
                        Log& log_sink, Metrics& metrics, asio::any_io_executor executor,
                        RetentionOptions chosen, std::function<void(const RetentionEvent&)> told)
    : registry{registry_store},
      store{retention_store},
      documents{document_store},
      clock{used_clock},
      random{random_source},
      log{log_sink},
      deleted_tags{
          metrics.counter("retention_deleted_total", "What retention deleted.", {{"what", "tag"}})},
      deleted_manifests{metrics.counter("retention_deleted_total", "What retention deleted.",
                                        {{"what", "manifest"}})},
      changed{metrics.counter("retention_changed_total",
                              "Items that stayed because they changed after they were judged.")},
      runs_done{metrics.counter("retention_runs_total", "Runs of retention.", {{"state", "done"}})},
      runs_blocked{
          metrics.counter("retention_runs_total", "Runs of retention.", {{"state", "blocked"}})},
      runs_failed{
          metrics.counter("retention_runs_total", "Runs of retention.", {{"state", "failed"}})},
      background{std::move(executor)},
      events{std::move(told)},
      options{std::move(chosen)},
      policies{std::make_shared<const RetentionPolicies>()} {
    metrics.gauge_function("retention_pulls_waiting", "Pulls that are noted and not yet written.",
                           {}, [this] { return static_cast<double>(pulls.size()); });
}

Retention::Retention(RegistryStore& registry, RetentionStore& store, DocumentStore& documents,
                     Clock& clock, Random& random, Log& log, Metrics& metrics,
                     asio::any_io_executor background, RetentionOptions options,
                     std::function<void(const RetentionEvent&)> events)
    : rooms_{std::make_shared<Rooms>(registry, store, documents, clock, random, log, metrics,
                                     std::move(background), std::move(options),
                                     std::move(events))} {
    store.set_waiting_pulls([rooms = rooms_.get()](const ImageName& image, const Digest& digest) {
        return rooms->pulls.is_waiting(image, digest);
    });
}

Retention::~Retention() { rooms_->store.set_waiting_pulls({}); }

void Retention::set_policies(std::shared_ptr<const RetentionPolicies> policies) {
    std::scoped_lock lock{rooms_->mutex};
    rooms_->policies = std::move(policies);
    rooms_->due.clear();
}

void Retention::set_options(RetentionOptions options) {
    std::scoped_lock lock{rooms_->mutex};
    rooms_->options = std::move(options);
}

std::vector<std::string> Retention::policy_names() const {
    return rooms_->current_policies()->names();
}

std::size_t Retention::pulls_waiting() const { return rooms_->pulls.size(); }

RetentionOptions Retention::Rooms::current_options() const {
    std::scoped_lock lock{mutex};
    return options;
}

std::shared_ptr<const RetentionPolicies> Retention::Rooms::current_policies() const {
    std::scoped_lock lock{mutex};
    return policies;
}

TimesShown Retention::Rooms::times() const { return {store.now_s(), wall_s()}; }

void Retention::Rooms::tell(RetentionEvent event) const {
    if (events) events(event);
}

// --- pulls ---

Awaitable<void> Retention::pulled(Principal principal, ImageName image, Reference reference,
                                  Digest digest) {
    if (principal.name.starts_with(kSystemPrefix)) co_return;
    const auto* named = std::get_if<Tag>(&reference);
    const auto tag = named == nullptr ? std::nullopt : std::optional{*named};
    const auto now_s = rooms_->store.now_s();
    if (rooms_->pulls.note(image, tag, digest, now_s)) co_return;
    // So many that they do not wait for their minute.
    const auto flushed = co_await rooms_->flush({});
    if (flushed && rooms_->pulls.note(image, tag, digest, now_s)) co_return;
    rooms_->log.warn("a pull could not be noted", {{"image", image.text()}});
}

Awaitable<Answer<void>> Retention::Rooms::flush(std::string only_image) {
    for (const auto& batch : pulls.batches(only_image)) {
        const auto written = co_await store.note_pulls(new_request(), batch);
        if (!written) co_return refuse(written.error());
        pulls.written(batch);
    }
    co_return ok();
}

Awaitable<void> Retention::begin() {
    if (rooms_->store.history_since_s() != 0) co_return;
    const auto begun = co_await rooms_->store.note_pulls(rooms_->new_request(), {});
    if (!begun)
        rooms_->log.warn("the history of pulls could not be begun",
                         {{"error", begun.error().message}});
}

Awaitable<void> Retention::finish() {
    const auto flushed = co_await rooms_->flush({});
    if (!flushed)
        rooms_->log.warn("the last pulls could not be written",
                         {{"error", flushed.error().message}});
}

// --- the schedule ---

namespace {

// The policies whose time has come, each once however long nobody looked. A clock that was put back waits for no old time.
std::vector<std::string> due_policies(const RetentionPolicies& policies,
                                      std::map<std::string, std::int64_t>& due,
                                      std::int64_t wall_s) {
    std::vector<std::string> names;
    for (const auto& policy : policies.all) {
        const auto next = policy->schedule.next(wall_s);
        const auto [known, first] = due.try_emplace(policy->name, next);
        if (first) continue;
        if (known->second <= wall_s) names.push_back(policy->name);
        known->second = next;
    }
    return names;
}

}  // namespace

Awaitable<void> Retention::tick() {
    const auto flushed = co_await rooms_->flush({});
    if (!flushed)
        rooms_->log.warn("pulls could not be written", {{"error", flushed.error().message}});
    std::vector<std::string> names;
    {
        std::scoped_lock lock{rooms_->mutex};
        if (rooms_->options.enabled)
            names = due_policies(*rooms_->policies, rooms_->due, rooms_->wall_s());
    }
    for (const auto& name : names) {
        RetentionOrder order;
        order.policy = name;
        const auto done = co_await run(std::move(order));
        if (!done)
            rooms_->log.error("a run of retention failed",
                              {{"policy", name}, {"error", done.error().message}});
    }
}

}  // namespace orbitalreg::engine
