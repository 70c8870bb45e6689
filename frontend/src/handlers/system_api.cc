#include "handlers/system_api.h"

#include <charconv>

namespace orbitalreg::frontend {
namespace {

Response uncached_json(std::string body) {
    auto response = json_response(200, std::move(body) + '\n');
    response.headers.add("Cache-Control", "no-store");
    return response;
}

// `true` or `false`, once; nothing for anything else.
std::optional<bool> read_flag(const Query& query, std::string_view name, bool without = false) {
    const auto text = query.get(name);
    if (!text) return without;
    if (query.count(name) != 1) return std::nullopt;
    if (*text == "true") return true;
    return *text == "false" ? std::optional{false} : std::nullopt;
}

// A number, once; nothing for anything else.
std::optional<std::uint64_t> read_number(const Query& query, std::string_view name) {
    const auto text = query.get(name);
    if (!text) return 0;
    std::uint64_t number = 0;
    const char* const end = text->data() + text->size();
    const auto parsed = std::from_chars(text->data(), end, number);
    const bool whole = parsed.ec == std::errc{} && parsed.ptr == end && query.count(name) == 1;
    return whole ? std::optional{number} : std::nullopt;
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

Awaitable<Response> handle_system_stats(const Services& services, Exchange& exchange) {
    auto ignored = co_await ignore_body(exchange.body, services.options.limits.ignored_body_bytes);
    if (ignored) co_return std::move(*ignored);
    const auto files = read_flag(exchange.query, "files");
    if (!files) co_return error_response(400, "UNSUPPORTED", "`files` is true or false");
    auto stats = co_await services.upkeep.stats(*files);
    co_return uncached_json(std::move(stats));
}

Awaitable<Response> handle_system_compaction(const Services& services, Exchange& exchange) {
    auto ignored = co_await ignore_body(exchange.body, services.options.limits.ignored_body_bytes);
    if (ignored) co_return std::move(*ignored);
    if (exchange.head.method != Method::post)
        co_return uncached_json(services.upkeep.compaction_status());
    auto round = co_await services.upkeep.compact();
    if (!round) co_return refusal_response(round.error(), Subject::listing);
    co_return uncached_json(std::move(round.value()));
}

Awaitable<Response> handle_system_scrub(const Services& services, Exchange& exchange) {
    auto ignored = co_await ignore_body(exchange.body, services.options.limits.ignored_body_bytes);
    if (ignored) co_return std::move(*ignored);
    if (exchange.head.method != Method::post)
        co_return uncached_json(services.upkeep.scrub_status());
    const auto resume = read_flag(exchange.query, "resume_marking");
    const auto digests = read_flag(exchange.query, "digests", true);
    const auto rate = read_number(exchange.query, "rate");
    if (!resume || !digests || !rate) {
        co_return error_response(400, "UNSUPPORTED",
                                 "`resume_marking` and `digests` are true or false, `rate` is a "
                                 "number of bytes a second");
    }
    if (*resume) {
        services.upkeep.resume_marking();
        co_return uncached_json(services.upkeep.scrub_status());
    }
    const auto begun = services.upkeep.scrub({.digests = *digests, .rate_bytes = *rate});
    if (!begun) co_return refusal_response(begun.error(), Subject::listing);
    co_return uncached_json(services.upkeep.scrub_status());
}

}  // namespace orbitalreg::frontend
