// What refers to a manifest at an upstream: one index, of as many pages as it comes in.

#include "auth/strict_json.h"
#include "outbound/answer_fields.h"
#include "outbound/registry_upstream.h"
#include "outbound/whole_body.h"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <iterator>

namespace orbitalreg::frontend {
namespace {

using engine::fail_upstream;
using engine::UpstreamManifest;
using Kind = UpstreamFailure::Kind;

constexpr unsigned kOk = 200;
constexpr std::size_t kIndexDepthMax = 64;
constexpr std::string_view kIndexType = "application/vnd.oci.image.index.v1+json";

UpstreamFailure no_such_api() {
    return {Kind::unsupported, "the upstream has no referrers API", {}};
}

UpstreamFailure no_index() {
    return {Kind::untrusted, "the upstream's referrers are no index", {}};
}

// IndexPages puts the manifests of several pages into the first one's index.
class IndexPages {
public:
    // False: it is no index.
    bool add(ByteView text) {
        auto page = parse_strict_json(as_text(text), kIndexDepthMax);
        auto* manifests =
            page && page->is_object() ? page->as_object().if_contains("manifests") : nullptr;
        if (manifests == nullptr || !manifests->is_array()) return false;
        if (!index_.is_object()) {
            index_ = std::move(*page);
            return true;
        }
        auto& more = manifests->as_array();
        auto& all = index_.as_object()["manifests"].as_array();
        all.insert(all.end(), std::make_move_iterator(more.begin()),
                   std::make_move_iterator(more.end()));
        return true;
    }
    std::vector<std::byte> bytes() const {
        const auto text = boost::json::serialize(index_);
        const auto view = as_bytes(text);
        return {view.begin(), view.end()};
    }

private:
    boost::json::value index_;
};

}  // namespace

Awaitable<UpstreamResult<RegistryUpstream::ReferrersPage>> RegistryUpstream::fetch_referrers_page(
    engine::ImageName name, std::string url) {
    Question question{"GET",
                      std::move(url),
                      {{"Accept", std::string{kIndexType}}, {"Accept-Encoding", "identity"}}};
    auto asking = ask_for_success(std::move(name), std::move(question));
    auto answer = co_await std::move(asking);
    if (!answer) {
        // An upstream that has the API answers an unknown subject with an empty index.
        if (answer.error().kind == Kind::not_found) co_return fail_upstream(no_such_api());
        co_return fail_upstream(std::move(answer).error());
    }
    auto& stream = *answer.value();
    const auto type = media_type_of_field(stream.header("content-type").value_or(""));
    if (stream.status() != kOk || type != kIndexType) co_return fail_upstream(no_such_api());
    auto next = next_url_of(stream);
    if (!next) co_return fail_upstream(std::move(next).error());
    auto reading = read_whole(&stream, kUpstreamManifestMax);
    auto body = co_await std::move(reading);
    if (!body) co_return fail_upstream(std::move(body).error());
    co_return ReferrersPage{std::move(body).value(), std::move(next).value()};
}

Awaitable<UpstreamResult<UpstreamManifest>> RegistryUpstream::fetch_referrers(
    engine::ImageName name, Digest subject) {
    auto url = place_->url_of(name, "/referrers/" + subject.to_string());
    IndexPages pages;
    std::size_t bytes = 0;
    for (std::uint32_t number = 1;; ++number) {
        auto fetching = fetch_referrers_page(name, std::move(url));
        auto page = co_await std::move(fetching);
        if (!page) co_return fail_upstream(std::move(page).error());
        auto& [text, next_url] = page.value();
        bytes += text.size();
        const bool last = next_url.empty();
        if (number == 1 && last)
            co_return UpstreamManifest{std::move(text), std::string{kIndexType}};
        if (bytes > kUpstreamManifestMax || number == kUpstreamReferrersPagesMax ||
            !pages.add(text))
            co_return fail_upstream(no_index());
        if (last) co_return UpstreamManifest{pages.bytes(), std::string{kIndexType}};
        url = std::move(next_url);
    }
}

}  // namespace orbitalreg::frontend
