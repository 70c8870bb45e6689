#include "engine/registry.h"

#include "registry/rooms.h"

namespace orbitalreg::engine {

Registry::Registry(RegistryStore& store, Random& random, Log& log, Metrics& metrics,
                   RegistryOptions options, Projects* projects, Remotes* remotes)
    : rooms_{std::make_unique<Rooms>(store, random, log, std::move(options), projects, remotes)} {
    const auto show = [&](const char* name, const char* help,
                          std::uint64_t RegistryStoreStats::*field) {
        metrics.gauge_function(
            name, help, {}, [&store, field] { return static_cast<double>(store.stats().*field); });
    };
    show("catalog_images", "Image names that hold a manifest.", &RegistryStoreStats::images);
    show("catalog_manifests", "Manifests, counted under each image name.",
         &RegistryStoreStats::manifests);
    show("catalog_tags", "Tags.", &RegistryStoreStats::tags);
    show("catalog_links", "Links between image names and blobs.", &RegistryStoreStats::links);
}

Registry::~Registry() = default;

void Registry::add_gate(Gate& gate) { rooms_->gates.push_back(&gate); }

void Registry::add_observer(ManifestObserver& observer) { rooms_->observers.push_back(&observer); }

void Registry::set_pull_observer(PullObserver& observer) { rooms_->pull_observer = &observer; }

const RegistryOptions& Registry::options() const noexcept { return rooms_->options; }

const Remotes* Registry::remotes() const noexcept { return rooms_->remotes; }

RegistryStoreStats Registry::stats() const { return rooms_->store.stats(); }

Awaitable<Answer<void>> Registry::Rooms::admit(const PullRequest& request) {
    for (auto* gate : gates) {
        const auto admitted = co_await gate->admit(request);
        if (admitted) continue;
        log.info("pull stopped by a gate", {{"gate", gate->name()},
                                            {"image", request.image.text()},
                                            {"digest", request.digest.to_string()},
                                            {"reason", admitted.error().message}});
        co_return refuse(admitted.error());
    }
    co_return ok();
}

}  // namespace orbitalreg::engine
