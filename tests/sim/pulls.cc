#include "sim/pulls.h"

#include "engine/errors.h"
#include "sim/keepers.h"

#include <algorithm>
#include <optional>

namespace orbitalreg::sim {

// --- what must be there ---

void KeptRecord::begin_life() noexcept {
    for (Image& image : images_) image.deleting = {};
}

void KeptRecord::begin_deletion(std::size_t image, std::size_t manifest) noexcept {
    Image& of = images_[image];
    of.held &= ~(1U << manifest);
    of.blobs[manifest] = 0;
    ++of.deletions[manifest];
    ++of.deleting[manifest];
}

void KeptRecord::end_deletion(std::size_t image, std::size_t manifest) noexcept {
    --images_[image].deleting[manifest];
}

KeptRecord::Watch::Watch(const KeptRecord& record, std::size_t image) noexcept : image_{image} {
    const Image& of = record.images_[image];
    deletions_ = of.deletions;
    held_ = of.held;
    for (std::size_t i = 0; i < SimHub::kManifests; ++i) {
        if (of.deleting[i] == 0) quiet_ |= 1U << i;
    }
}

void KeptRecord::served_manifest(const Watch& watch, std::size_t manifest) noexcept {
    Image& of = images_[watch.image_];
    const bool undisturbed =
        (watch.quiet_ >> manifest & 1) != 0 && watch.deletions_[manifest] == of.deletions[manifest];
    if (undisturbed) of.held |= 1U << manifest;
}

void KeptRecord::served_blob(const Watch& watch, const SimHub& hub, std::size_t blob) noexcept {
    Image& of = images_[watch.image_];
    for (std::size_t i = 0; i < SimHub::kManifests; ++i) {
        const bool held = (watch.held_ >> i & 1) != 0 && watch.deletions_[i] == of.deletions[i];
        if (held) of.blobs[i] |= hub.manifests[i].blobs & 1U << blob;
    }
}

namespace {

using Cache = engine::PullSource::Cache;
using engine::Errc;

// Between an upstream's answer and the one that a client gets of it.
constexpr std::int64_t kOnTheWayNs = 30'000'000'000;

bool is(const engine::Refusal& refusal, Errc code) {
    return refusal.code == engine::make_error_code(code);
}

// Refusals that may meet any pull; those of absence and distrust are the caller's to judge.
bool may_be_refused(Life& life, const engine::Refusal& refusal) {
    for (const Errc code :
         {Errc::upstream_unavailable, Errc::throttled, Errc::denied, Errc::stopped,
          Errc::overloaded, Errc::no_space, Errc::read_only, Errc::unknown}) {
        if (is(refusal, code)) return true;
    }
    const bool failed = is(refusal, Errc::io_error) || is(refusal, Errc::damaged);
    return failed && (life.io.crashed() || life.world.errors_seen || life.io.loud_faults() > 0);
}

void report(Life& life, const std::string& what, const engine::Refusal& refusal) {
    if (life.io.crashed()) return;
    life.world.fail(what + ": " + refusal.code.message() + " (" + refusal.message + ")");
}

class Puller {
public:
    explicit Puller(Life& life)
        : life_{life}, random_{life.world.random}, pulls_{*life.world.pulls}, hub_{pulls_.hub} {}

    Awaitable<void> do_something();

private:
    Awaitable<void> pull_image(std::size_t image);
    // The manifest that it is, or SimHub::kNone.
    Awaitable<int> pull_tag(std::size_t image, std::size_t tag, bool whole);
    Awaitable<int> pull_digest(std::size_t image, std::size_t manifest, bool whole);
    Awaitable<void> read_manifest(std::size_t image, std::size_t manifest);
    Awaitable<void> pull_blob(std::size_t image, std::size_t blob);
    Awaitable<void> stat_blob(std::size_t image, std::size_t blob);
    Awaitable<void> read_stream(engine::BlobStream& stream, std::size_t image, std::size_t blob,
                                bool kept);
    Awaitable<void> list_tags(std::size_t image);
    Awaitable<void> delete_manifest(std::size_t image, std::size_t manifest);
    Awaitable<void> delete_tag(std::size_t image, std::size_t tag);
    // Of each manifest, how often it was deleted.
    using Deletions = std::array<std::uint64_t, SimHub::kManifests>;
    Deletions deletions_of(std::size_t image) const;
    Awaitable<void> tell_retention(std::size_t image, engine::Reference reference, int manifest,
                                   Deletions before);
    Awaitable<void> pause();
    void judge_manifest(const engine::Refusal& refusal, const std::string& what) const;
    void judge_blob(const engine::Refusal& refusal, std::size_t image, std::size_t blob) const;
    std::string name_of(std::size_t image, std::size_t blob) const {
        return "blob " + std::to_string(blob) + " of " + hub_.images[image].text();
    }

    Life& life_;
    SimRandom& random_;
    PullWorld& pulls_;
    SimHub& hub_;
};

Awaitable<void> Puller::pause() {
    if (!random_.one_in(life_.world.workload.reader_pauses)) co_return;
    const auto by = static_cast<std::int64_t>(random_.below(40'000'000));
    co_await life_.clock.sleep_until(life_.clock.steady_ns() + by);
}

void Puller::judge_manifest(const engine::Refusal& refusal, const std::string& what) const {
    if (may_be_refused(life_, refusal)) return;
    // Tags come and go; and an upstream may say that there is none.
    if (is(refusal, Errc::manifest_unknown) || is(refusal, Errc::name_unknown)) return;
    if (is(refusal, Errc::upstream_untrusted) && hub_.lied_of_manifests) return;
    report(life_, what, refusal);
}

Puller::Deletions Puller::deletions_of(std::size_t image) const {
    Deletions deletions{};
    for (std::size_t i = 0; life_.world.judged != nullptr && i < deletions.size(); ++i)
        deletions[i] =
            life_.world.judged->deletions_of(hub_.images[image], hub_.manifests[i].digest);
    return deletions;
}

Awaitable<void> Puller::tell_retention(std::size_t image, engine::Reference reference, int manifest,
                                       Deletions before) {
    if (life_.retention == nullptr) co_return;
    const auto number = static_cast<std::size_t>(manifest);
    const engine::ImageName& name = hub_.images[image];
    const Digest digest = hub_.manifests[number].digest;
    const std::uint32_t at_s = life_.now_s();
    const engine::Principal somebody{"user:sim"};
    co_await life_.retention->pulled(somebody, name, reference, digest);
    life_.world.judged->note_pull({name, reference, digest, before[number]}, at_s);
}

Awaitable<int> Puller::pull_tag(std::size_t image, std::size_t tag, bool whole) {
    const KeptRecord::Watch watch{pulls_.kept, image};
    const Deletions deletions = deletions_of(image);
    const std::int64_t begun_ns = life_.clock.steady_ns();
    const auto found = co_await life_.remotes->find_manifest(
        hub_.place(image), engine::Reference{hub_.tags[tag]}, whole);
    const std::string what = "pull of " + hub_.images[image].text() + ":" + hub_.tags[tag].text();
    if (!found) {
        judge_manifest(found.error(), what);
        co_return SimHub::kNone;
    }
    const Cache cache = found.value().source.cache;
    const int manifest = hub_.manifest_of(found.value().info.digest);
    if (life_.world.verbose)
        life_.world.say(what + " -> " + std::to_string(manifest) + " " +
                        std::string{engine::to_string(cache)});
    const std::int64_t since_ns =
        cache == Cache::stale
            ? 0
            : begun_ns - kOnTheWayNs - hub_.settings->revalidate_after_ms * 1'000'000;
    if (manifest < 0 || !hub_.stood_at(image, tag, manifest, since_ns)) {
        life_.world.fail(
            what + " gives what the upstream did not have there: " + std::to_string(manifest));
        co_return SimHub::kNone;
    }
    if (cache == Cache::hit && hub_.settings->revalidate_after_ms == 0)
        life_.world.fail(what + " is served as it was, and the upstream was not asked");
    if (cache == Cache::stale &&
        (!hub_.settings->stale_if_error || found.value().source.warning.empty()))
        life_.world.fail(what + " is stale, and says nothing of it");
    if (whole) pulls_.kept.served_manifest(watch, static_cast<std::size_t>(manifest));
    if (whole) co_await tell_retention(image, hub_.tags[tag], manifest, deletions);
    co_return manifest;
}

Awaitable<int> Puller::pull_digest(std::size_t image, std::size_t manifest, bool whole) {
    const KeptRecord::Watch watch{pulls_.kept, image};
    const Deletions deletions = deletions_of(image);
    const Digest digest = hub_.manifests[manifest].digest;
    const auto found =
        co_await life_.remotes->find_manifest(hub_.place(image), engine::Reference{digest}, whole);
    const std::string what =
        "pull of manifest " + std::to_string(manifest) + " of " + hub_.images[image].text();
    if (!found) {
        judge_manifest(found.error(), what);
        co_return SimHub::kNone;
    }
    if (found.value().info.digest != digest) life_.world.fail(what + " gives another one");
    if (!hub_.has_manifest(image, manifest))
        life_.world.fail(what + ": the upstream does not have it there");
    if (whole) pulls_.kept.served_manifest(watch, manifest);
    if (whole) co_await tell_retention(image, digest, static_cast<int>(manifest), deletions);
    co_return static_cast<int>(manifest);
}

Awaitable<void> Puller::read_manifest(std::size_t image, std::size_t manifest) {
    auto stream =
        co_await life_.store.read_manifest(hub_.images[image], hub_.manifests[manifest].digest);
    if (!stream) co_return;  // deleted meanwhile; what must be there is the audit's business
    const auto read =
        co_await compare_content(life_, std::move(stream).value(), hub_.manifests[manifest].bytes,
                                 "manifest " + std::to_string(manifest) + " of upstream");
    if (!read && !may_be_refused(life_, read.error()))
        report(life_, "manifest " + std::to_string(manifest) + " of upstream", read.error());
}

void Puller::judge_blob(const engine::Refusal& refusal, std::size_t image, std::size_t blob) const {
    if (may_be_refused(life_, refusal)) return;
    // Also in the midst of it: nothing may hold what has just come.
    if (is(refusal, Errc::blob_unknown) || is(refusal, Errc::name_unknown)) return;
    if (is(refusal, Errc::upstream_untrusted) && hub_.lied[blob]) return;
    report(life_, name_of(image, blob), refusal);
}

// `kept`: verified before it was kept; otherwise wrong bytes may be seen, but never to the end.
Awaitable<void> Puller::read_stream(engine::BlobStream& stream, std::size_t image, std::size_t blob,
                                    bool kept) {
    const KeptRecord::Watch watch{pulls_.kept, image};
    const ByteView expected{hub_.blobs[blob].bytes};
    const std::uint64_t size = stream.size_bytes();
    const std::uint64_t from = random_.one_in(4) ? random_.below(size) : 0;
    const std::uint64_t until = random_.one_in(5) ? random_.between(from, size) : size;
    const bool hurries = random_.coin();
    bool right = size == expected.size();
    std::uint64_t offset = from;
    while (offset < until && !life_.io.crashed()) {
        const std::uint64_t length = random_.coin() ? 1_MiB : random_.between(1, 100'000);
        const auto piece = co_await stream.read(offset, std::min(length, until - offset));
        if (!piece) {
            judge_blob(piece.error(), image, blob);
            co_return;
        }
        const ByteView bytes = piece.value().bytes;
        if (bytes.empty() || bytes.size() > until - offset) {
            life_.world.fail(name_of(image, blob) + ": a piece of another size");
            co_return;
        }
        right = right && offset + bytes.size() <= expected.size() &&
                std::ranges::equal(bytes, expected.subspan(offset, bytes.size()));
        offset += bytes.size();
        if (!hurries) co_await pause();
    }
    const bool whole = until == size && offset == size;
    if (!right && (whole || kept))
        life_.world.fail(name_of(image, blob) + ": wrong bytes were served, up to " +
                         std::to_string(offset));
    if (whole && right) pulls_.kept.served_blob(watch, hub_, blob);
}

Awaitable<void> Puller::pull_blob(std::size_t image, std::size_t blob) {
    auto opened = co_await life_.remotes->open_blob(hub_.place(image), hub_.blobs[blob].digest);
    if (life_.world.verbose)
        life_.world.say("pull of " + name_of(image, blob) + " -> " +
                        (opened ? std::string{engine::to_string(opened.value().source.cache)}
                                : opened.error().code.message()));
    if (!opened) {
        judge_blob(opened.error(), image, blob);
        co_return;
    }
    if (!hub_.has_blob(image, blob))
        life_.world.fail(name_of(image, blob) + ": the upstream does not have it there");
    const bool kept = opened.value().source.cache != Cache::miss;
    co_await read_stream(*opened.value().content, image, blob, kept);
}

Awaitable<void> Puller::stat_blob(std::size_t image, std::size_t blob) {
    const auto found =
        co_await life_.remotes->stat_blob(hub_.place(image), hub_.blobs[blob].digest);
    if (!found) {
        judge_blob(found.error(), image, blob);
        co_return;
    }
    const bool right = hub_.has_blob(image, blob) &&
                       (found.value().info.size_bytes == hub_.blobs[blob].bytes.size() ||
                        (hub_.lied[blob] && found.value().source.cache == Cache::miss));
    if (!right) life_.world.fail(name_of(image, blob) + ": a size that the upstream does not say");
}

Awaitable<void> Puller::pull_image(std::size_t image) {
    int found = SimHub::kNone;
    if (random_.one_in(3)) {
        found = co_await pull_digest(image, random_.below(SimHub::kManifests), true);
    } else {
        found = co_await pull_tag(image, random_.below(SimHub::kTags), true);
    }
    if (found < 0) co_return;
    const auto manifest = static_cast<std::size_t>(found);
    co_await read_manifest(image, manifest);
    for (std::size_t i = 0; i < SimHub::kBlobs && !life_.stopping(); ++i) {
        const bool wanted = (hub_.manifests[manifest].blobs >> i & 1) != 0;
        if (wanted && !random_.one_in(5)) co_await pull_blob(image, i);
    }
}

Awaitable<void> Puller::list_tags(std::size_t image) {
    const auto listed = co_await life_.remotes->list_tags(hub_.place(image), "", 10);
    if (!listed) {
        judge_manifest(listed.error(), "list of tags of " + hub_.images[image].text());
        co_return;
    }
    for (const std::string& text : listed.value().items) {
        if (std::ranges::find(hub_.tags, text, &engine::Tag::text) == hub_.tags.end())
            life_.world.fail("a list of tags names one that the upstream never had");
    }
}

// As retention does it.
Awaitable<void> Puller::delete_manifest(std::size_t image, std::size_t manifest) {
    pulls_.kept.begin_deletion(image, manifest);
    const auto forget = [&] {
        if (life_.world.judged != nullptr)
            life_.world.judged->forget_manifest(hub_.images[image],
                                                hub_.manifests[manifest].digest);
    };
    forget();
    const auto deleted = co_await life_.store.delete_manifest(
        engine::RequestId::make(random_), hub_.images[image], hub_.manifests[manifest].digest);
    pulls_.kept.end_deletion(image, manifest);
    forget();
    if (!deleted) judge_manifest(deleted.error(), "deletion of a kept manifest");
}

Awaitable<void> Puller::delete_tag(std::size_t image, std::size_t tag) {
    const auto deleted =
        co_await life_.store.delete_tag(engine::RequestId::make(random_), hub_.images[image],
                                        hub_.tags[tag], engine::TagExpectation::anything());
    if (!deleted) judge_manifest(deleted.error(), "deletion of a kept tag");
}

Awaitable<void> Puller::do_something() {
    ++life_.world.operations;
    std::size_t image = random_.below(SimHub::kImages);
    std::size_t blob = random_.below(SimHub::kBlobs);
    if (const auto unfinished = hub_.unfinished(); unfinished && random_.one_in(3)) {
        image = unfinished->first;
        blob = unfinished->second;
    }
    const std::size_t manifest = random_.below(SimHub::kManifests);
    const std::size_t tag = random_.below(SimHub::kTags);
    switch (random_.below(16)) {
        case 0:
            co_await stat_blob(image, blob);
            break;
        case 1:
            static_cast<void>(co_await pull_tag(image, tag, false));
            break;
        case 2:
            static_cast<void>(co_await pull_digest(image, manifest, false));
            break;
        case 3:
            co_await list_tags(image);
            break;
        case 4:
            co_await delete_tag(image, tag);
            break;
        case 5:
        case 6:
            co_await delete_manifest(image, manifest);
            break;
        case 7:
        case 8:
            hub_.move_tag(random_, life_.clock.steady_ns());
            break;
        case 9:
        case 10:
        case 11:
            co_await pull_blob(image, blob);
            break;
        default:
            co_await pull_image(image);
            break;
    }
}

// --- the audit ---

class PullAuditor {
public:
    explicit PullAuditor(Life& life) : life_{life}, pulls_{*life.world.pulls} {}

    Awaitable<void> check_manifests(std::size_t image);
    Awaitable<void> check_blobs(std::size_t image);

private:
    void complain(const std::string& what, const engine::Refusal& refusal) {
        if (may_be_refused(life_, refusal)) return;
        report(life_, "audit: " + what, refusal);
    }
    void check_arrived(std::size_t image, std::size_t manifest);

    Life& life_;
    PullWorld& pulls_;
    std::uint32_t compared_ = 0;  // blobs
};

// No collection takes what a manifest that is kept refers to.
void PullAuditor::check_arrived(std::size_t image, std::size_t manifest) {
    for (std::size_t i = 0; i < SimHub::kBlobs; ++i) {
        if ((pulls_.kept.blobs_of(image, manifest) >> i & 1) == 0) continue;
        const auto found = life_.blobs.find(pulls_.hub.blobs[i].digest);
        if (found && found->references > 0) continue;
        life_.world.fail("audit: blob " + std::to_string(i) + " that manifest " +
                         std::to_string(manifest) + " of " + pulls_.hub.images[image].text() +
                         " refers to was served, and is " + (found ? "held by nothing" : "gone"));
    }
}

Awaitable<void> PullAuditor::check_manifests(std::size_t image) {
    for (std::size_t i = 0; i < SimHub::kManifests; ++i) {
        const HubManifest& manifest = pulls_.hub.manifests[i];
        const std::string what =
            "manifest " + std::to_string(i) + " of " + pulls_.hub.images[image].text();
        auto stream = co_await life_.store.read_manifest(pulls_.hub.images[image], manifest.digest);
        if (life_.io.crashed()) co_return;
        if (!stream) {
            const bool absent = is(stream.error(), Errc::manifest_unknown) ||
                                is(stream.error(), Errc::name_unknown);
            if (!absent || pulls_.kept.holds(image, i)) complain(what, stream.error());
            continue;
        }
        const auto read =
            co_await compare_content(life_, std::move(stream).value(), manifest.bytes, what);
        if (!read) complain(what, read.error());
        check_arrived(image, i);
    }
}

// Whatever is found under a digest has it.
Awaitable<void> PullAuditor::check_blobs(std::size_t image) {
    for (std::size_t i = 0; i < SimHub::kBlobs; ++i) {
        const SimBlob& blob = pulls_.hub.blobs[i];
        auto stream = co_await life_.store.read_blob(pulls_.hub.images[image], blob.digest);
        if (life_.io.crashed()) co_return;
        if (!stream || (compared_ >> i & 1) != 0) continue;
        if (!pulls_.hub.has_blob(image, i))
            life_.world.fail("audit: a blob is linked where the upstream does not have it");
        compared_ |= 1U << i;
        const std::string what = "blob " + std::to_string(i) + " of upstream";
        const auto read =
            co_await compare_content(life_, std::move(stream).value(), blob.bytes, what);
        if (!read) complain(what, read.error());
    }
}

}  // namespace

Awaitable<void> run_pull_client(Life& life) {
    Puller puller{life};
    while (!life.stopping()) {
        --life.operations_left;
        co_await puller.do_something();
        co_await await_the_hour(life);
        co_await pause_at_times(life);
    }
    --life.clients;
}

Awaitable<void> audit_pulls(Life& life, bool& done) {
    PullAuditor auditor{life};
    for (std::size_t image = 0; image < SimHub::kImages; ++image) {
        if (!life.io.crashed()) co_await auditor.check_manifests(image);
        if (!life.io.crashed()) co_await auditor.check_blobs(image);
    }
    done = true;
}

}  // namespace orbitalreg::sim
