#include "handlers/admin_site.h"

#include "handlers/registry_site.h"
#include "handlers/services.h"
#include "http/json_text.h"

#include <algorithm>

namespace orbitalreg::frontend {
namespace {

Response text_response(unsigned status, std::string text, std::string_view type) {
    Response response;
    response.status = status;
    response.headers.add("Content-Type", type);
    response.headers.add("Cache-Control", "no-store");
    response.body = std::move(text);
    return response;
}

std::string json_components(const std::vector<HealthComponent>& components) {
    std::string text = "[";
    for (const HealthComponent& component : components) {
        if (text.size() > 1) text += ',';
        text += R"({"name":)" + json_string(component.name) + R"(,"ready":)" +
                (component.ready ? "true" : "false") + R"(,"detail":)" +
                json_string(component.detail) + '}';
    }
    return text += ']';
}

}  // namespace

std::vector<HealthComponent> AdminSite::components() const {
    std::vector<HealthComponent> all;
    if (health_) all = health_();
    const bool stopping = stopping_.load(std::memory_order_relaxed);
    all.push_back({"listener", !stopping, stopping ? "stopping" : "accepting"});
    return all;
}

Response AdminSite::ready(bool verbose) const {
    const auto all = components();
    const bool up =
        std::all_of(all.begin(), all.end(), [](const HealthComponent& each) { return each.ready; });
    const unsigned status = up ? 200 : 503;
    if (!verbose) return text_response(status, up ? "up\n" : "down\n", "text/plain; charset=utf-8");
    return text_response(status,
                         std::string{R"({"ready":)"} + (up ? "true" : "false") +
                             R"(,"components":)" + json_components(all) + "}\n",
                         "application/json");
}

Awaitable<Response> AdminSite::answer(Exchange& exchange) {
    if (auto refused = refuse_route(exchange)) co_return std::move(*refused);
    auto ignored = co_await ignore_body(exchange.body, options_.limits.ignored_body_bytes);
    if (ignored) co_return std::move(*ignored);
    switch (exchange.match.route) {
        case Route::metrics:
            co_return text_response(200, metrics_.render(),
                                    "text/plain; version=0.0.4; charset=utf-8");
        case Route::livez:
            if (!exchange.query.get("verbose"))
                co_return text_response(200, "up\n", "text/plain; charset=utf-8");
            co_return text_response(
                200, "{\"ready\":true,\"components\":" + json_components(components()) + "}\n",
                "application/json");
        default:
            // This listener starts when recovery is done: started is ready.
            co_return ready(exchange.query.get("verbose").has_value());
    }
}

void AdminSite::decorate(const Exchange&, Headers& headers) const {
    headers.add("X-Content-Type-Options", "nosniff");
}

}  // namespace orbitalreg::frontend
