// Listings of the Registry: pages are clamped to the limits here, whatever a client asks for.

#include "registry/rooms.h"

namespace orbitalreg::engine {

namespace {

std::uint32_t page_size(const std::optional<std::uint64_t>& asked, std::uint32_t otherwise,
                        std::uint32_t most) {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(asked.value_or(otherwise), most));
}

// A page of nothing has no next one (DIST-LIST-04).
template <class T>
Page<T> finished(Page<T> page) {
    if (page.items.empty()) page.more = false;
    return page;
}

}  // namespace

Awaitable<Answer<Page<std::string>>> Registry::list_tags(Principal, ImageName image,
                                                         std::string after,
                                                         std::optional<std::uint64_t> count) {
    ORB_CO_TRY(rooms_->rules.check_readable(image));
    const auto most = rooms_->limits().list_page_max;
    auto page = co_await rooms_->store.list_tags(std::move(image), std::move(after),
                                                 page_size(count, most, most));
    if (!page) co_return refuse(page.error());
    co_return finished(std::move(page).value());
}

Awaitable<Answer<Page<std::string>>> Registry::list_images(Principal, std::string after,
                                                           std::optional<std::uint64_t> count) {
    const auto& limits = rooms_->limits();
    const auto size = page_size(count, limits.catalog_page_default, limits.list_page_max);
    auto page = co_await rooms_->store.list_images(std::move(after), size);
    if (!page) co_return refuse(page.error());
    co_return finished(std::move(page).value());
}

Awaitable<Answer<Page<Referrer>>> Registry::list_referrers(Principal, ImageName image,
                                                           Digest subject,
                                                           std::vector<std::string> artifact_types,
                                                           std::optional<Digest> after,
                                                           std::optional<std::uint64_t> count) {
    const auto readable = rooms_->rules.check_readable(image);
    if (!readable) {
        // DIST-REF-04: nobody has heard of it, so nothing refers to it.
        if (readable.error().code == Errc::name_unknown) co_return Page<Referrer>{};
        co_return refuse(readable.error());
    }
    const auto& limits = rooms_->limits();
    ReferrersQuery query{subject, std::move(artifact_types), after,
                         page_size(count, limits.referrers_page_max, limits.referrers_page_max),
                         limits.referrers_page_max_bytes};
    auto page = co_await rooms_->store.referrers(std::move(image), std::move(query));
    if (!page) co_return refuse(page.error());
    co_return finished(std::move(page).value());
}

}  // namespace orbitalreg::engine
