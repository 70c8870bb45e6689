// Pulls of the Registry: what is asked for is found first, then the gates speak, then bytes flow.

#include "registry/rooms.h"

namespace orbitalreg::engine {

Answer<RemotePlace> Registry::Rooms::place_of(const Ruling& ruling, const ImageName& image) const {
    if (remotes == nullptr)
        return refuse({Errc::unsupported, "remote repositories are not offered here"});
    const auto name = ImageName::parse(rest_of(image));
    if (!name) {
        return refuse(
            {Errc::name_unknown, "a remote repository holds no image of its own name: try " +
                                     ruling.object.name.text() + "/<image>"});
    }
    return RemotePlace{ruling.object, ruling.remote, image, name.value()};
}

Awaitable<Answer<FoundManifest>> Registry::Rooms::find_in(const Ruling& ruling, ImageName image,
                                                          Reference reference, bool whole) {
    if (ruling.remote) {
        ORB_CO_TRY(auto place, place_of(ruling, image));
        co_return co_await remotes->find_manifest(std::move(place), std::move(reference), whole);
    }
    const auto info = co_await store.resolve(std::move(image), std::move(reference));
    if (!info) co_return refuse(info.error());
    co_return FoundManifest{info.value(), {}};
}

Awaitable<Answer<FoundBlob>> Registry::Rooms::stat_in(const Ruling& ruling, ImageName image,
                                                      Digest digest) {
    if (ruling.remote) {
        ORB_CO_TRY(auto place, place_of(ruling, image));
        co_return co_await remotes->stat_blob(std::move(place), digest);
    }
    const auto info = co_await store.stat_blob(std::move(image), digest);
    if (!info) co_return refuse(info.error());
    co_return FoundBlob{info.value(), {}};
}

Awaitable<Answer<OpenedBlob>> Registry::Rooms::open_in(const Ruling& ruling, ImageName image,
                                                       Digest digest) {
    if (ruling.remote) {
        ORB_CO_TRY(auto place, place_of(ruling, image));
        co_return co_await remotes->open_blob(std::move(place), digest);
    }
    auto content = co_await store.read_blob(std::move(image), digest);
    if (!content) co_return refuse(content.error());
    co_return OpenedBlob{std::move(content).value(), {}};
}

Awaitable<Answer<FoundBlob>> Registry::stat_blob(Principal principal, ImageName image,
                                                 Digest digest) {
    ORB_CO_TRY(const auto ruling, rooms_->rules.ruling_of(image));
    auto located = co_await rooms_->locate_blob(ruling, std::move(image), digest);
    if (!located) co_return refuse(located.error());
    const PullRequest request{principal, located.value().image, digest, false, std::nullopt};
    const auto admitted = co_await rooms_->admit(request);
    if (!admitted) co_return refuse(admitted.error());
    co_return std::move(located.value().found);
}

Awaitable<Answer<OpenedBlob>> Registry::open_blob(Principal principal, ImageName image,
                                                  Digest digest) {
    ORB_CO_TRY(const auto ruling, rooms_->rules.ruling_of(image));
    auto opened = co_await rooms_->open_located(ruling, std::move(image), digest);
    if (!opened) co_return refuse(opened.error());
    const PullRequest request{principal, opened.value().image, digest, false, std::nullopt};
    const auto admitted = co_await rooms_->admit(request);
    if (!admitted) co_return refuse(admitted.error());
    co_return std::move(opened.value().opened);
}

Awaitable<Answer<FoundManifest>> Registry::stat_manifest(Principal principal, ImageName image,
                                                         Reference reference) {
    auto located = co_await rooms_->locate(std::move(image), std::move(reference), false);
    if (!located) co_return refuse(located.error());
    const auto& info = located.value().found.info;
    const PullRequest request{principal, located.value().image, info.digest, true, info.kind};
    const auto admitted = co_await rooms_->admit(request);
    if (!admitted) co_return refuse(admitted.error());
    co_return std::move(located.value().found);
}

Awaitable<Answer<OpenedManifest>> Registry::open_manifest(Principal principal, ImageName image,
                                                          Reference reference) {
    // A tag that moves away from a manifest which is deleted at once is followed again
    // (DIST-TAG-04).
    constexpr int kFollowMax = 4;
    for (int follow = 1;; ++follow) {
        auto located = co_await rooms_->locate(image, reference, true);
        if (!located) co_return refuse(located.error());
        auto& found = located.value().found;
        const PullRequest request{principal, located.value().image, found.info.digest, true,
                                  found.info.kind};
        const auto admitted = co_await rooms_->admit(request);
        if (!admitted) co_return refuse(admitted.error());
        auto content =
            co_await rooms_->store.read_manifest(located.value().image, found.info.digest);
        if (content) {
            if (rooms_->pull_observer != nullptr)
                co_await rooms_->pull_observer->pulled(principal, located.value().image, reference,
                                                       found.info.digest);
            co_return OpenedManifest{found.info, std::move(found.source),
                                     std::move(content).value()};
        }
        const bool moved = std::holds_alternative<Tag>(reference) &&
                           content.error().code == Errc::manifest_unknown;
        if (!moved || follow == kFollowMax) co_return refuse(content.error());
    }
}

Awaitable<PullExplanation> Registry::explain_pull(ImageName image, Reference reference) {
    PullExplanation explanation;
    auto located =
        co_await rooms_->locate(std::move(image), std::move(reference), false, &explanation);
    if (located) {
        explanation.found = std::move(located.value().found);
    } else {
        explanation.refusal = located.error();
    }
    co_return explanation;
}

}  // namespace orbitalreg::engine
