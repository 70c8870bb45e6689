// Pulls of the Registry: what is asked for is found first, then the gates speak, then bytes flow.

#include "registry/rooms.h"

namespace orbitalreg::engine {

Awaitable<Answer<BlobInfo>> Registry::stat_blob(Principal principal, ImageName image,
                                                Digest digest) {
    ORB_CO_TRY(rooms_->rules.check_readable(image));
    const auto info = co_await rooms_->store.stat_blob(image, digest);
    if (!info) co_return refuse(info.error());
    const PullRequest request{principal, image, digest, false, std::nullopt};
    const auto admitted = co_await rooms_->admit(request);
    if (!admitted) co_return refuse(admitted.error());
    co_return info.value();
}

Awaitable<Answer<std::unique_ptr<BlobStream>>> Registry::open_blob(Principal principal,
                                                                   ImageName image, Digest digest) {
    ORB_CO_TRY(rooms_->rules.check_readable(image));
    auto stream = co_await rooms_->store.read_blob(image, digest);
    if (!stream) co_return refuse(stream.error());
    const PullRequest request{principal, image, digest, false, std::nullopt};
    const auto admitted = co_await rooms_->admit(request);
    if (!admitted) co_return refuse(admitted.error());
    co_return std::move(stream).value();
}

Awaitable<Answer<ManifestInfo>> Registry::stat_manifest(Principal principal, ImageName image,
                                                        Reference reference) {
    ORB_CO_TRY(rooms_->rules.check_readable(image));
    const auto info = co_await rooms_->store.resolve(image, std::move(reference));
    if (!info) co_return refuse(info.error());
    const PullRequest request{principal, image, info.value().digest, true, info.value().kind};
    const auto admitted = co_await rooms_->admit(request);
    if (!admitted) co_return refuse(admitted.error());
    co_return info.value();
}

Awaitable<Answer<OpenedManifest>> Registry::open_manifest(Principal principal, ImageName image,
                                                          Reference reference) {
    // A tag that moves away from a manifest which is deleted at once is followed again
    // (DIST-TAG-04).
    constexpr int kFollowMax = 4;
    for (int follow = 1;; ++follow) {
        const auto info = co_await stat_manifest(principal, image, reference);
        if (!info) co_return refuse(info.error());
        auto content = co_await rooms_->store.read_manifest(image, info.value().digest);
        if (content) {
            if (rooms_->pull_observer != nullptr)
                co_await rooms_->pull_observer->pulled(principal, image, reference,
                                                       info.value().digest);
            co_return OpenedManifest{info.value(), std::move(content).value()};
        }
        const bool moved = std::holds_alternative<Tag>(reference) &&
                           content.error().code == Errc::manifest_unknown;
        if (!moved || follow == kFollowMax) co_return refuse(content.error());
    }
}

}  // namespace orbitalreg::engine
