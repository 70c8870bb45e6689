#include "engine/remotes.h"

#include "remote/remote_repository.h"

#include <map>
#include <mutex>

namespace orbitalreg::engine {

struct Remotes::Rooms {
    explicit Rooms(RemotesEnvironment environment) : shared{.environment = environment} {}

    std::shared_ptr<RemoteRepository> repository_of(const RemotePlace& place);

    RemoteRooms shared;
    mutable std::mutex mutex;
    bool stopped = false;
    std::map<RepositoryName, std::shared_ptr<RemoteRepository>> repositories;
};

std::string_view to_string(PullSource::Cache cache) noexcept {
    switch (cache) {
        case PullSource::Cache::none:
            return "none";
        case PullSource::Cache::hit:
            return "hit";
        case PullSource::Cache::revalidated:
            return "revalidated";
        case PullSource::Cache::miss:
            return "miss";
        case PullSource::Cache::stale:
            return "stale";
    }
    return "none";
}

// A repository whose settings have changed begins anew; what the one before has begun goes on.
std::shared_ptr<RemoteRepository> Remotes::Rooms::repository_of(const RemotePlace& place) {
    const std::lock_guard lock{mutex};
    if (stopped) return nullptr;
    auto& repository = repositories[place.repository.name];
    const bool as_it_is = repository && (&repository->settings() == place.settings.get() ||
                                         repository->settings() == *place.settings);
    if (!as_it_is)
        repository = std::make_shared<RemoteRepository>(shared, place.repository, place.settings);
    return repository;
}

Remotes::Remotes(RemotesEnvironment environment) : rooms_{std::make_unique<Rooms>(environment)} {
    auto& shared = rooms_->shared;
    auto& metrics = environment.metrics;
    shared.session_key = environment.store.derive_key("remote transfers");
    shared.flights = &metrics.counter("proxy_transfers_total",
                                      "Transfers of blobs from upstreams that were begun.");
    shared.flights_joined = &metrics.counter(
        "proxy_transfers_joined_total", "Requests that were served from a transfer under way.");
    shared.flights_failed = &metrics.counter("proxy_transfers_failed_total",
                                             "Transfers of blobs from upstreams that failed.");
    shared.upstream_bytes = &metrics.counter("proxy_transferred_bytes_total",
                                             "Bytes of blobs that came from upstreams.");
    shared.flights_now =
        &metrics.gauge("proxy_transfers", "Transfers of blobs from upstreams under way.");
}

Remotes::~Remotes() = default;

Awaitable<void> Remotes::stop() {
    std::vector<std::shared_ptr<RemoteRepository>> repositories;
    {
        const std::lock_guard lock{rooms_->mutex};
        rooms_->stopped = true;
        for (const auto& [name, repository] : rooms_->repositories)
            repositories.push_back(repository);
    }
    for (const auto& repository : repositories) co_await repository->stop();
}

Awaitable<Answer<FoundManifest>> Remotes::find_manifest(RemotePlace place, Reference reference,
                                                        bool whole) {
    const auto repository = rooms_->repository_of(place);
    if (!repository) co_return refuse(Errc::stopped);
    co_return co_await repository->find_manifest(std::move(place), std::move(reference), whole);
}

Awaitable<Answer<FoundBlob>> Remotes::stat_blob(RemotePlace place, Digest digest) {
    const auto repository = rooms_->repository_of(place);
    if (!repository) co_return refuse(Errc::stopped);
    co_return co_await repository->stat_blob(std::move(place), digest);
}

Awaitable<Answer<OpenedBlob>> Remotes::open_blob(RemotePlace place, Digest digest) {
    const auto repository = rooms_->repository_of(place);
    if (!repository) co_return refuse(Errc::stopped);
    co_return co_await repository->open_blob(std::move(place), digest);
}

Awaitable<Answer<Page<std::string>>> Remotes::list_tags(RemotePlace place, std::string after,
                                                        std::uint32_t count) {
    const auto repository = rooms_->repository_of(place);
    if (!repository) co_return refuse(Errc::stopped);
    co_return co_await repository->list_tags(std::move(place), std::move(after), count);
}

Awaitable<Answer<Page<Referrer>>> Remotes::list_referrers(RemotePlace place, ReferrersQuery query) {
    const auto repository = rooms_->repository_of(place);
    if (!repository) co_return refuse(Errc::stopped);
    co_return co_await repository->list_referrers(std::move(place), std::move(query));
}

std::vector<RemoteStatus> Remotes::status() const {
    const std::lock_guard lock{rooms_->mutex};
    std::vector<RemoteStatus> all;
    for (const auto& [name, repository] : rooms_->repositories) all.push_back(repository->status());
    return all;
}

}  // namespace orbitalreg::engine
