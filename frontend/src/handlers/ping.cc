#include "handlers/ping.h"

namespace orbitalreg::frontend {

Awaitable<Response> handle_ping(const Services& services, Exchange& exchange) {
    auto ignored = co_await ignore_body(exchange.body, services.options.limits.ignored_body_bytes);
    if (ignored) co_return std::move(*ignored);
    auto response = json_response(200, "{}");
    response.headers.add("Cache-Control", "no-cache");
    co_return response;
}

}  // namespace orbitalreg::frontend
