// Manifests of a remote repository: freshness of tags, what is fetched and kept, what is served when the upstream fails.

#include "base/planted_bug.h"
#include "remote/remote_repository.h"

#include <algorithm>

namespace orbitalreg::engine {
namespace {

using Kind = UpstreamFailure::Kind;

constexpr std::int64_t kLateMs = 2'000;  // who has something kept waits no longer
constexpr std::int64_t kNoteEveryMs = 6 * 3'600'000LL;

// Schema 1, whatever the upstream calls it: its digest is not that of its bytes (DIST-PROXY-21).
bool is_schema1(const UpstreamManifest& fetched) {
    if (fetched.media_type.find("manifest.v1+") != std::string::npos &&
        fetched.media_type.find("docker") != std::string::npos)
        return true;
    std::string text{as_text(fetched.bytes)};
    std::erase_if(text, [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; });
    return text.find("\"schemaVersion\":1,") != std::string::npos ||
           text.find("\"schemaVersion\":1}") != std::string::npos;
}

// Names of documents are short: the key's digest.
std::string seen_document(const std::string& key) {
    return "remote/seen/" + Digest::of(DigestAlgorithm::sha256, as_bytes(key)).to_string();
}

PullSource of(PullSource::Cache cache) { return {cache, {}, {}}; }

// What the body says it is; where it says nothing or is no manifest so, what the header says (DIST-PROXY-22).
Answer<Manifest> parse(const UpstreamManifest& fetched, const RegistryLimits& limits) {
    auto by_body = Manifest::parse(fetched.bytes, {}, limits);
    if (by_body || fetched.media_type.empty()) return by_body;
    auto by_header = Manifest::parse(fetched.bytes, fetched.media_type, limits);
    if (by_header) return by_header;
    return by_body;
}

}  // namespace

std::string key_of(const ImageName& image, const Reference& reference) {
    return image.text() + (std::holds_alternative<Tag>(reference) ? ':' : '@') +
           to_string(reference);
}

bool RemoteRepository::is_fresh(const std::string& key) const {
    const std::lock_guard lock{mutex_};
    const auto* known = tags_.find(key);
    if (known == nullptr || known->seen_true_ms < 0) return false;
    return ORB_PLANTED(tag_never_asked_again) ||
           rooms_.steady_ms() - known->seen_true_ms < settings_->revalidate_after_ms;
}

// The tag was true just now. Written down now and then, so that max_stale counts over restarts; it is no loss where that fails.
Awaitable<void> RemoteRepository::note_true(std::string key) {
    const auto now = rooms_.steady_ms();
    {
        const std::lock_guard lock{mutex_};
        auto& known = tags_.obtain(key);
        known.seen_true_ms = now;
        const auto every = std::min(kNoteEveryMs, settings_->max_stale_ms / 8);
        if (known.noted_ms >= 0 && now - known.noted_ms < every) co_return;
        known.noted_ms = now;
    }
    DocumentWrite write{
        seen_document(key),
        {},
        DocumentExpectation::anything(),
        static_cast<std::uint64_t>(std::max<std::int64_t>(1, settings_->max_stale_ms))};
    static_cast<void>(
        co_await rooms_.environment.documents.put(rooms_.new_request(), std::move(write)));
}

// Nothing: what is kept may not be served.
Awaitable<std::optional<PullSource>> RemoteRepository::stale_source(std::string key,
                                                                    std::string why) {
    if (!settings_->stale_if_error) co_return std::nullopt;
    const auto seen = co_await rooms_.environment.documents.get(seen_document(key));
    if (!seen) co_return std::nullopt;
    co_return PullSource{
        PullSource::Cache::stale,
        {},
        "the upstream could not be asked (" + why + "): this is what it said before"};
}

void RemoteRepository::log_trouble(const std::string& asked, const std::string& error) {
    rooms_.environment.log.warn("an upstream did not give what was asked for",
                                {{"repository", object_.name.text()},
                                 {"upstream", settings_->url},
                                 {"asked", asked},
                                 {"error", error}});
}

Refusal RemoteRepository::failed(const UpstreamFailure& failure, const std::string& key,
                                 Errc not_found) {
    const auto now = rooms_.steady_ms();
    availability_.failed(failure, now);
    const bool answered = failure.kind == Kind::not_found || failure.kind == Kind::stopped ||
                          failure.kind == Kind::unsupported;
    if (!answered) log_trouble(key, failure.message);
    if (failure.kind == Kind::not_found) {
        const std::lock_guard lock{mutex_};
        absent_.obtain(key) = {now + settings_->negative_ttl_ms, failure.message};
    }
    return refusal_of(failure, not_found);
}

Awaitable<Answer<FoundManifest>> RemoteRepository::find_manifest(RemotePlace place,
                                                                 Reference reference, bool whole) {
    auto& store = rooms_.environment.store;
    const auto kept = co_await store.resolve(place.image, reference);
    const bool absent = !kept && (kept.error().code == Errc::manifest_unknown ||
                                  kept.error().code == Errc::name_unknown);
    if (!kept && !absent) co_return refuse(kept.error());
    const auto key = key_of(place.image, reference);
    const bool by_digest = std::holds_alternative<Digest>(reference);
    if (kept && (by_digest || is_fresh(key)))
        co_return FoundManifest{kept.value(), of(PullSource::Cache::hit)};
    if (settings_->offline) {
        if (kept) co_return FoundManifest{kept.value(), of(PullSource::Cache::hit)};
        co_return refuse({Errc::manifest_unknown, "not kept here, and this repository is offline"});
    }
    std::optional<ManifestInfo> info;
    if (kept) info = kept.value();
    if (!kept) {
        const auto asked = may_ask(key, Errc::manifest_unknown, true);
        if (!asked) co_return refuse(asked.error());
    } else if (const auto rests = availability_.refusal(rooms_.steady_ms(), true)) {
        auto source = co_await stale_source(key, rests->message);
        if (source) co_return FoundManifest{*info, std::move(*source)};
        co_return refuse(refusal_of(*rests, Errc::manifest_unknown));
    }
    const auto executor = co_await asio::this_coro::executor;
    const auto kept_digest = info ? std::optional{info->digest} : std::nullopt;
    auto check = join_check(place, reference, kept_digest, whole, executor);
    if (check == nullptr) co_return refuse(Errc::stopped);
    auto found = co_await wait_for(std::move(check), std::move(info), key);
    if (found && whole && settings_->prefetch)
        begin_prefetch(place, found.value().info.digest, executor);
    co_return found;
}

// Null: shutting down.
std::shared_ptr<ManifestCheck> RemoteRepository::join_check(const RemotePlace& place,
                                                            const Reference& reference,
                                                            std::optional<Digest> kept, bool whole,
                                                            asio::any_io_executor executor) {
    // Who wants the bytes does not wait for somebody who only wants to know.
    const auto key = key_of(place.image, reference) + (whole ? " whole" : "");
    std::shared_ptr<ManifestCheck> check;
    {
        const std::lock_guard lock{mutex_};
        if (stopped_) return nullptr;
        const auto running = checks_.find(key);
        if (running != checks_.end()) return running->second;
        check = std::make_shared<ManifestCheck>();
        checks_.emplace(key, check);
    }
    asio::co_spawn(executor,
                   run_check(shared_from_this(), check, place, reference, kept, whole, key),
                   asio::detached);
    if (kept) asio::co_spawn(executor, watch_check(shared_from_this(), check), asio::detached);
    return check;
}

Awaitable<void> RemoteRepository::run_check(std::shared_ptr<RemoteRepository> self,
                                            std::shared_ptr<ManifestCheck> check, RemotePlace place,
                                            Reference reference, std::optional<Digest> kept,
                                            bool whole, std::string check_key) {
    auto outcome = co_await self->check(place, reference, kept, whole);
    {
        const std::lock_guard lock{self->mutex_};
        self->checks_.erase(check_key);
    }
    check->end(std::move(outcome));
}

Awaitable<void> RemoteRepository::watch_check(std::shared_ptr<RemoteRepository> self,
                                              std::shared_ptr<ManifestCheck> check) {
    auto& clock = self->rooms_.environment.clock;
    co_await clock.sleep_until(clock.steady_ns() + kLateMs * 1'000'000);
    if (!check->state().outcome) check->set_late();
}

Awaitable<Answer<FoundManifest>> RemoteRepository::wait_for(std::shared_ptr<ManifestCheck> check,
                                                            std::optional<ManifestInfo> kept,
                                                            std::string key) {
    for (;;) {
        const auto state = check->state();
        if (state.outcome && *state.outcome) co_return state.outcome->value();
        if (state.outcome) {
            const auto& refusal = state.outcome->error();
            // Not there, or not for us: that is an answer.
            const bool answered = refusal.code == Errc::manifest_unknown ||
                                  refusal.code == Errc::denied || refusal.code == Errc::stopped;
            if (!kept || answered) co_return refuse(refusal);
            auto source = co_await stale_source(key, refusal.message);
            if (!source) co_return refuse(refusal);
            co_return FoundManifest{*kept, std::move(*source)};
        }
        if (state.late && kept) {
            auto source = co_await stale_source(key, "it is slow");
            if (source) co_return FoundManifest{*kept, std::move(*source)};
            kept.reset();
            continue;
        }
        co_await state.next->wait();
    }
}

// --- asking ---

Awaitable<Answer<FoundManifest>> RemoteRepository::check(const RemotePlace& place,
                                                         const Reference& reference,
                                                         std::optional<Digest> kept, bool whole) {
    const auto key = key_of(place.image, reference);
    const auto* tag = std::get_if<Tag>(&reference);
    const bool ask_first = kept.has_value() || !whole;
    if (!ask_first) co_return co_await fetch(place, reference);
    const auto head = co_await upstream_->head_manifest(place.upstream_name, reference);
    if (!head) {
        if (tag != nullptr && kept && head.error().kind == Kind::not_found)
            co_await drop_tag(place, *tag, *kept);
        co_return refuse(failed(head.error(), key, Errc::manifest_unknown));
    }
    availability_.answered();
    const auto& said = head.value();
    if (tag != nullptr && kept && said.digest == kept)
        co_return co_await still_true(place, *tag, *kept, false);
    if (tag != nullptr && said.digest) {
        const auto known = co_await rooms_.environment.store.resolve(place.image, *said.digest);
        if (known) co_return co_await still_true(place, *tag, *said.digest, true);
    }
    const auto kind = manifest_kind_of(said.media_type);
    if (!whole && !kept && said.digest && said.size_bytes && kind)
        co_return FoundManifest{{*said.digest, *kind, *said.size_bytes, {}},
                                of(PullSource::Cache::miss)};
    co_return co_await fetch(place, reference);
}

Awaitable<Answer<FoundManifest>> RemoteRepository::fetch(const RemotePlace& place,
                                                         const Reference& reference) {
    auto fetched = co_await upstream_->get_manifest(place.upstream_name, reference);
    if (!fetched)
        co_return refuse(
            failed(fetched.error(), key_of(place.image, reference), Errc::manifest_unknown));
    availability_.answered();
    auto kept = co_await keep(place, reference, std::move(fetched).value());
    if (!kept && kept.error().code == Errc::upstream_untrusted)
        log_trouble(key_of(place.image, reference), kept.error().message);
    co_return kept;
}

// The tag points where it did, or at something else that is kept already.
Awaitable<Answer<FoundManifest>> RemoteRepository::still_true(const RemotePlace& place,
                                                              const Tag& tag, Digest digest,
                                                              bool moved) {
    auto& store = rooms_.environment.store;
    if (moved) {
        const auto set = co_await store.set_tag(rooms_.new_request(), place.image, tag, digest,
                                                TagExpectation::anything());
        if (!set) co_return refuse(set.error());
    }
    const auto info = co_await store.resolve(place.image, digest);
    if (!info) co_return refuse(info.error());
    co_await note_true(key_of(place.image, tag));
    co_return FoundManifest{info.value(), of(PullSource::Cache::revalidated)};
}

// The upstream has no such tag any more.
Awaitable<void> RemoteRepository::drop_tag(const RemotePlace& place, const Tag& tag, Digest kept) {
    static_cast<void>(co_await rooms_.environment.store.delete_tag(
        rooms_.new_request(), place.image, tag, TagExpectation::at(kept)));
    const std::lock_guard lock{mutex_};
    tags_.forget(key_of(place.image, tag));
}

// Under the image name: another one may say what it likes.
void RemoteRepository::note_sizes(const ImageName& image, const Manifest& manifest) {
    const std::lock_guard lock{mutex_};
    for (const auto& edge : manifest.edges()) {
        if (!edge.to_manifest)
            sizes_.obtain(key_of(image, edge.descriptor.digest)) = edge.descriptor.size_bytes;
    }
}

Awaitable<Answer<FoundManifest>> RemoteRepository::keep(const RemotePlace& place,
                                                        const Reference& reference,
                                                        UpstreamManifest fetched) {
    const auto* tag = std::get_if<Tag>(&reference);
    const auto* asked = std::get_if<Digest>(&reference);
    const auto algorithm = asked != nullptr ? asked->algorithm() : DigestAlgorithm::sha256;
    const auto digest = Digest::of(algorithm, fetched.bytes);
    if (is_schema1(fetched)) {
        co_return refuse(
            {Errc::manifest_unknown,
             "the upstream has this only in the old schema 1 format, which is not offered here"});
    }
    if (asked != nullptr && digest != *asked && !ORB_PLANTED(fetched_manifest_unverified)) {
        co_return refuse({Errc::upstream_untrusted,
                          "the upstream's manifest does not have the digest it was asked for by"});
    }
    auto manifest = parse(fetched, rooms_.environment.limits);
    if (!manifest) {
        co_return refuse({Errc::upstream_untrusted,
                          "the upstream's manifest is none: " + manifest.error().message});
    }
    const auto key = key_of(place.image, reference);
    note_sizes(place.image, manifest.value());
    const ManifestInfo info{digest, manifest.value().kind(), fetched.bytes.size(), {}};
    ManifestPut put{{place.image, place.repository, false},
                    digest,
                    std::move(fetched.bytes),
                    std::move(manifest).value(),
                    {},
                    TagExpectation::anything(),
                    true,
                    0,
                    {}};
    put.fetched = true;
    if (tag != nullptr) {
        put.tags.push_back(*tag);
        // In the same step: a tag that is kept was true at some time.
        put.documents.push_back(
            {seen_document(key),
             {},
             DocumentExpectation::anything(),
             static_cast<std::uint64_t>(std::max<std::int64_t>(1, settings_->max_stale_ms))});
    }
    const auto stored =
        co_await rooms_.environment.store.put_manifest(rooms_.new_request(), std::move(put));
    if (!stored && stored.error().code == Errc::manifest_invalid)
        co_return refuse({Errc::upstream_untrusted, stored.error().message});
    if (!stored) co_return refuse(stored.error());
    if (tag != nullptr) {
        const std::lock_guard lock{mutex_};
        auto& known = tags_.obtain(key);
        known.seen_true_ms = known.noted_ms = rooms_.steady_ms();
    }
    co_return FoundManifest{info, of(PullSource::Cache::miss)};
}

}  // namespace orbitalreg::engine
