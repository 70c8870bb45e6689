#include "handlers/catalog.h"

#include "handlers/listing.h"

namespace orbitalreg::frontend {

Awaitable<Response> handle_catalog(const Services& services, Exchange& exchange) {
    auto ignored = co_await ignore_body(exchange.body, services.options.limits.ignored_body_bytes);
    if (ignored) co_return std::move(*ignored);
    const auto page = parse_page(exchange.query);
    if (!page.valid) co_return bad_page();
    auto images = co_await services.registry.list_images(principal_of(exchange), page.after,
                                                         page.count, exchange.access);
    if (!images) co_return refusal_response(images.error(), Subject::listing);
    const auto& items = images.value().items;
    auto response = json_response(200, R"({"repositories":)" + json_array(items) + '}');
    response.headers.add("Cache-Control", "no-cache");
    if (images.value().more) link_next(services, exchange, images.value().last, response.headers);
    co_return response;
}

}  // namespace orbitalreg::frontend
