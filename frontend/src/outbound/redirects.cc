#include "outbound/redirects.h"

#include "http/ascii.h"
#include "outbound/http_url.h"

#include <algorithm>
#include <array>

namespace orbitalreg::frontend {
namespace {

constexpr std::array<unsigned, 5> kRedirects{301, 302, 303, 307, 308};
constexpr std::array<std::string_view, 3> kPersonalFields{"authorization", "cookie",
                                                          "proxy-authorization"};

bool is_personal(const HttpHeader& field) noexcept {
    return std::any_of(
        kPersonalFields.begin(), kPersonalFields.end(),
        [&field](std::string_view name) { return equals_ignoring_case(field.name, name); });
}

}  // namespace

bool is_redirect(const HttpRequest& request, unsigned status) noexcept {
    return (request.method == "GET" || request.method == "HEAD") && request.body.empty() &&
           std::find(kRedirects.begin(), kRedirects.end(), status) != kRedirects.end();
}

NextHop next_hop(const HttpRequest& request, std::optional<std::string_view> location) {
    if (!location) return {{}, "a redirect says not where to"};
    auto url = resolve_url(request.url, *location);
    const auto from = parse_http_url(request.url);
    if (!url || !from) return {{}, "a redirect leads to no URL of http or https"};
    const auto to = parse_http_url(*url);
    if (!to) return {{}, "a redirect leads to no URL of http or https"};
    if (from->scheme == "https" && to->scheme != "https")
        return {{}, "a redirect leads from https to http"};
    HttpRequest next = request;
    next.url = std::move(*url);
    if (!is_same_origin(*from, *to)) std::erase_if(next.headers, is_personal);
    return {std::move(next), {}};
}

}  // namespace orbitalreg::frontend
