#include "handlers/tags.h"

#include "handlers/listing.h"
#include "http/json_text.h"

namespace orbitalreg::frontend {

Awaitable<Response> handle_tags(const Services& services, Exchange& exchange) {
    auto ignored = co_await ignore_body(exchange.body, services.options.limits.ignored_body_bytes);
    if (ignored) co_return std::move(*ignored);
    auto image = engine::ImageName::parse(exchange.match.name);
    if (!image) co_return refusal_response(image.error(), Subject::listing);
    const auto page = parse_page(exchange.query);
    if (!page.valid) co_return bad_page();
    auto tags = co_await services.registry.list_tags(principal_of(exchange), image.value(),
                                                     page.after, page.count);
    if (!tags) co_return refusal_response(tags.error(), Subject::listing);
    const auto& items = tags.value().items;
    auto response = json_response(200, R"({"name":)" + json_string(image.value().text()) +
                                           R"(,"tags":)" + json_array(items) + '}');
    response.headers.add("Cache-Control", "no-cache");
    if (tags.value().more && !items.empty())
        link_next(services, exchange, items.back(), response.headers);
    co_return response;
}

}  // namespace orbitalreg::frontend
