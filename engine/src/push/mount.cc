// Cross-repository mounts of the Registry: a link, never a copy (DIST-MNT-06).

#include "registry/rooms.h"

namespace orbitalreg::engine {

namespace {

// How many image names are looked at when the client names none; more where some may not be read.
constexpr std::uint32_t kSourcesMax = 16;
constexpr std::uint32_t kSourcesWithAccessMax = 256;

// What stands for "there is nothing to mount", as opposed to a store that cannot work.
bool means_nothing_to_mount(const Refusal& refusal) noexcept {
    return refusal.code == Errc::blob_unknown || refusal.code == Errc::name_unknown;
}

}  // namespace

Awaitable<Answer<std::optional<BlobInfo>>> Registry::mount(
    Principal, ImageName target_image, Digest digest, std::optional<ImageName> source,
    std::shared_ptr<const RequestAccess> access) {
    auto target = co_await rooms_->rules.target_of(target_image);
    if (!target) co_return refuse(target.error());
    const auto present = co_await rooms_->store.stat_blob(target.value().image, digest);
    if (present) co_return std::optional{present.value()};  // DIST-MNT-07

    std::vector<ImageName> sources;
    if (source) {
        if (!rooms_->rules.ruling_of(*source)) co_return std::optional<BlobInfo>{};
        sources.push_back(std::move(*source));
    } else if (rooms_->options.mount_without_from) {
        const auto looked_at = access ? kSourcesWithAccessMax : kSourcesMax;
        auto found = co_await rooms_->store.find_links(digest, looked_at);
        if (!found) co_return refuse(found.error());
        sources = std::move(found).value();
    }
    for (auto& candidate : sources) {
        // SEC-26, SEC-27: a blob is never reached through a name that may not be read.
        if (access) {
            const bool readable = co_await access->may(Action::pull, candidate);
            if (!readable) continue;
        }
        const auto id = rooms_->new_request();
        const auto mounted =
            co_await rooms_->store.mount(id, target.value(), digest, std::move(candidate));
        if (mounted) co_return std::optional{mounted.value()};
        if (!means_nothing_to_mount(mounted.error())) co_return refuse(mounted.error());
    }
    co_return std::optional<BlobInfo>{};
}

}  // namespace orbitalreg::engine
