#include "embedded/embedded_upkeep.h"

#include "catalog/holding_paths.h"
#include "embedded/translate.h"
#include "upkeep/store_json.h"

#include <algorithm>

namespace orbitalreg::engine {
namespace {

CollectionRound from_cas(const cas::CollectionRound& round) {
    return {round.dry_run,
            round.examined,
            round.deleted,
            round.deleted_bytes,
            round.lane_bytes,
            round.log_bytes,
            round.kept,
            round.uploads_closed,
            round.wall_ns / 1'000'000,
            round.duration_ms,
            round.error ? round.error.message() : std::string{}};
}

std::int64_t between(std::uint64_t from_ms, std::uint64_t to_ms) noexcept {
    return std::max<std::int64_t>(
        0, static_cast<std::int64_t>(to_ms) - static_cast<std::int64_t>(from_ms));
}

}  // namespace

Awaitable<Answer<CollectionRound>> EmbeddedUpkeep::collect(
    bool dry_run, std::function<void(const CollectionRound&)> progress) {
    std::function<void(const cas::CollectionRound&)> forward;
    if (progress) {
        forward = [progress = std::move(progress)](const cas::CollectionRound& round) {
            progress(from_cas(round));
        };
    }
    const auto round = co_await store_.collection().run(dry_run, std::move(forward));
    if (round) co_return from_cas(round.value());
    const auto halted = store_.collection().status().halted;
    if (!halted.empty()) {
        co_return refuse({Errc::precondition_failed, "collection is halted: " + halted});
    }
    co_return refuse(translate(round.error()));
}

CollectionStatus EmbeddedUpkeep::collection_status() const {
    const auto known = store_.collection().status();
    CollectionStatus status;
    status.running = known.running;
    status.paused = known.paused;
    status.halted = known.halted;
    status.grace_ms = known.grace_ms;
    status.interval_ms = known.interval_ms;
    status.unreferenced_blobs = known.unreferenced_blobs;
    status.condemned_extents = known.condemned_extents;
    status.rounds = known.rounds;
    status.deleted = known.deleted;
    status.deleted_bytes = known.deleted_bytes;
    status.leases = known.leases;
    if (known.last) status.last = from_cas(*known.last);
    status.next_in_ms = known.next_in_ms;
    return status;
}

Awaitable<BlobExplanation> EmbeddedUpkeep::explain(Digest digest) {
    co_return co_await asio::co_spawn(background_, explain_now(this, digest), asio::use_awaitable);
}

Awaitable<BlobExplanation> EmbeddedUpkeep::explain_now(const EmbeddedUpkeep* self, Digest digest) {
    using State = cas::BlobFate::State;
    BlobExplanation explanation;
    explanation.digest = digest;
    const auto fate = self->store_.collection().fate_of(digest);
    explanation.deletions_remembered = fate.remembered;
    explanation.damaged = fate.damaged;
    explanation.size_bytes = fate.size_bytes;
    explanation.references = fate.references;
    if (fate.state == State::unknown) co_return explanation;
    if (fate.state == State::deleted) {
        explanation.state = BlobExplanation::State::deleted;
        explanation.deleted_ago_ms = between(fate.deleted_ms, fate.now_ms);
        explanation.unreferenced_until_ms = between(fate.unreferenced_since_ms, fate.deleted_ms);
        co_return explanation;
    }
    const bool held = fate.state == State::referenced;
    explanation.state = held ? BlobExplanation::State::held : BlobExplanation::State::waiting;
    explanation.unreferenced_for_ms = held ? 0 : between(fate.unreferenced_since_ms, fate.now_ms);
    explanation.goes_in_ms = held ? 0 : between(fate.now_ms, fate.due_ms);
    const auto found = self->store_.find(digest);
    if (!found) co_return explanation;
    explanation.links = self->catalog_.images().owners(found->id, BlobExplanation::kLinksMax);
    if (held) explanation.paths = holding_paths(self->catalog_, found->id);
    co_return explanation;
}

Awaitable<std::string> EmbeddedUpkeep::stats(bool files) {
    co_return co_await asio::co_spawn(background_, stats_now(this, files), asio::use_awaitable);
}

Awaitable<std::string> EmbeddedUpkeep::stats_now(const EmbeddedUpkeep* self, bool files) {
    co_return stats_json(self->registry_.stats(), self->store_.stats(), self->store_.space(files));
}

Awaitable<cas::SpaceReport> EmbeddedUpkeep::space_now(const EmbeddedUpkeep* self) {
    co_return self->store_.space(false);
}

Awaitable<Answer<std::string>> EmbeddedUpkeep::compact() {
    const auto before = co_await asio::co_spawn(background_, space_now(this), asio::use_awaitable);
    const auto report = co_await store_.compact();
    const auto after = co_await asio::co_spawn(background_, space_now(this), asio::use_awaitable);
    if (report.stopped) {
        const bool read_only = store_.stats().read_only;
        co_return refuse(
            translate(make_error_code(read_only ? cas::Errc::read_only : cas::Errc::stopped)));
    }
    co_return compaction_json(report, before, after);
}

std::string EmbeddedUpkeep::compaction_status() const {
    return compaction_status_json(store_.compaction_status(), store_.store_time_ms());
}

Answer<void> EmbeddedUpkeep::scrub(ScrubOrder order) {
    if (store_.stats().read_only) return refuse(translate(cas::Errc::read_only));
    store_.scrubber().request_pass({.digests = order.digests, .rate_bytes = order.rate_bytes});
    return boost::outcome_v2::success();
}

void EmbeddedUpkeep::resume_marking() { store_.scrubber().resume_marking(); }

std::string EmbeddedUpkeep::scrub_status() const {
    return scrub_status_json(store_.scrubber().scrub_status(), store_.stats(),
                             store_.store_time_ms());
}

}  // namespace orbitalreg::engine
