// Lists of a remote repository: tags and referrers, as the upstream has them.

#include "remote/remote_repository.h"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <algorithm>

namespace orbitalreg::engine {
namespace {

namespace json = boost::json;
using Kind = UpstreamFailure::Kind;

constexpr std::uint32_t kPagesMax = 1'000;  // SEC-67
constexpr std::uint32_t kPageSize = 1'000;
constexpr std::size_t kTagsMax = 500'000;
constexpr std::uint32_t kDepthMax = 16;

std::string text_of(const json::object& object, std::string_view key) {
    const auto* found = object.if_contains(key);
    const auto* text = found != nullptr ? found->if_string() : nullptr;
    return text != nullptr ? std::string{text->data(), text->size()} : std::string{};
}

std::optional<Referrer> referrer_of(const json::value& value) {
    const auto* object = value.if_object();
    if (object == nullptr) return std::nullopt;
    const auto digest = parse_digest(text_of(*object, "digest"));
    const auto kind = manifest_kind_of(text_of(*object, "mediaType"));
    if (!digest || !kind) return std::nullopt;
    Referrer referrer{digest.value(), *kind, 0, text_of(*object, "artifactType"), {}};
    const auto* size = object->if_contains("size");
    if (size != nullptr && size->is_number()) {
        boost::system::error_code none;
        referrer.size_bytes = size->to_number<std::uint64_t>(none);
    }
    const auto* annotations = object->if_contains("annotations");
    if (annotations != nullptr && annotations->is_object()) {
        for (const auto& [key, entry] : annotations->get_object()) {
            if (const auto* text = entry.if_string())
                referrer.annotations.emplace_back(std::string{key},
                                                  std::string{text->data(), text->size()});
        }
    }
    return referrer;
}

// The descriptors of an image index, in the order of their digests. What is none is left out.
std::vector<Referrer> read_referrers(ByteView bytes) {
    json::parse_options options;
    options.max_depth = kDepthMax;
    json::error_code wrong;
    const auto text = as_text(bytes);
    const auto parsed = json::parse({text.data(), text.size()}, wrong, {}, options);
    std::vector<Referrer> referrers;
    const auto* object = wrong ? nullptr : parsed.if_object();
    const auto* manifests = object != nullptr ? object->if_contains("manifests") : nullptr;
    if (manifests == nullptr || !manifests->is_array()) return referrers;
    for (const auto& entry : manifests->get_array()) {
        if (auto referrer = referrer_of(entry)) referrers.push_back(std::move(*referrer));
    }
    std::sort(referrers.begin(), referrers.end(),
              [](const auto& a, const auto& b) { return a.digest < b.digest; });
    return referrers;
}

Page<Referrer> page_of(const std::vector<Referrer>& all, const ReferrersQuery& query) {
    Page<Referrer> page;
    for (const auto& referrer : all) {
        if (query.after && referrer.digest <= *query.after) continue;
        const auto& types = query.artifact_types;
        const bool wanted = types.empty() || std::find(types.begin(), types.end(),
                                                       referrer.artifact_type) != types.end();
        if (!wanted) continue;
        if (page.items.size() == query.count_max) {
            page.more = true;
            break;
        }
        page.items.push_back(referrer);
    }
    return page;
}

}  // namespace

// All of them, since an upstream's order is its own.
Awaitable<UpstreamResult<std::vector<std::string>>> RemoteRepository::all_tags(ImageName name) {
    std::vector<std::string> all;
    std::string last;
    for (std::uint32_t page = 0; page < kPagesMax && all.size() < kTagsMax; ++page) {
        auto listed = co_await upstream_->list_tags(name, last, kPageSize);
        if (!listed) co_return fail_upstream(listed.error());
        auto& tags = listed.value().tags;
        const bool more = listed.value().more && !tags.empty() && tags.back() != last;
        if (!tags.empty()) last = tags.back();
        std::move(tags.begin(), tags.end(), std::back_inserter(all));
        if (!more) break;
    }
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    co_return all;
}

Awaitable<Answer<Page<std::string>>> RemoteRepository::list_tags(RemotePlace place,
                                                                 std::string after,
                                                                 std::uint32_t count) {
    const auto key = place.image.text();
    const auto now = rooms_.steady_ms();
    std::shared_ptr<const std::vector<std::string>> tags;
    {
        const std::lock_guard lock{mutex_};
        const auto* known = lists_.find(key);
        const bool fresh = known != nullptr && known->tags &&
                           now - known->seen_ms < settings_->revalidate_after_ms;
        if (fresh) tags = known->tags;
    }
    std::optional<Refusal> refusal;
    if (!tags && !settings_->offline) {
        const auto asked = may_ask(key + " tags", Errc::name_unknown, false);
        if (!asked) refusal = asked.error();
    }
    if (!tags && !settings_->offline && !refusal) {
        auto listed = co_await all_tags(place.upstream_name);
        if (listed) {
            availability_.answered();
            tags = std::make_shared<const std::vector<std::string>>(std::move(listed).value());
            const std::lock_guard lock{mutex_};
            lists_.obtain(key) = {now, tags};
        } else {
            refusal = failed(listed.error(), key + " tags", Errc::name_unknown);
        }
    }
    if (!tags) {
        // A name that the upstream does not know has no tags, whatever is kept of it.
        const bool unknown = refusal && refusal->code == Errc::name_unknown;
        auto kept = co_await rooms_.environment.store.list_tags(place.image, after, count);
        if (kept && !unknown) co_return std::move(kept).value();
        if (refusal) co_return refuse(*refusal);
        co_return refuse(kept.error());
    }
    Page<std::string> page;
    auto next = std::upper_bound(tags->begin(), tags->end(), after);
    for (; next != tags->end() && page.items.size() < count; ++next) page.items.push_back(*next);
    page.more = next != tags->end();
    co_return page;
}

// The API, or the index under the tag that stands for it where the upstream has no such API.
Awaitable<UpstreamResult<UpstreamManifest>> RemoteRepository::fetch_referrers(ImageName name,
                                                                              Digest subject) {
    auto listed = co_await upstream_->get_referrers(name, subject);
    if (listed || listed.error().kind != Kind::unsupported) co_return listed;
    auto text = subject.to_string();
    std::replace(text.begin(), text.end(), ':', '-');
    const auto tag = Tag::parse(text);
    if (!tag) co_return fail_upstream({Kind::not_found, "no referrers"});
    Reference reference = tag.value();
    co_return co_await upstream_->get_manifest(name, std::move(reference));
}

Awaitable<Answer<Page<Referrer>>> RemoteRepository::list_referrers(RemotePlace place,
                                                                   ReferrersQuery query) {
    const auto key = key_of(place.image, query.subject) + " referrers";
    auto& store = rooms_.environment.store;
    const auto asked = may_ask(key, Errc::manifest_unknown, true);
    if (settings_->offline || !asked)
        co_return co_await store.referrers(place.image, std::move(query));
    auto listed = co_await fetch_referrers(place.upstream_name, query.subject);
    if (!listed) {
        static_cast<void>(failed(listed.error(), key, Errc::manifest_unknown));
        co_return co_await store.referrers(place.image, std::move(query));
    }
    availability_.answered();
    co_return page_of(read_referrers(listed.value().bytes), query);
}

}  // namespace orbitalreg::engine
