// The tags of an image at an upstream, page by page.

#include "outbound/answer_fields.h"
#include "outbound/http_url.h"
#include "outbound/registry_upstream.h"
#include "outbound/tag_page.h"
#include "outbound/whole_body.h"

#include <algorithm>

namespace orbitalreg::frontend {
namespace {

using engine::fail_upstream;
using engine::UpstreamTags;

constexpr std::size_t kNextPagesMax = 256;

}  // namespace

std::string RegistryUpstream::tags_url(const engine::ImageName& name, const std::string& last,
                                       std::uint32_t count) {
    if (!last.empty()) {
        const std::lock_guard lock{mutex_};
        const auto kept = next_pages_.find({name.text(), last});
        if (kept != next_pages_.end()) return kept->second;
    }
    auto url = place_->url_of(name, "/tags/list?n=" + std::to_string(count));
    if (!last.empty()) url += "&last=" + encode_query_value(last);
    return url;
}

void RegistryUpstream::keep_next_page(const engine::ImageName& name, const std::string& last,
                                      std::string url) {
    const std::lock_guard lock{mutex_};
    if (next_pages_.size() >= kNextPagesMax) next_pages_.clear();
    next_pages_.insert_or_assign({name.text(), last}, std::move(url));
}

UpstreamResult<std::string> RegistryUpstream::next_url_of(const HttpStream& stream) const {
    const auto link = stream.header("link");
    const auto next = link ? next_link(*link) : std::nullopt;
    if (!next) return std::string{};
    auto url = resolve_url(stream.request().url, *next);
    const auto parts = url ? parse_http_url(*url) : std::nullopt;
    // A link elsewhere would carry our token there.
    if (!parts || !is_same_origin(*parts, place_->origin()))
        return fail_upstream(untrusted(stream.request(), "the next page is at another place"));
    return std::move(*url);
}

Awaitable<UpstreamResult<UpstreamTags>> RegistryUpstream::fetch_tags(engine::ImageName name,
                                                                     std::string last,
                                                                     std::uint32_t count) {
    count = std::clamp<std::uint32_t>(count, 1, kUpstreamTagsPageMax);
    Question question{"GET", tags_url(name, last, count), {{"Accept", "application/json"}}};
    auto asking = ask_for_success(name, std::move(question));
    auto answer = co_await std::move(asking);
    if (!answer) co_return fail_upstream(std::move(answer).error());
    auto& stream = *answer.value();
    auto reading = read_whole(&stream, kUpstreamTagsMax);
    const auto body = co_await std::move(reading);
    if (!body) co_return fail_upstream(body.error());
    auto page = parse_tag_page(as_text(body.value()), last, count);
    if (!page)
        co_return fail_upstream(untrusted(stream.request(), "the answer is no list of tags"));
    UpstreamTags tags{std::move(page->tags), page->cut};
    if (page->cut || tags.tags.empty()) co_return std::move(tags);
    auto next = next_url_of(stream);
    if (!next) co_return fail_upstream(std::move(next).error());
    tags.more = !next.value().empty();
    if (tags.more) keep_next_page(name, tags.tags.back(), std::move(next).value());
    co_return std::move(tags);
}

}  // namespace orbitalreg::frontend
