// A run: guards, deletions in their order, and what is remembered of it.
#include "retention/rooms.h"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <cstdio>

namespace orbitalreg::engine {

namespace json = boost::json;

namespace {

constexpr std::size_t kItemsRemembered = 200;
constexpr std::size_t kImagesRemembered = 200;
// Of a piece of the trash: below the limit of a document.
constexpr std::size_t kTrashPieceSize = 60'000;
constexpr std::uint32_t kTrashPiecesMax = 1000;
constexpr int kWavesMax = 32;  // of parts in parts, and of attached to attached

// Deletes the units of one plan. Lives on the coroutine's frame.
struct Deletion {
    Retention::Rooms* rooms;
    const ImagePlan* plan;
    ImageName image;
    const RetentionOrder* order;
    const RetentionPolicy* policy;
    std::uint64_t run = 0;
    std::uint32_t* trash_pieces;

    std::vector<bool> manifest_gone;  // by manifest of the snapshot
    std::uint64_t deleted = 0;
    std::uint64_t changed = 0;
    std::vector<ImageManifest> released;
    json::array* items;
};

using Units = std::vector<PlanUnit>;

}  // namespace

// What belongs to a run and no one else.
struct Retention::RunSteps {
    static Awaitable<Answer<void>> delete_all(Deletion* d);
    static Awaitable<Answer<void>> delete_units(Deletion* d, Units units);
    static Awaitable<Answer<void>> delete_batch(Deletion* d, Units units);
    static Awaitable<Answer<void>> throw_away(Deletion* d, const Units* units);
    static void note(Deletion* d, const PlanUnit& unit, JudgedFate fate);
    static Awaitable<Answer<void>> run_image(Retention* self, const RetentionOrder* order,
                                             std::shared_ptr<const RetentionPolicy> policy,
                                             std::string name, std::uint64_t number,
                                             struct RunState* state);
    static Awaitable<Answer<std::string>> end_run(Retention* self, const RetentionOrder* order,
                                                  std::shared_ptr<const RetentionPolicy> policy,
                                                  std::uint64_t number, TimesShown times,
                                                  struct RunState* state);
    static void tell_blocked(Retention* self, const RetentionOrder& order,
                             const RetentionPolicy& policy, const std::string& why);
};

namespace {

bool is_tag(const PlanUnit& unit) noexcept { return unit.tag != PlanUnit::kNoTag; }

// By manifest: 0 for what goes first; parts go after the index, what is attached after its subject.
std::vector<int> waves_of(const ImagePlan& plan) {
    const auto& manifests = plan.snapshot().manifests;
    std::vector<bool> gone(manifests.size(), false);
    for (const auto manifest : plan.manifests_gone()) gone[manifest] = true;
    std::vector<int> waves(manifests.size(), 0);
    for (int round = 0; round < kWavesMax; ++round) {
        bool moved = false;
        const auto behind = [&](std::uint32_t later, std::uint32_t earlier) {
            if (!gone[later] || !gone[earlier] || waves[later] > waves[earlier]) return;
            waves[later] = waves[earlier] + 1;
            moved = true;
        };
        for (std::uint32_t i = 0; i < manifests.size(); ++i) {
            for (const auto child : manifests[i].children) behind(child, i);
            if (const auto subject = plan.subject_of(i)) behind(i, *subject);
        }
        if (!moved) break;
    }
    return waves;
}

std::string trash_line(const ImagePlan& plan, const PlanUnit& unit) {
    const auto& snapshot = plan.snapshot();
    std::string line = is_tag(unit) ? "t " : "m ";
    line += snapshot.image;
    if (is_tag(unit)) line += ' ' + snapshot.tags[unit.tag].tag;
    return line + ' ' + snapshot.manifests[unit.manifest].digest.to_string() + '\n';
}

}  // namespace

// Regular tags; then, wave by wave, the tags of what is attached and the manifests.
Awaitable<Answer<void>> Retention::RunSteps::delete_all(Deletion* d) {
    Units tags;
    for (const auto& unit : d->plan->units()) {
        if (unit.gone() && is_tag(unit) && unit.reason != UnitReason::with_subject)
            tags.push_back(unit);
    }
    const auto first = co_await delete_units(d, std::move(tags));
    if (!first) co_return refuse(first.error());
    const auto waves = waves_of(*d->plan);
    const auto last = waves.empty() ? 0 : *std::max_element(waves.begin(), waves.end());
    for (int wave = 0; wave <= last; ++wave) {
        Units attached;
        Units manifests;
        for (const auto& unit : d->plan->units()) {
            if (!unit.gone() || waves[unit.manifest] != wave) continue;
            const auto subject = d->plan->subject_of(unit.manifest);
            // Its subject was pulled or pushed again: it stays with it.
            if (subject && !d->manifest_gone[*subject]) continue;
            if (!is_tag(unit)) {
                manifests.push_back(unit);
            } else if (unit.reason == UnitReason::with_subject) {
                attached.push_back(unit);
            }
        }
        const auto untagged = co_await delete_units(d, std::move(attached));
        if (!untagged) co_return refuse(untagged.error());
        const auto gone = co_await delete_units(d, std::move(manifests));
        if (!gone) co_return refuse(gone.error());
    }
    co_return ok();
}

Awaitable<Answer<void>> Retention::RunSteps::delete_units(Deletion* d, Units units) {
    // First what is needed to undo it, then the deletions.
    const auto thrown = co_await throw_away(d, &units);
    if (!thrown) co_return refuse(thrown.error());
    for (std::size_t at = 0; at < units.size(); at += RetentionStore::kJudgedMax) {
        const auto end = std::min(units.size(), at + RetentionStore::kJudgedMax);
        Units batch{units.begin() + static_cast<std::ptrdiff_t>(at),
                    units.begin() + static_cast<std::ptrdiff_t>(end)};
        const auto done = co_await delete_batch(d, std::move(batch));
        if (!done) co_return refuse(done.error());
    }
    co_return ok();
}

Awaitable<Answer<void>> Retention::RunSteps::throw_away(Deletion* d, const Units* units) {
    std::string piece;
    const auto keep_ms = static_cast<std::uint64_t>(d->rooms->current_options().trash_ms);
    for (std::size_t i = 0; i < units->size(); ++i) {
        piece += trash_line(*d->plan, (*units)[i]);
        const bool full = piece.size() >= kTrashPieceSize - 600 || i + 1 == units->size();
        if (!full || keep_ms == 0) continue;
        if (*d->trash_pieces >= kTrashPiecesMax)
            co_return refuse({Errc::limit_reached, "a run deletes more than can be remembered"});
        char number[12];
        std::snprintf(number, sizeof number, "%05u", ++*d->trash_pieces);
        const auto bytes = as_bytes(piece);
        DocumentWrite write{trash_prefix(d->run) + number,
                            {bytes.begin(), bytes.end()},
                            DocumentExpectation::anything(),
                            keep_ms};
        const auto written =
            co_await d->rooms->documents.put(d->rooms->new_request(), std::move(write));
        if (!written) co_return refuse(written.error());
        piece.clear();
    }
    co_return ok();
}

Awaitable<Answer<void>> Retention::RunSteps::delete_batch(Deletion* d, Units units) {
    const auto& snapshot = d->plan->snapshot();
    const auto flushed = co_await d->rooms->flush(snapshot.image);
    if (!flushed) co_return refuse(flushed.error());
    std::vector<JudgedTag> tags;
    std::vector<JudgedManifest> manifests;
    for (const auto& unit : units) {
        const auto& manifest = snapshot.manifests[unit.manifest];
        if (!is_tag(unit)) {
            JudgedManifest judged{manifest.digest, manifest.put_s, manifest.pulled_s, {}};
            if (!d->plan->loses_tags(unit.manifest)) judged.untagged_s = manifest.untagged_s;
            manifests.push_back(std::move(judged));
            continue;
        }
        const auto& held = snapshot.tags[unit.tag];
        auto tag = Tag::parse(held.tag);
        if (!tag) co_return refuse(Errc::tag_invalid);  // the store holds no such tag
        tags.push_back({std::move(tag).value(), manifest.digest, held.pushed_s, held.pulled_s});
    }
    const auto id = d->rooms->new_request();
    std::vector<JudgedFate> fates;
    if (!tags.empty()) {
        auto answer = co_await d->rooms->store.delete_judged_tags(id, d->image, std::move(tags));
        if (!answer) co_return refuse(answer.error());
        fates = std::move(answer).value();
    } else {
        auto answer =
            co_await d->rooms->store.delete_judged_manifests(id, d->image, std::move(manifests));
        if (!answer) co_return refuse(answer.error());
        fates = std::move(answer).value();
    }
    for (std::size_t i = 0; i < units.size() && i < fates.size(); ++i) note(d, units[i], fates[i]);
    co_return ok();
}

void Retention::RunSteps::note(Deletion* d, const PlanUnit& unit, JudgedFate fate) {
    const auto& snapshot = d->plan->snapshot();
    const auto digest = snapshot.manifests[unit.manifest].digest;
    const bool gone = fate == JudgedFate::deleted;
    json::object item{{"repo", snapshot.image}, {"digest", digest.to_string()}};
    RetentionEvent event;
    if (is_tag(unit)) {
        event.reference = snapshot.tags[unit.tag].tag;
        item["tag"] = event.reference;
    }
    item["decision"] = gone ? "delete" : "changed";
    const auto why = to_string(unit.reason);
    item["why"] = std::string{why};
    if (d->items->size() < kItemsRemembered) d->items->push_back(std::move(item));
    if (!gone) {
        ++d->changed;
        d->rooms->changed.add();
        return;
    }
    ++d->deleted;
    (is_tag(unit) ? d->rooms->deleted_tags : d->rooms->deleted_manifests).add();
    if (!is_tag(unit)) d->manifest_gone[unit.manifest] = true;
    event.action = "retention.deleted";
    event.principal = d->order->principal;
    event.image = snapshot.image;
    event.digest = digest.to_string();
    event.policy = d->policy->name;
    event.reason = why;
    event.run = run_text(d->run);
    d->rooms->tell(std::move(event));
}

// --- the whole ---

// What a run knows of itself while it goes on.
struct RunState {
    RetentionTotals totals;
    json::array items;
    json::array images;
    std::uint32_t trash_pieces = 0;
    bool blocked = false;
    std::string trouble;
};

namespace {

// One run for an image name at a time.
class BusyImage {
public:
    BusyImage(std::shared_ptr<Retention::Rooms> rooms, std::string name)
        : rooms_{std::move(rooms)}, name_{std::move(name)} {
        std::scoped_lock lock{rooms_->mutex};
        mine_ = rooms_->busy.insert(name_).second;
    }
    ~BusyImage() {
        if (!mine_) return;
        std::scoped_lock lock{rooms_->mutex};
        rooms_->busy.erase(name_);
    }
    BusyImage(const BusyImage&) = delete;
    BusyImage& operator=(const BusyImage&) = delete;
    bool mine() const noexcept { return mine_; }

private:
    std::shared_ptr<Retention::Rooms> rooms_;
    std::string name_;
    bool mine_ = false;
};

class RunningNumber {
public:
    RunningNumber(std::shared_ptr<Retention::Rooms> rooms, std::uint64_t number)
        : rooms_{std::move(rooms)}, number_{number} {
        std::scoped_lock lock{rooms_->mutex};
        rooms_->running.insert(number_);
    }
    ~RunningNumber() {
        std::scoped_lock lock{rooms_->mutex};
        rooms_->running.erase(number_);
    }
    RunningNumber(const RunningNumber&) = delete;
    RunningNumber& operator=(const RunningNumber&) = delete;

private:
    std::shared_ptr<Retention::Rooms> rooms_;
    std::uint64_t number_;
};

void note_image(RunState& state, const ImagePlan& plan, std::string_view what,
                std::uint64_t deleted) {
    if (state.images.size() >= kImagesRemembered) return;
    state.images.push_back(json::object{{"repo", plan.snapshot().image},
                                        {"state", std::string{what}},
                                        {"kept", plan.kept()},
                                        {"planned", plan.gone()},
                                        {"percent", plan.percent_gone()},
                                        {"deleted", deleted}});
}

std::vector<ImageManifest> manifests_of(const ImagePlan& plan,
                                        const std::vector<std::uint32_t>& places) {
    std::vector<ImageManifest> manifests;
    for (const auto place : places)
        manifests.push_back({plan.snapshot().image, plan.snapshot().manifests[place].digest});
    return manifests;
}

}  // namespace

Awaitable<Answer<void>> Retention::RunSteps::run_image(
    Retention* self, const RetentionOrder* order, std::shared_ptr<const RetentionPolicy> policy,
    std::string name, std::uint64_t number, RunState* state) {
    auto& rooms = *self->rooms_;
    const BusyImage busy{self->rooms_, name};
    if (!busy.mine()) co_return refuse({Errc::in_use, "another run works on " + name});
    const auto image = ImageName::parse(name);
    if (!image) co_return ok();
    const auto stored = rooms.current_policies();
    auto of_image = matching(stored->all, name);
    const auto judged = co_await rooms.judge(image.value(), std::move(of_image), policy.get(), 0);
    if (!judged) co_return refuse(judged.error());
    if (!judged.value()) co_return ok();
    const auto& plan = *judged.value()->plan;
    ++state->totals.repositories;
    const bool too_many = policy->max_delete_percent < 100 && !order->above_percent &&
                          plan.percent_gone() > policy->max_delete_percent;
    if (too_many || policy->dry_run || plan.gone() == 0) {
        state->blocked = state->blocked || too_many;
        state->totals.kept += too_many ? plan.units().size() : plan.kept();
        if (policy->dry_run && !too_many) state->totals.deleted += plan.gone();
        if (plan.gone() > 0) note_image(*state, plan, too_many ? "blocked" : "dry_run", 0);
        co_return ok();
    }
    auto gone = manifests_of(plan, plan.manifests_gone());
    auto all = manifests_of(plan, plan.manifests_gone_later());
    all.insert(all.end(), gone.begin(), gone.end());
    const auto released = co_await rooms.store.release_of(std::move(gone));
    const auto estimate = co_await rooms.store.release_of(std::move(all));
    Deletion deletion{&rooms,
                      &plan,
                      image.value(),
                      order,
                      policy.get(),
                      number,
                      &state->trash_pieces,
                      std::vector<bool>(plan.snapshot().manifests.size(), false),
                      0,
                      0,
                      {},
                      &state->items};
    const auto done = co_await delete_all(&deletion);
    state->totals.deleted += deletion.deleted;
    state->totals.skipped += plan.gone() - deletion.deleted;
    state->totals.kept += plan.kept();
    state->totals.bytes_unreferenced += released.bytes;
    state->totals.bytes_unreferenced_estimate += estimate.bytes;
    note_image(*state, plan, done ? "done" : "failed", deletion.deleted);
    if (!done) co_return refuse(done.error());
    co_return ok();
}

namespace {

json::object report_of(std::uint64_t number, const RetentionPolicy& policy,
                       const RetentionOrder& order, const TimesShown& times,
                       std::string_view state_text, RunState& state) {
    json::object report{{"run", run_text(number)},
                        {"policy", policy.name},
                        {"now", times.text(times.store_now_s)},
                        {"state", std::string{state_text}},
                        {"dry_run", policy.dry_run},
                        {"principal", order.principal},
                        {"totals", to_json(state.totals)}};
    if (!order.repository.empty()) report["repository"] = order.repository;
    if (!state.trouble.empty()) report["trouble"] = state.trouble;
    report["images"] = state.images;
    report["items"] = state.items;
    return report;
}

std::shared_ptr<const RetentionPolicy> find_policy(const RetentionPolicies& policies,
                                                   const std::string& name) {
    if (name.empty() && policies.all.size() == 1) return policies.all.front();
    for (const auto& policy : policies.all) {
        if (policy->name == name) return policy;
    }
    return nullptr;
}

}  // namespace

// What a run did, remembered and told.
Awaitable<Answer<std::string>> Retention::RunSteps::end_run(
    Retention* self, const RetentionOrder* order, std::shared_ptr<const RetentionPolicy> policy,
    std::uint64_t number, TimesShown times, RunState* state) {
    auto& rooms = *self->rooms_;
    const bool failed = !state->trouble.empty();
    std::string_view state_text = "done";
    if (state->blocked) state_text = "blocked";
    if (failed) state_text = "failed";
    auto report = report_of(number, *policy, *order, times, state_text, *state);
    auto text = json::serialize(report);
    // Smaller, where it does not fit a document.
    constexpr std::size_t kDocumentSize = 60'000;
    if (text.size() > kDocumentSize) report["items"] = json::array{};
    if (text.size() > kDocumentSize && json::serialize(report).size() > kDocumentSize)
        report["images"] = json::array{};
    const auto written = co_await rooms.write_run(number, std::move(report));
    if (!written) co_return refuse(written.error());
    co_await rooms.forget_old_runs(number);
    auto* outcome = &rooms.runs_done;
    if (state->blocked) outcome = &rooms.runs_blocked;
    if (failed) outcome = &rooms.runs_failed;
    outcome->add();
    RetentionEvent event;
    event.action = "retention.run";
    event.principal = order->principal;
    event.policy = policy->name;
    event.run = run_text(number);
    event.reason =
        std::string{state_text} + ": " + std::to_string(state->totals.deleted) + " deleted";
    event.granted = !state->blocked && !failed;
    rooms.tell(std::move(event));
    co_return text;
}

void Retention::RunSteps::tell_blocked(Retention* self, const RetentionOrder& order,
                                       const RetentionPolicy& policy, const std::string& why) {
    self->rooms_->runs_blocked.add();
    RetentionEvent event;
    event.action = "retention.run";
    event.principal = order.principal;
    event.policy = policy.name;
    event.reason = "blocked: " + why;
    event.granted = false;
    self->rooms_->tell(std::move(event));
}

Awaitable<Answer<std::string>> Retention::run(RetentionOrder order) {
    if (!rooms_->current_options().enabled)
        co_return refuse(
            {Errc::precondition_failed, "retention is switched off: retention.enabled"});
    const auto stored = rooms_->current_policies();
    const auto policy = find_policy(*stored, order.policy);
    if (!policy) co_return refuse({Errc::document_unknown, "name one policy that there is"});
    const Policies only{policy};
    const auto names = co_await rooms_->images_of(&only, order.repository);
    if (!names) co_return refuse(names.error());
    if (names.value().empty() && !order.repository.empty())
        co_return refuse({Errc::precondition_failed, "the policy does not match this repository"});
    const auto clock = co_await rooms_->check_clock(order.confirm_clock);
    if (!clock) {
        // The time of the last good run stays as it is: so it goes until somebody says yes.
        RunSteps::tell_blocked(this, order, *policy, clock.error().message);
        co_return refuse(clock.error());
    }
    const auto flushed = co_await rooms_->flush({});
    if (!flushed) co_return refuse(flushed.error());
    const auto times = rooms_->times();
    const auto number = co_await rooms_->next_number();
    if (!number) co_return refuse(number.error());
    const RunningNumber running{rooms_, number.value()};
    RunState state;
    auto begun = report_of(number.value(), *policy, order, times, "running", state);
    const auto noted = co_await rooms_->write_run(number.value(), std::move(begun));
    if (!noted) co_return refuse(noted.error());
    for (const auto& name : names.value()) {
        const auto done =
            co_await RunSteps::run_image(this, &order, policy, name, number.value(), &state);
        if (done) continue;
        state.trouble = name + ": " + done.error().message;
        // Another run works on it: the rest goes on.
        if (done.error().code != Errc::in_use) break;
    }
    co_return co_await RunSteps::end_run(this, &order, policy, number.value(), times, &state);
}

}  // namespace orbitalreg::engine
