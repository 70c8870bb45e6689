// Blobs of a remote repository: kept ones, transfers and who joins them, proof that the upstream has a blob under a name.

#include "base/planted_bug.h"
#include "remote/remote_repository.h"

#include <algorithm>

namespace orbitalreg::engine {
namespace {

constexpr std::uint32_t kLinksLookedAt = 1;
constexpr std::uint64_t kPrefetchLeftMin =
    20;  // percent of an upstream's limit that is kept for people

PullSource of(PullSource::Cache cache) { return {cache, {}, {}}; }

std::string blob_key(const RemotePlace& place, const Digest& digest) {
    return place.image.text() + "@blob:" + digest.to_string();
}

}  // namespace

Answer<void> RemoteRepository::may_ask(const std::string& key, Errc not_found, bool counted) {
    const auto now = rooms_.steady_ms();
    {
        const std::lock_guard lock{mutex_};
        if (stopped_) return refuse(Errc::stopped);
        const auto* known = absent_.find(key);
        if (known != nullptr && now < known->until_ms) return refuse({not_found, known->message});
    }
    if (const auto rests = availability_.refusal(now, counted))
        return refuse(refusal_of(*rests, Errc::manifest_unknown));
    return ok();
}

// Whether the upstream has it under this name, and its size where that is said.
Awaitable<Answer<std::optional<std::uint64_t>>> RemoteRepository::ask_for_blob(
    const RemotePlace& place, Digest digest) {
    const auto key = blob_key(place, digest);
    ORB_CO_TRY(may_ask(key, Errc::blob_unknown, false));
    const auto said = co_await upstream_->head_blob(place.upstream_name, digest);
    if (!said) co_return refuse(failed(said.error(), key, Errc::blob_unknown));
    availability_.answered();
    co_return said.value();
}

// It is in the store under another name: the upstream says whether this name has it too, and nothing is transferred.
Awaitable<bool> RemoteRepository::adopt(const RemotePlace& place, Digest digest) {
    auto& store = rooms_.environment.store;
    const auto links = co_await store.find_links(digest, kLinksLookedAt);
    if (!links || links.value().empty()) co_return false;
    if (!ORB_PLANTED(adopted_unasked)) {
        const auto there = co_await ask_for_blob(place, digest);
        if (!there) co_return false;
    }
    PushTarget target{place.image, place.repository, false};
    const auto mounted = co_await store.mount(rooms_.new_request(), std::move(target), digest,
                                              links.value().front());
    co_return mounted.has_value();
}

Awaitable<void> RemoteRepository::fly(std::shared_ptr<RemoteRepository> self,
                                      std::shared_ptr<Flight> flight) {
    co_await flight->run();
    const auto state = flight->state();
    if (state.committed) self->availability_.answered();
    const bool of_upstream = state.failure && !state.trouble;
    if (of_upstream) {
        const RemotePlace place{flight->order().target.repository, self->settings_,
                                flight->order().target.image, flight->order().upstream_name};
        static_cast<void>(self->failed(*state.failure, blob_key(place, flight->order().digest),
                                       Errc::blob_unknown));
    }
    const std::lock_guard lock{self->mutex_};
    const auto known = self->flights_.find(flight->order().digest);
    if (known != self->flights_.end() && known->second == flight) self->flights_.erase(known);
}

// One that has failed is no flight any more, though it is still there: who asks now begins another. Under the lock.
std::shared_ptr<Flight> RemoteRepository::flight_of(const Digest& digest) const {
    const auto found = flights_.find(digest);
    const bool flies = found != flights_.end() && !found->second->state().failure;
    return flies ? found->second : nullptr;
}

Awaitable<Answer<std::shared_ptr<Flight>>> RemoteRepository::join_flight(const RemotePlace& place,
                                                                         Digest digest) {
    const auto executor = co_await asio::this_coro::executor;
    std::shared_ptr<Flight> running;
    {
        const std::lock_guard lock{mutex_};
        running = flight_of(digest);
    }
    if (running && running->order().upstream_name != place.upstream_name) {
        // Of another name there: it may be joined by whom the upstream would give it (SEC-68).
        const auto there = co_await ask_for_blob(place, digest);
        if (!there) co_return refuse(there.error());
    }
    if (!running) {
        ORB_CO_TRY(may_ask(blob_key(place, digest), Errc::blob_unknown, false));
    }
    const std::lock_guard lock{mutex_};
    if (stopped_) co_return refuse(Errc::stopped);
    const auto now = flight_of(digest);
    if (!now) {
        running = nullptr;
    } else if (now->order().upstream_name == place.upstream_name) {
        running = now;
    }
    if (running && !ORB_PLANTED(two_flights_of_one_digest)) {
        rooms_.flights_joined->add();
        co_return std::move(running);
    }
    if (now && !running)
        co_return refuse(
            {Errc::overloaded, "the blob is being fetched for another name: try again"});
    if (flights_.size() >= Remotes::kTransfersMax)
        co_return refuse({Errc::overloaded, "too many transfers from the upstream: try again"});
    FlightOrder order{PushTarget{place.image, place.repository, false}, place.upstream_name,
                      digest};
    if (const auto* size = sizes_.find(key_of(place.image, digest))) order.size_bytes = *size;
    auto flight = std::make_shared<Flight>(rooms_, upstream_, std::move(order));
    flights_.insert_or_assign(digest, flight);
    asio::co_spawn(executor, fly(shared_from_this(), flight), asio::detached);
    co_return std::move(flight);
}

// Answers when there is something to read: who is told of a blob shall get its first bytes.
Awaitable<Answer<OpenedBlob>> RemoteRepository::follow(std::shared_ptr<Flight> flight) {
    auto& store = rooms_.environment.store;
    const auto digest = flight->order().digest;
    for (;;) {
        const auto state = flight->state();
        if (state.committed) {
            auto opened = co_await store.read_blob(flight->order().target.image, digest);
            if (!opened) co_return refuse(opened.error());
            co_return OpenedBlob{std::move(opened).value(), of(PullSource::Cache::miss)};
        }
        if (state.trouble) co_return refuse(*state.trouble);
        if (state.failure) co_return refuse(refusal_of(*state.failure, Errc::blob_unknown));
        const bool readable =
            state.size_bytes && *state.size_bytes > Flight::kHeldBack && state.received > 0;
        if (readable) {
            co_return OpenedBlob{std::make_unique<FlightStream>(store, flight, *state.size_bytes),
                                 of(PullSource::Cache::miss)};
        }
        co_await state.next->wait();
    }
}

Awaitable<Answer<OpenedBlob>> RemoteRepository::open_blob(RemotePlace place, Digest digest) {
    auto& store = rooms_.environment.store;
    auto kept = co_await store.read_blob(place.image, digest);
    if (kept) co_return OpenedBlob{std::move(kept).value(), of(PullSource::Cache::hit)};
    if (kept.error().code != Errc::blob_unknown && kept.error().code != Errc::name_unknown)
        co_return refuse(kept.error());
    if (settings_->offline)
        co_return refuse({Errc::blob_unknown, "not kept here, and this repository is offline"});
    const bool adopted = co_await adopt(place, digest);
    if (adopted) {
        kept = co_await store.read_blob(place.image, digest);
        if (kept) co_return OpenedBlob{std::move(kept).value(), of(PullSource::Cache::revalidated)};
    }
    auto joined = co_await join_flight(place, digest);
    if (!joined) co_return refuse(joined.error());
    co_return co_await follow(std::move(joined).value());
}

Awaitable<Answer<FoundBlob>> RemoteRepository::stat_blob(RemotePlace place, Digest digest) {
    auto& store = rooms_.environment.store;
    const auto kept = co_await store.stat_blob(place.image, digest);
    if (kept) co_return FoundBlob{kept.value(), of(PullSource::Cache::hit)};
    if (kept.error().code != Errc::blob_unknown && kept.error().code != Errc::name_unknown)
        co_return refuse(kept.error());
    if (settings_->offline)
        co_return refuse({Errc::blob_unknown, "not kept here, and this repository is offline"});
    const auto size = co_await ask_for_blob(place, digest);
    if (!size) co_return refuse(size.error());
    if (size.value())
        co_return FoundBlob{BlobInfo{digest, *size.value()}, of(PullSource::Cache::miss)};
    // Nobody says how large it is until it is here.
    auto opened = co_await open_blob(std::move(place), digest);
    if (!opened) co_return refuse(opened.error());
    co_return FoundBlob{BlobInfo{digest, opened.value().content->size_bytes()},
                        opened.value().source};
}

// --- ahead of being asked ---

void RemoteRepository::begin_prefetch(const RemotePlace& place, const Digest& manifest,
                                      const asio::any_io_executor& executor) {
    {
        const std::lock_guard lock{mutex_};
        if (stopped_ || !prefetching_.insert(manifest).second) return;
    }
    asio::co_spawn(executor, prefetch(shared_from_this(), place, manifest), asio::detached);
}

// One blob after the other, as long as the upstream's limit is far away and nobody else waits for it.
Awaitable<void> RemoteRepository::prefetch(std::shared_ptr<RemoteRepository> self,
                                           RemotePlace place, Digest manifest) {
    auto& store = self->rooms_.environment.store;
    auto content = co_await store.read_manifest(place.image, manifest);
    std::vector<std::byte> bytes;
    while (content && bytes.size() < content.value()->size_bytes()) {
        const auto piece = co_await content.value()->read(bytes.size(), 1_MiB);
        if (!piece) break;
        bytes.insert(bytes.end(), piece.value().bytes.begin(), piece.value().bytes.end());
    }
    const auto parsed = Manifest::parse(bytes, {}, self->rooms_.environment.limits);
    if (parsed && !is_index(parsed.value().kind())) {
        for (const auto& edge : parsed.value().edges()) {
            if (edge.foreign || edge.to_manifest) continue;
            const auto budget = self->upstream_->budget();
            const bool scarce = budget.limit && budget.remaining &&
                                *budget.remaining * 100 < *budget.limit * kPrefetchLeftMin;
            if (scarce) break;
            const auto kept = co_await store.stat_blob(place.image, edge.descriptor.digest);
            if (kept) continue;
            auto joined = co_await self->join_flight(place, edge.descriptor.digest);
            if (!joined) break;
            for (;;) {
                const auto state = joined.value()->state();
                if (state.committed || state.failure) break;
                co_await state.next->wait();
            }
        }
    }
    const std::lock_guard lock{self->mutex_};
    self->prefetching_.erase(manifest);
}

}  // namespace orbitalreg::engine
