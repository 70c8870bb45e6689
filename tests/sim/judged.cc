#include "sim/judged.h"

#include "sim/pulls.h"

#include <algorithm>

namespace orbitalreg::sim {

namespace {

constexpr std::uint32_t kHourS = 3600;
constexpr std::uint32_t kGraceS = kHourS;  // of the policy

std::uint32_t plus(std::uint32_t time_s, std::uint32_t by_s) noexcept {
    return time_s == 0 ? 0 : time_s + by_s;
}

std::string hours(std::uint32_t seconds) { return std::to_string(seconds / kHourS) + "h"; }

}  // namespace

// --- slots ---

JudgedSlot::Ticket JudgedSlot::begin() noexcept {
    const Ticket ticket{++begun, under_way == 0, certain, value, since_s};
    ++under_way;
    certain = false;
    return ticket;
}

bool JudgedSlot::end(const Ticket& ticket, int to, std::uint32_t now_s) noexcept {
    --under_way;
    if (!ticket.alone || ticket.begun != begun) return false;
    certain = true;
    const bool stays = ticket.certain && ticket.value == to;
    value = to;
    since_s = stays ? ticket.since_s : now_s;
    return true;
}

void JudgedSlot::end_unchanged(const Ticket& ticket) noexcept {
    --under_way;
    if (!ticket.alone || ticket.begun != begun || !ticket.certain) return;
    certain = true;
    value = ticket.value;
    since_s = ticket.since_s;
}

// --- the world ---

JudgedWorld::JudgedWorld(SimRandom& random, const Universe& universe)
    : universe_{universe},
      age_s_{static_cast<std::uint32_t>(random.between(2, 4)) * kHourS},
      pulled_s_{static_cast<std::uint32_t>(random.between(2, 6)) * kHourS},
      untagged_s_{static_cast<std::uint32_t>(random.between(1, 5)) * kHourS} {
    for (const char* name : {"p/kept/one", "p/kept/two"})
        images.push_back(engine::ImageName::parse(name).value());
    // A restore works on all there are.
    for (const engine::ImageName& image : images) {
        for (const engine::Tag& each : universe.tags) static_cast<void>(tag(image, each));
        for (const SimManifest& each : universe.manifests)
            static_cast<void>(manifest(image, each.digest));
    }
    policy_ =
        "name: sim\nmatch: { repositories: [\"p/kept/**\", \"p/hub/**\"] }\n"
        "grace_hours: 1\nmax_delete_percent: 100\nrules:\n"
        "  - keep_by_age: { max_age: " +
        hours(age_s_) + ", match_pulled_in_last: " + hours(pulled_s_) +
        " }\n  - keep_tags: { tags: [\"v2\"] }\n  - keep_untagged_for: { hours: " +
        std::to_string(untagged_s_ / kHourS) + " }\n";
}

bool JudgedWorld::matches(std::string_view image) noexcept {
    return image.starts_with("p/kept/") || image.starts_with("p/hub/");
}

std::uint32_t JudgedWorld::everything_goes_after_s() const noexcept {
    return std::max({age_s_, pulled_s_, untagged_s_, kGraceS});
}

engine::PushTarget JudgedWorld::target(std::size_t image) const {
    return {images[image], {{"p", "kept"}, engine::RepositoryType::local, false}};
}

void JudgedWorld::begin_life() noexcept {
    for (auto& [name, tag] : tags_) {
        tag.forget_requests();
        tag.pulled.noted_s = 0;
    }
    for (auto& [name, manifest] : manifests_) {
        manifest.forget_requests();
        manifest.pulled.noted_s = 0;
        manifest.pulled_by_digest.noted_s = 0;
    }
}

int JudgedWorld::manifest_of(const Digest& digest) const noexcept {
    const auto found = std::ranges::find(universe_.manifests, digest, &SimManifest::digest);
    return found == universe_.manifests.end()
               ? JudgedSlot::kNothing
               : static_cast<int>(found - universe_.manifests.begin());
}

JudgedSlot::Ticket JudgedWorld::begin_tag(const engine::ImageName& image, const engine::Tag& tag,
                                          std::uint32_t now_s) {
    JudgedTagState& state = this->tag(image, tag);
    if (state.is_there()) manifest(image, content(state.value).digest).tagged_s = now_s;
    return state.begin();
}

void JudgedWorld::tag_was_set(const engine::ImageName& image, const engine::Tag& tag,
                              const JudgedSlot::Ticket& ticket, int manifest, std::uint32_t begun_s,
                              std::uint32_t now_s) {
    JudgedTagState& state = this->tag(image, tag);
    // Whatever else was under way, it pointed there once since then.
    JudgedManifestState& held = this->manifest(image, content(manifest).digest);
    held.tagged_s = std::max(held.tagged_s, begun_s);
    state.pulled = {};
    if (!state.end(ticket, manifest, now_s)) return;
    state.pushed_s = begun_s;
    state.set_s = now_s;
}

void JudgedWorld::manifest_was_put(const engine::ImageName& image, int manifest,
                                   const JudgedSlot::Ticket& ticket, std::uint32_t begun_s,
                                   std::uint32_t now_s) {
    JudgedManifestState& state = this->manifest(image, content(manifest).digest);
    const bool was_there = ticket.certain && ticket.value == manifest;
    if (!state.end(ticket, manifest, now_s)) return;
    state.last_put_s = begun_s;
    if (was_there) return;
    state.pulled = {};
    state.pulled_by_digest = {};
    if (ticket.certain) state.first_put_s = begun_s;
}

// --- pulls ---

// A pull of an index counts for its parts, one of a part by its digest for every index that has it.
std::vector<JudgedWorld::Pulled> JudgedWorld::pulled_by(const engine::ImageName& image,
                                                        const Digest& digest,
                                                        const engine::Tag* tag) {
    std::vector<Pulled> pulled;
    JudgedManifestState& state = manifest(image, digest);
    pulled.emplace_back(&state.pulled, &state.deletions);
    if (tag == nullptr) pulled.emplace_back(&state.pulled_by_digest, &state.deletions);
    const int number = manifest_of(digest);
    if (number == JudgedSlot::kNothing) return pulled;
    if (tag != nullptr) {
        JudgedTagState& named = this->tag(image, *tag);
        if (named.is(number)) pulled.emplace_back(&named.pulled, &named.begun);
    }
    for (std::size_t i = 0; i < universe_.manifests.size(); ++i) {
        const bool part = (content(number).manifests >> i & 1) != 0;
        const bool whole = tag == nullptr && (universe_.manifests[i].manifests >> number & 1) != 0;
        JudgedManifestState& other = manifest(image, universe_.manifests[i].digest);
        if (!(part || whole) || !other.is_there()) continue;
        pulled.emplace_back(&other.pulled, &other.deletions);
        pulled.emplace_back(&other.pulled_by_digest, &other.deletions);
    }
    return pulled;
}

void JudgedWorld::note_pull(const Pull& pull, std::uint32_t at_s) {
    if (manifest(pull.image, pull.digest).deletions != pull.deletions) return;
    const auto* tag = std::get_if<engine::Tag>(&pull.reference);
    for (const auto& [time, changes] : pulled_by(pull.image, pull.digest, tag)) time->note(at_s);
}

std::vector<JudgedWorld::Writing> JudgedWorld::begin_writing(
    const std::vector<engine::ImagePulls>& pulls) {
    std::vector<Writing> writing;
    for (const auto& [image, notes] : pulls) {
        for (const engine::PullNote& note : notes) {
            const auto* tag = note.tag ? &*note.tag : nullptr;
            for (const auto& [time, changes] : pulled_by(image, note.digest, tag)) {
                if (time->noted_s != 0)
                    writing.push_back(
                        {time, changes, *changes, std::min(note.pulled_s, time->noted_s)});
            }
        }
    }
    return writing;
}

void JudgedWorld::end_writing(const std::vector<Writing>& writing) {
    for (const Writing& each : writing) {
        if (*each.changes == each.changes_before) each.time->write(each.pulled_s);
    }
}

void JudgedWorld::forget_manifest(const engine::ImageName& image, const Digest& digest) {
    JudgedManifestState& state = manifest(image, digest);
    ++state.deletions;
    state.pulled = {};
    state.pulled_by_digest = {};
    state.first_put_s = 0;
    state.last_put_s = 0;
    state.tagged_s = 0;
}

// --- restores ---

std::vector<JudgedSlot*> JudgedWorld::begin_all() {
    std::vector<JudgedSlot*> slots;
    for (auto& [name, tag] : tags_) slots.push_back(&tag);
    for (auto& [name, manifest] : manifests_) slots.push_back(&manifest);
    for (JudgedSlot* slot : slots) static_cast<void>(slot->begin());
    return slots;
}

void JudgedWorld::end_all(const std::vector<JudgedSlot*>& slots) {
    for (JudgedSlot* slot : slots) slot->end_open();
}

// --- judgements ---

JudgedWorld::Judgement JudgedWorld::judge(const engine::ImageName& image,
                                          const engine::JudgedTag& judged, std::uint32_t now_s) {
    JudgedTagState& state = tag(image, judged.tag);
    Judgement judgement{image,
                        image.text() + ":" + judged.tag.text(),
                        {},
                        &state,
                        begin_tag(image, judged.tag, now_s),
                        {},
                        0,
                        {}};
    if (!matches(image.text())) judgement.never = "no policy matches it";
    if (is_protected(judged.tag.text())) judgement.never = "it is protected";
    const int number = manifest_of(judged.digest);
    const JudgedSlot::Ticket& was = judgement.ticket;
    if (number == JudgedSlot::kNothing || !was.certain || was.value == JudgedSlot::kNothing)
        return judgement;
    if (was.value != number) {
        judgement.held_by.push_back({&state, was.begun, "it points elsewhere"});
        return judgement;
    }
    const std::uint32_t by_digest = manifest(image, judged.digest).pulled_by_digest.last_s();
    // By its digest, it counts for what pointed there at that moment.
    const std::uint32_t pulled =
        std::max(state.pulled.last_s(), by_digest > state.set_s ? by_digest : 0);
    judgement.stays_until_s = std::max(plus(state.pushed_s, std::max(age_s_, kGraceS)),
                                       plus(pulled, std::max(pulled_s_, age_s_)));
    return judgement;
}

// What keeps a manifest that clients pushed here themselves.
void JudgedWorld::hold(const engine::ImageName& image, int number, std::uint32_t now_s,
                       Judgement& judgement) {
    const auto hold_by = [&judgement](const JudgedSlot& slot, std::string why) {
        judgement.held_by.push_back({&slot, slot.begun, std::move(why)});
    };
    for (const auto& [name, tag] : tags_) {
        if (name.first == image.text() && tag.is(number)) hold_by(tag, "tag " + name.second);
    }
    for (const SimManifest& other : universe_.manifests) {
        const auto& index = manifest(image, other.digest);
        if ((other.manifests >> number & 1) != 0 && index.is_there())
            hold_by(index, "an index has it");
    }
    if (content(number).subject == JudgedSlot::kNothing) return;
    // A subject that came back during the run does not count: no run takes an hour.
    const auto& subject = manifest(image, content(content(number).subject).digest);
    if (subject.is_there() && subject.since_s + kHourS < now_s) hold_by(subject, "its subject");
}

JudgedWorld::Judgement JudgedWorld::judge(const engine::ImageName& image,
                                          const engine::JudgedManifest& judged,
                                          std::uint32_t now_s) {
    JudgedManifestState& state = manifest(image, judged.digest);
    Judgement judgement{image,
                        image.text() + "@" + judged.digest.to_string(),
                        judged.digest,
                        &state,
                        state.begin(),
                        {},
                        0,
                        {}};
    if (!matches(image.text())) judgement.never = "no policy matches it";
    const int number = manifest_of(judged.digest);
    judgement.stays_until_s = plus(state.last_put_s, kGraceS);
    if (number != JudgedSlot::kNothing) hold(image, number, now_s, judgement);
    // What is attached to something goes with it, whenever it was pulled.
    if (number != JudgedSlot::kNothing && content(number).subject != JudgedSlot::kNothing)
        return judgement;
    judgement.stays_until_s = std::max({judgement.stays_until_s, plus(state.first_put_s, age_s_),
                                        plus(state.tagged_s, std::max(untagged_s_, kGraceS)),
                                        plus(state.pulled.last_s(), std::max(pulled_s_, age_s_))});
    return judgement;
}

// --- the store ---

Awaitable<engine::Answer<void>> WatchedRetentionStore::note_pulls(
    engine::RequestId id, std::vector<engine::ImagePulls> pulls) {
    const auto writing = world_.judged->begin_writing(pulls);
    auto noted = co_await store_.note_pulls(id, std::move(pulls));
    if (noted) JudgedWorld::end_writing(writing);
    co_return noted;
}

template <class Judged>
std::vector<JudgedWorld::Judgement> WatchedRetentionStore::judge(const engine::ImageName& image,
                                                                 const std::vector<Judged>& items) {
    std::vector<JudgedWorld::Judgement> judgements;
    for (const Judged& item : items)
        judgements.push_back(world_.judged->judge(image, item, store_.now_s()));
    return judgements;
}

void WatchedRetentionStore::check(const JudgedWorld::Judgement& judgement) {
    const std::string what = "retention deletes " + judgement.what;
    world_.say(what);
    if (!judgement.never.empty()) world_.fail(what + ": " + judgement.never);
    const std::uint32_t now_s = store_.now_s();
    if (now_s <= judgement.stays_until_s)
        world_.fail(what + " at " + std::to_string(now_s) + ", and it was to stay until " +
                    std::to_string(judgement.stays_until_s));
    for (const auto& holder : judgement.held_by) {
        if (holder.slot->begun == holder.begun) world_.fail(what + ": " + holder.why);
    }
}

void WatchedRetentionStore::conclude(
    const std::vector<JudgedWorld::Judgement>& judgements,
    const engine::Answer<std::vector<engine::JudgedFate>>& answer) {
    for (std::size_t i = 0; i < judgements.size(); ++i) {
        const JudgedWorld::Judgement& judgement = judgements[i];
        if (!answer) {
            judgement.slot->end_open();
        } else if (answer.value()[i] == engine::JudgedFate::changed) {
            judgement.slot->end_unchanged(judgement.ticket);
        } else {
            check(judgement);
            if (judgement.manifest)
                world_.judged->forget_manifest(judgement.image, *judgement.manifest);
            static_cast<void>(
                judgement.slot->end(judgement.ticket, JudgedSlot::kNothing, store_.now_s()));
        }
    }
}

Awaitable<engine::Answer<std::vector<engine::JudgedFate>>>
WatchedRetentionStore::delete_judged_tags(engine::RequestId id, engine::ImageName image,
                                          std::vector<engine::JudgedTag> tags) {
    const auto judgements = judge(image, tags);
    auto answer = co_await store_.delete_judged_tags(id, std::move(image), std::move(tags));
    conclude(judgements, answer);
    co_return answer;
}

// A remote repository's record is told, too: what it keeps may go now.
Awaitable<engine::Answer<std::vector<engine::JudgedFate>>>
WatchedRetentionStore::delete_judged_manifests(engine::RequestId id, engine::ImageName image,
                                               std::vector<engine::JudgedManifest> manifests) {
    const auto judgements = judge(image, manifests);
    const auto hub_image = std::ranges::find(world_.pulls->hub.images, image);
    const bool cached = hub_image != world_.pulls->hub.images.end();
    const auto at = static_cast<std::size_t>(hub_image - world_.pulls->hub.images.begin());
    std::vector<std::size_t> hub_manifests;
    for (const engine::JudgedManifest& judged : manifests) {
        const int number = cached ? world_.pulls->hub.manifest_of(judged.digest) : SimHub::kNone;
        if (number != SimHub::kNone) hub_manifests.push_back(static_cast<std::size_t>(number));
    }
    for (const std::size_t number : hub_manifests) world_.pulls->kept.begin_deletion(at, number);
    auto answer =
        co_await store_.delete_judged_manifests(id, std::move(image), std::move(manifests));
    for (const std::size_t number : hub_manifests) world_.pulls->kept.end_deletion(at, number);
    conclude(judgements, answer);
    co_return answer;
}

}  // namespace orbitalreg::sim
