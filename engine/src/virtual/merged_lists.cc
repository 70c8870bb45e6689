// Lists of the Registry over the kinds of repositories: what one has, and what the members of a virtual one have together.

#include "registry/rooms.h"

#include <algorithm>
#include <set>

namespace orbitalreg::engine {

Awaitable<Answer<Page<std::string>>> Registry::Rooms::list_tags_in(const Ruling& ruling,
                                                                   ImageName image,
                                                                   std::string after,
                                                                   std::uint32_t count) {
    if (ruling.remote) {
        ORB_CO_TRY(auto place, place_of(ruling, image));
        co_return co_await remotes->list_tags(std::move(place), std::move(after), count);
    }
    if (!ruling.members)
        co_return co_await store.list_tags(std::move(image), std::move(after), count);
    // Each member's page behind `after`: the first `count` of all are among them.
    std::set<std::string> merged;
    bool more = false;
    bool known = false;
    const auto steps = co_await asked_steps(ruling, image);
    for (const auto& step : steps) {
        auto page = co_await list_tags_in(step.ruling, *step.image, after, count);
        if (!page && page.error().code == Errc::name_unknown) continue;
        if (!page) co_return refuse(page.error());
        known = true;
        more = more || page.value().more;
        merged.insert(page.value().items.begin(), page.value().items.end());
    }
    if (!known) co_return refuse(Errc::name_unknown);
    Page<std::string> page;
    for (auto& tag : merged) {
        if (page.items.size() == count) {
            more = true;
            break;
        }
        page.items.push_back(tag);
    }
    page.more = more;
    co_return page;
}

Awaitable<Answer<Page<Referrer>>> Registry::Rooms::list_referrers_in(const Ruling& ruling,
                                                                     ImageName image,
                                                                     ReferrersQuery query) {
    if (ruling.remote) {
        const auto place = place_of(ruling, image);
        if (!place) co_return Page<Referrer>{};
        co_return co_await remotes->list_referrers(place.value(), std::move(query));
    }
    if (!ruling.members) co_return co_await store.referrers(std::move(image), std::move(query));
    Page<Referrer> merged;
    const auto steps = co_await asked_steps(ruling, image);
    for (const auto& step : steps) {
        auto page = co_await list_referrers_in(step.ruling, *step.image, query);
        if (!page) co_return refuse(page.error());
        merged.more = merged.more || page.value().more;
        std::move(page.value().items.begin(), page.value().items.end(),
                  std::back_inserter(merged.items));
    }
    auto& items = merged.items;
    std::stable_sort(items.begin(), items.end(),
                     [](const Referrer& a, const Referrer& b) { return a.digest < b.digest; });
    const auto same = [](const Referrer& a, const Referrer& b) { return a.digest == b.digest; };
    items.erase(std::unique(items.begin(), items.end(), same), items.end());
    if (items.size() > query.count_max) {
        items.erase(items.begin() + query.count_max, items.end());
        merged.more = true;
    }
    co_return merged;
}

}  // namespace orbitalreg::engine
