// Deletes of the Registry.

#include "registry/rooms.h"

namespace orbitalreg::engine {

Awaitable<Answer<void>> Registry::delete_blob(Principal, ImageName image, Digest digest) {
    ORB_CO_TRY(image, rooms_->rules.changeable(image));
    const auto id = rooms_->new_request();
    const auto done = co_await rooms_->store.delete_link(id, std::move(image), digest);
    if (!done) co_return refuse(done.error());
    co_return ok();
}

Awaitable<Answer<void>> Registry::delete_manifest(Principal, ImageName image, Reference reference) {
    ORB_CO_TRY(image, rooms_->rules.changeable(image));
    const auto id = rooms_->new_request();
    if (auto* tag = std::get_if<Tag>(&reference)) {
        const auto done = co_await rooms_->store.delete_tag(id, std::move(image), std::move(*tag),
                                                            TagExpectation::anything());
        if (!done) co_return refuse(done.error());
        co_return ok();
    }
    const auto done =
        co_await rooms_->store.delete_manifest(id, std::move(image), std::get<Digest>(reference));
    if (!done) co_return refuse(done.error());
    co_return ok();
}

}  // namespace orbitalreg::engine
