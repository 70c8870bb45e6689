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
    ORB_CO_TRY(const auto ruling, rooms_->rules.ruling_of(image));
    const auto most = rooms_->limits().list_page_max;
    auto page = co_await rooms_->list_tags_in(ruling, std::move(image), std::move(after),
                                              page_size(count, most, most));
    if (!page) co_return refuse(page.error());
    co_return finished(std::move(page).value());
}

// What may not be listed is passed over project by project; after kLookedAtMax names the page is short, and says how far it
// came (DIST-CAT-05, SEC-31).
Awaitable<Answer<Registry::ImagePage>> Registry::list_images(
    Principal, std::string after, std::optional<std::uint64_t> count,
    std::shared_ptr<const RequestAccess> access) {
    constexpr std::size_t kLookedAtMax = 20'000;
    const auto& limits = rooms_->limits();
    const auto size = page_size(count, limits.catalog_page_default, limits.list_page_max);
    ImagePage result;
    result.last = std::move(after);
    std::string seen_project;
    for (std::size_t looked_at = 0; size > 0 && result.items.size() < size;) {
        auto page = co_await rooms_->list_names(
            result.last, size - static_cast<std::uint32_t>(result.items.size()));
        if (!page) co_return refuse(page.error());
        result.more = page.value().more;
        bool skipped = false;
        for (auto& name : page.value().items) {
            ++looked_at;
            result.last = name;
            if (access) {
                const auto listing = co_await rooms_->may_list(access, name, &seen_project);
                if (listing == Rooms::Listing::skip_project) {
                    // The byte behind `/`: after all names of the project.
                    result.last = name.substr(0, name.find('/')) + "0";
                    skipped = true;
                    break;
                }
                if (listing == Rooms::Listing::hidden) continue;
            }
            result.items.push_back(std::move(name));
        }
        if (page.value().items.empty() || (!result.more && !skipped)) {
            result.more = false;
            break;
        }
        if (skipped) result.more = true;
        if (looked_at >= kLookedAtMax) break;
        if (!access) break;
    }
    co_return result;
}

Awaitable<Registry::Rooms::Listing> Registry::Rooms::may_list(
    std::shared_ptr<const RequestAccess> access, std::string name, std::string* seen_project) {
    const auto image = ImageName::parse(name);
    if (!image) co_return Listing::hidden;
    const auto ruling = ruling_repository(image.value(), options.default_project);
    const auto project = ruling ? ruling.value().project : std::string{};
    const bool in_folder = image.value().component_count() > 1;
    if (project.empty() || *seen_project != project) {
        const bool sees = co_await access->sees(project);
        if (!sees) co_return in_folder ? Listing::skip_project : Listing::hidden;
        *seen_project = project;
    }
    const bool may = co_await access->may(Action::list, image.value());
    co_return may ? Listing::shown : Listing::hidden;
}

Awaitable<Answer<Page<Referrer>>> Registry::list_referrers(Principal, ImageName image,
                                                           Digest subject,
                                                           std::vector<std::string> artifact_types,
                                                           std::optional<Digest> after,
                                                           std::optional<std::uint64_t> count) {
    const auto ruling = rooms_->rules.ruling_of(image);
    if (!ruling) {
        // DIST-REF-04: nobody has heard of it, so nothing refers to it.
        if (ruling.error().code == Errc::name_unknown) co_return Page<Referrer>{};
        co_return refuse(ruling.error());
    }
    const auto& limits = rooms_->limits();
    ReferrersQuery query{subject, std::move(artifact_types), after,
                         page_size(count, limits.referrers_page_max, limits.referrers_page_max),
                         limits.referrers_page_max_bytes};
    auto page =
        co_await rooms_->list_referrers_in(ruling.value(), std::move(image), std::move(query));
    if (!page) co_return refuse(page.error());
    co_return finished(std::move(page).value());
}

}  // namespace orbitalreg::engine
