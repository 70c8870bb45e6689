#include "sim/keepers.h"

#include "engine/errors.h"
#include "sim/pulls.h"
#include "sim/uploads.h"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <optional>

namespace orbitalreg::sim {

namespace {

using engine::Errc;

constexpr std::int64_t kHourNs = 3'600'000'000'000;

bool is(const engine::Refusal& refusal, Errc code) {
    return refusal.code == engine::make_error_code(code);
}

// Nothing is known of what it would have done.
bool is_open(Life& life, const engine::Refusal& refusal) {
    return life.io.crashed() || is(refusal, Errc::unknown) || is(refusal, Errc::stopped) ||
           is(refusal, Errc::overloaded);
}

class Keeper {
public:
    explicit Keeper(Life& life)
        : life_{life}, random_{life.world.random}, judged_{*life.world.judged} {}

    Awaitable<void> do_something();
    Awaitable<void> delete_tag(std::size_t image, engine::Tag tag);

private:
    Awaitable<void> push_image(std::size_t image, int manifest, std::optional<engine::Tag> tag);
    Awaitable<bool> push_blobs(std::size_t image, std::uint32_t blobs);
    Awaitable<void> put(std::size_t image, int manifest, std::optional<engine::Tag> tag);
    Awaitable<void> set_tag(std::size_t image, engine::Tag tag, int manifest);
    Awaitable<void> pull(std::size_t image, engine::Reference reference);
    Awaitable<void> run_policy();
    Awaitable<void> restore(std::string run);
    Awaitable<void> look();

    std::uint32_t now_s() const noexcept { return life_.now_s(); }
    engine::RequestId new_request() { return engine::RequestId::make(random_); }
    const engine::Tag& draw_tag() {
        return life_.world.universe.tags[random_.below(Universe::kTags)];
    }
    void report(const std::string& what, const engine::Refusal& refusal) {
        if (!is_open(life_, refusal))
            life_.world.fail(what + ": " + refusal.code.message() + " (" + refusal.message + ")");
    }

    Life& life_;
    SimRandom& random_;
    JudgedWorld& judged_;
};

// --- pushes ---

Awaitable<bool> Keeper::push_blobs(std::size_t image, std::uint32_t blobs) {
    for (std::size_t i = 0; i < Universe::kBlobs; ++i) {
        if ((blobs >> i & 1) == 0) continue;
        const SimBlob& blob = life_.world.universe.blobs[i];
        auto opened = co_await life_.store.begin_blob(judged_.target(image),
                                                      blob.digest.algorithm(), std::nullopt);
        if (!opened) co_return false;
        const std::unique_ptr<engine::UploadWriter> writer = std::move(opened).value();
        if (!co_await send(life_, *writer, blob, blob.bytes.size(), nullptr)) co_return false;
        const auto finished = co_await writer->finish(blob.digest);
        if (!finished) co_return false;
    }
    co_return true;
}

Awaitable<void> Keeper::push_image(std::size_t image, int manifest,
                                   std::optional<engine::Tag> tag) {
    const SimManifest& content = judged_.content(manifest);
    for (std::size_t i = 0; i < Universe::kManifests; ++i) {
        if ((content.manifests >> i & 1) == 0) continue;
        const int part = static_cast<int>(i);
        if (!co_await push_blobs(image, judged_.content(part).blobs)) co_return;
        co_await put(image, part, std::nullopt);
    }
    if (!co_await push_blobs(image, content.blobs)) co_return;
    co_await put(image, manifest, std::move(tag));
}

Awaitable<void> Keeper::put(std::size_t image, int manifest, std::optional<engine::Tag> tag) {
    const SimManifest& content = judged_.content(manifest);
    const engine::ImageName& name = judged_.images[image];
    engine::ManifestPut put{judged_.target(image),
                            content.digest,
                            content.bytes,
                            content.parsed,
                            {},
                            engine::TagExpectation::anything(),
                            false,
                            0,
                            {}};
    const std::uint32_t begun_s = now_s();
    std::optional<JudgedSlot::Ticket> of_tag;
    if (tag) {
        put.tags.push_back(*tag);
        of_tag = judged_.begin_tag(name, *tag, begun_s);
    }
    JudgedManifestState& state = judged_.manifest(name, content.digest);
    const JudgedSlot::Ticket ticket = state.begin();
    const auto done = co_await life_.store.put_manifest(new_request(), std::move(put));
    if (life_.world.verbose)
        life_.world.say("put of manifest " + std::to_string(manifest) + " in " + name.text() +
                        (tag ? ":" + tag->text() : "") + (done ? "" : " refused") + " at " +
                        std::to_string(begun_s));
    if (done) {
        judged_.manifest_was_put(name, manifest, ticket, begun_s, now_s());
        if (of_tag) judged_.tag_was_set(name, *tag, *of_tag, manifest, begun_s, now_s());
        co_return;
    }
    if (is_open(life_, done.error())) {
        state.end_open();
        if (of_tag) judged_.tag(name, *tag).end_open();
        co_return;
    }
    state.end_unchanged(ticket);
    if (of_tag) judged_.tag(name, *tag).end_unchanged(*of_tag);
    // Collected, or deleted, between the two steps of a push.
    if (!is(done.error(), Errc::child_missing)) report("put of a manifest", done.error());
}

Awaitable<void> Keeper::set_tag(std::size_t image, engine::Tag tag, int manifest) {
    const engine::ImageName& name = judged_.images[image];
    const std::uint32_t begun_s = now_s();
    const JudgedSlot::Ticket ticket = judged_.begin_tag(name, tag, begun_s);
    const auto done =
        co_await life_.store.set_tag(new_request(), name, tag, judged_.content(manifest).digest,
                                     engine::TagExpectation::anything());
    if (life_.world.verbose)
        life_.world.say("tag " + name.text() + ":" + tag.text() + " to " +
                        std::to_string(manifest) + (done ? "" : " refused") + " at " +
                        std::to_string(begun_s));
    if (done) {
        judged_.tag_was_set(name, tag, ticket, manifest, begun_s, now_s());
    } else if (is_open(life_, done.error())) {
        judged_.tag(name, tag).end_open();
    } else {
        judged_.tag(name, tag).end_unchanged(ticket);
    }
}

Awaitable<void> Keeper::delete_tag(std::size_t image, engine::Tag tag) {
    const engine::ImageName& name = judged_.images[image];
    const JudgedSlot::Ticket ticket = judged_.begin_tag(name, tag, now_s());
    const auto done = co_await life_.store.delete_tag(new_request(), name, tag,
                                                      engine::TagExpectation::anything());
    JudgedTagState& state = judged_.tag(name, tag);
    const bool absent =
        !done && (is(done.error(), Errc::manifest_unknown) || is(done.error(), Errc::name_unknown));
    if (done || absent) {
        if (absent && ticket.alone && ticket.begun == state.begun && ticket.certain &&
            ticket.value != JudgedSlot::kNothing)
            life_.world.fail("a tag that was set is not there to delete: " + tag.text());
        static_cast<void>(state.end(ticket, JudgedSlot::kNothing, now_s()));
    } else {
        state.end_open();
        report("deletion of a tag", done.error());
    }
}

// --- pulls, as the front end tells of them ---

Awaitable<void> Keeper::pull(std::size_t image, engine::Reference reference) {
    const engine::ImageName& name = judged_.images[image];
    const auto* tag = std::get_if<engine::Tag>(&reference);
    const auto* digest = std::get_if<Digest>(&reference);
    // Of a tag it is known afterwards what it names: then what was deleted in between has come back.
    std::vector<std::uint64_t> deletions;
    for (std::size_t i = 0; i < Universe::kManifests; ++i)
        deletions.push_back(
            judged_.deletions_of(name, judged_.content(static_cast<int>(i)).digest));
    const JudgedSlot& slot = tag != nullptr
                                 ? static_cast<const JudgedSlot&>(judged_.tag(name, *tag))
                                 : judged_.manifest(name, *digest);
    const std::uint64_t begun = slot.begun;
    const auto found = co_await life_.store.resolve(name, reference);
    const bool untouched = slot.begun == begun && slot.is_there();
    if (!found) {
        if (untouched && !is_open(life_, found.error()))
            report("pull of what is there in " + name.text(), found.error());
        co_return;
    }
    const int number = judged_.manifest_of(found.value().digest);
    if (number == JudgedSlot::kNothing || (untouched && slot.value != number)) {
        life_.world.fail("a pull in " + name.text() + " gives another manifest");
        co_return;
    }
    const std::uint32_t at_s = now_s();
    if (life_.world.verbose)
        life_.world.say("pull of " + name.text() + (tag != nullptr ? ":" + tag->text() : "@") +
                        " -> " + std::to_string(number) + " at " + std::to_string(at_s));
    const engine::Principal somebody{"user:sim"};
    co_await life_.retention->pulled(somebody, name, reference, found.value().digest);
    judged_.note_pull(
        {name, reference, found.value().digest, deletions[static_cast<std::size_t>(number)]}, at_s);
}

// --- the policy ---

Awaitable<void> Keeper::run_policy() {
    engine::RetentionOrder order;
    order.confirm_clock = !random_.one_in(4);
    if (random_.one_in(3))
        order.repository = judged_.images[random_.below(JudgedWorld::kImages)].text();
    const auto done = co_await life_.retention->run(std::move(order));
    if (!done) {
        // The clock was set; another one works on it.
        if (!is(done.error(), Errc::precondition_failed) && !is(done.error(), Errc::in_use))
            report("a run of the policy", done.error());
        co_return;
    }
    if (!random_.one_in(4)) co_return;
    const auto report_of = boost::json::parse(done.value());
    co_await restore(std::string{report_of.at("run").as_string()});
}

Awaitable<void> Keeper::restore(std::string run) {
    engine::RestoreOrder order;
    order.run = std::move(run);
    const auto slots = judged_.begin_all();
    const auto done = co_await life_.retention->restore(std::move(order));
    JudgedWorld::end_all(slots);
    if (!done) report("a restore", done.error());
}

Awaitable<void> Keeper::look() {
    if (random_.coin()) {
        engine::RetentionQuery all;
        const auto planned = co_await life_.retention->plan(std::move(all));
        if (!planned) report("a plan", planned.error());
        co_return;
    }
    const engine::ImageName& name = judged_.images[random_.below(JudgedWorld::kImages)];
    const engine::Reference reference{draw_tag()};
    const auto why = co_await life_.retention->explain(name, reference);
    const bool absent =
        !why && (is(why.error(), Errc::manifest_unknown) || is(why.error(), Errc::name_unknown));
    if (!why && !absent) report("an explanation", why.error());
}

Awaitable<void> Keeper::do_something() {
    ++life_.world.operations;
    const std::size_t image = random_.below(JudgedWorld::kImages);
    const int manifest = static_cast<int>(random_.below(Universe::kManifests));
    switch (random_.below(20)) {
        case 0:
            co_await push_image(image, manifest, std::nullopt);
            break;
        case 1:
        case 2:
        case 3:
        case 4:
            co_await push_image(image, manifest, draw_tag());
            break;
        case 5:
        case 6:
            co_await set_tag(image, draw_tag(), manifest);
            break;
        case 7:
        case 8:
            co_await delete_tag(image, draw_tag());
            break;
        case 9:
        case 10:
        case 11:
            co_await pull(image, engine::Reference{draw_tag()});
            break;
        case 12:
        case 13:
            co_await pull(image, engine::Reference{judged_.content(manifest).digest});
            break;
        case 14:
            co_await life_.retention->tick();
            break;
        case 15:
            co_await look();
            break;
        case 16:
            judged_.hour_ns =
                life_.clock.steady_ns() + static_cast<std::int64_t>(random_.below(3 * kHourNs));
            break;
        default:
            co_await run_policy();
            break;
    }
}

// --- the audit ---

// What a manifest that is there refers to is there, and held.
void check_children(Life& life, const engine::ImageName& image, const SimManifest& manifest) {
    for (std::size_t i = 0; i < Universe::kBlobs; ++i) {
        if ((manifest.blobs >> i & 1) == 0) continue;
        const auto found = life.blobs.find(life.world.universe.blobs[i].digest);
        if (!found || found->references == 0)
            life.world.fail("audit: blob " + std::to_string(i) + " of a manifest of " +
                            image.text() + " is " + (found ? "held by nothing" : "gone"));
    }
}

}  // namespace

Awaitable<void> await_the_hour(Life& life) {
    if (life.world.judged == nullptr) co_return;
    const std::int64_t until_ns = life.world.judged->hour_ns;
    if (life.clock.steady_ns() < until_ns) co_await life.clock.sleep_until(until_ns);
}

Awaitable<void> run_keeper(Life& life) {
    Keeper keeper{life};
    while (!life.stopping()) {
        --life.operations_left;
        co_await keeper.do_something();
        co_await await_the_hour(life);
        co_await pause_at_times(life);
    }
    --life.clients;
}

Awaitable<void> audit_judged(Life& life, bool& done) {
    JudgedWorld& judged = *life.world.judged;
    for (const engine::ImageName& image : judged.images) {
        for (const engine::Tag& tag : life.world.universe.tags) {
            const auto found = co_await life.store.resolve(image, engine::Reference{tag});
            if (life.io.crashed()) break;
            const int is = found ? judged.manifest_of(found.value().digest) : JudgedSlot::kNothing;
            const JudgedTagState& state = judged.tag(image, tag);
            if (state.certain && state.value != is)
                life.world.fail("audit: " + image.text() + ":" + tag.text() + " is manifest " +
                                std::to_string(is) + ", and was left as " +
                                std::to_string(state.value));
        }
        for (const SimManifest& manifest : life.world.universe.manifests) {
            const auto found =
                co_await life.store.resolve(image, engine::Reference{manifest.digest});
            if (life.io.crashed()) break;
            const JudgedManifestState& state = judged.manifest(image, manifest.digest);
            const bool here = found.has_value();
            if (state.certain && here != state.is_there())
                life.world.fail("audit: a manifest of " + image.text() +
                                (here ? " is there, and was deleted" : " is gone"));
            if (here) check_children(life, image, manifest);
        }
    }
    done = true;
}

Awaitable<void> let_all_go(Life& life, bool& done) {
    JudgedWorld& judged = *life.world.judged;
    const engine::Tag kept = engine::Tag::parse("v2").value();
    Keeper keeper{life};
    for (std::size_t i = 0; i < JudgedWorld::kImages; ++i) co_await keeper.delete_tag(i, kept);
    // Tags; what lost them; parts of what went then; and what was attached to these.
    constexpr int kRounds = 4;
    for (int round = 0; round < kRounds && !life.io.crashed(); ++round) {
        const auto by_ns =
            static_cast<std::int64_t>(judged.everything_goes_after_s() + 2) * 1'000'000'000;
        co_await life.clock.sleep_until(life.clock.steady_ns() + by_ns);
        engine::RetentionOrder order;
        order.confirm_clock = true;
        const auto ran = co_await life.retention->run(std::move(order));
        if (!ran && !life.io.crashed())
            life.world.fail("the last runs of the policy: " + ran.error().code.message());
    }
    std::vector<engine::ImageName> images = judged.images;
    for (const engine::ImageName& image : life.world.pulls->hub.images) images.push_back(image);
    for (const engine::ImageName& image : images) {
        const auto left = co_await life.retention_store->snapshot(image);
        if (left && !life.io.crashed())
            life.world.fail("everything is old in " + image.text() + ", and " +
                            std::to_string(left.value().manifests.size()) + " manifests and " +
                            std::to_string(left.value().tags.size()) + " tags are left");
    }
    done = true;
}

}  // namespace orbitalreg::sim
