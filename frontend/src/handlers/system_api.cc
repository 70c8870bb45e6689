#include "handlers/system_api.h"

namespace orbitalreg::frontend {
namespace {

Response uncached_json(std::string body) {
    auto response = json_response(200, std::move(body) + '\n');
    response.headers.add("Cache-Control", "no-store");
    return response;
}

// `true` or `false`; nothing for anything else.
std::optional<bool> read_flag(const Query& query, std::string_view name) {
    const auto text = query.get(name);
    if (!text || *text == "false") return false;
    if (*text == "true" && query.count(name) == 1) return true;
    return std::nullopt;
}

}  // namespace

Awaitable<Response> handle_system_gc(const Services& services, Exchange& exchange) {
    auto ignored = co_await ignore_body(exchange.body, services.options.limits.ignored_body_bytes);
    if (ignored) co_return std::move(*ignored);
    if (exchange.head.method != Method::post)
        co_return uncached_json(engine::to_json(services.upkeep.collection_status()));
    const auto dry_run = read_flag(exchange.query, "dry_run");
    if (!dry_run) co_return error_response(400, "UNSUPPORTED", "`dry_run` is true or false");
    const auto round = co_await services.upkeep.collect(*dry_run, nullptr);
    if (!round) co_return refusal_response(round.error(), Subject::listing);
    co_return uncached_json(engine::to_json(round.value()));
}

Awaitable<Response> handle_system_gc_blob(const Services& services, Exchange& exchange) {
    auto ignored = co_await ignore_body(exchange.body, services.options.limits.ignored_body_bytes);
    if (ignored) co_return std::move(*ignored);
    const auto digest = engine::parse_digest(exchange.match.reference);
    if (!digest) co_return refusal_response(digest.error(), Subject::blob_pull);
    exchange.notes.digest = digest.value().to_string();
    const auto explanation = co_await services.upkeep.explain(digest.value());
    co_return uncached_json(engine::to_json(explanation));
}

}  // namespace orbitalreg::frontend
