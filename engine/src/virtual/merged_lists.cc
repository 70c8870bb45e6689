// Lists of the Registry over the kinds of repositories: what one has, and what the members of a virtual one have together.

#include "registry/rooms.h"

#include <algorithm>
#include <set>

namespace orbitalreg::engine {
namespace {

// How many names of a member are looked at for one page, where patterns leave most of them out.
constexpr int kPagesLookedAt = 20;

// The first `count` of what several lists have together.
Page<std::string> first_of(const std::set<std::string>& merged, bool more, std::uint32_t count) {
    Page<std::string> page{{}, more};
    for (const auto& item : merged) {
        if (page.items.size() == count) {
            page.more = true;
            break;
        }
        page.items.push_back(item);
    }
    return page;
}

}  // namespace

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
    co_return first_of(merged, more, count);
}

// A member whose names are rewritten has none here: which of ours lead to one of its is not known.
Awaitable<Answer<Page<std::string>>> Registry::Rooms::list_member_names(const Ruling& ruling,
                                                                        const VirtualMember& member,
                                                                        std::string after,
                                                                        std::uint32_t count) const {
    Page<std::string> page;
    if (!member.rewrite.empty()) co_return page;
    const auto ours = ruling.object.name.text() + '/';
    const auto theirs = ruling.object.name.project + '/' + member.repository + '/';
    std::string from = theirs;
    if (after.starts_with(ours)) {
        from += after.substr(ours.size());
    } else if (after > ours) {
        co_return page;
    }
    for (int looked_at = 0; looked_at < kPagesLookedAt; ++looked_at) {
        const auto listed = co_await store.list_images(from, count);
        if (!listed) co_return refuse(listed.error());
        page.more = listed.value().more;
        for (const auto& name : listed.value().items) {
            if (!name.starts_with(theirs)) {
                page.more = false;
                co_return page;
            }
            from = name;
            const auto rest = std::string_view{name}.substr(theirs.size());
            if (asks_for(member, rest)) page.items.push_back(ours + std::string{rest});
        }
        if (page.items.size() >= count || !page.more || listed.value().items.empty()) break;
    }
    co_return page;
}

Awaitable<Answer<Page<std::string>>> Registry::Rooms::list_names(std::string after,
                                                                 std::uint32_t count) const {
    const auto views = rules.virtual_repositories();
    auto page = co_await store.list_images(after, count);
    if (!page || views.empty() || count == 0) co_return page;
    std::set<std::string> merged{page.value().items.begin(), page.value().items.end()};
    bool more = page.value().more;
    for (const auto& ruling : views) {
        for (const auto& member : ruling.members->members) {
            auto names = co_await list_member_names(ruling, member, after, count);
            if (!names) co_return refuse(names.error());
            more = more || names.value().more;
            merged.insert(names.value().items.begin(), names.value().items.end());
        }
    }
    co_return first_of(merged, more, count);
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
