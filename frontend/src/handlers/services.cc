#include "handlers/services.h"

#include "frontend/errors.h"
#include "http/ascii.h"
#include "http/conditions.h"

namespace orbitalreg::frontend {

std::string location_of(const Services& services, const engine::ImageName& image,
                        std::string_view rest) {
    return services.options.external_url + "/v2/" + image.text() + '/' + std::string{rest};
}

std::optional<Response> refuse_repeated(const Query& query,
                                        std::initializer_list<std::string_view> names) {
    if (query.too_many()) return error_response(400, "UNSUPPORTED", "too many query parameters");
    for (const auto name : names) {
        if (query.count(name) < 2) continue;
        return error_response(
            400, name == "from" ? "NAME_INVALID" : "DIGEST_INVALID",
            "query parameter `" + std::string{name} + "` is given more than once");
    }
    return std::nullopt;
}

std::optional<Response> refuse_encoded(const RequestHead& head, std::string_view code) {
    const auto encoding = head.field("Content-Encoding");
    if (!encoding || encoding->empty() || equals_ignoring_case(*encoding, "identity"))
        return std::nullopt;
    return error_response(400, code,
                          "Content-Encoding is not accepted: the digest is over the bytes as sent");
}

Awaitable<std::optional<Response>> ignore_body(BodyIn& body, std::uint64_t limit) {
    if (body.finished()) co_return std::nullopt;
    body.limit(limit);
    auto ended = co_await body.discard(limit + 1);
    if (ended && ended.value()) co_return std::nullopt;
    co_return body_fault(ended ? make_error_code(Errc::body_too_large) : ended.error(),
                         "UNSUPPORTED");
}

namespace {

Awaitable<Response> after_body(const Services& services, Exchange& exchange, Handler handler) {
    auto ignored = co_await ignore_body(exchange.body, services.options.limits.ignored_body_bytes);
    if (ignored) co_return std::move(*ignored);
    co_return co_await handler(services, exchange);
}

}  // namespace

Awaitable<Response> without_body(const Services& services, Exchange& exchange, Handler handler) {
    return exchange.body.finished() ? handler(services, exchange)
                                    : after_body(services, exchange, handler);
}

Awaitable<Response> refused(Response response) { co_return response; }

Response body_fault(ErrorCode error, std::string_view too_large_code) {
    Response response;
    if (error == Errc::body_too_large) {
        response = error_response(413, too_large_code, "the body is larger than allowed");
    } else if (error == Errc::body_malformed) {
        response = error_response(400, "SIZE_INVALID", "the chunked body is malformed");
    } else {
        response = error_response(400, "SIZE_INVALID", "the body ended before its length");
    }
    response.close = true;
    return response;
}

Response busy() {
    auto response = error_response(503, "UNAVAILABLE", "the server is busy: try again in a second");
    response.headers.add("Retry-After", "1");
    return response;
}

void describe_source(Headers& headers, Exchange& exchange, const engine::PullSource& source) {
    exchange.notes.member = source.member;
    if (!source.member.empty()) headers.add("X-OrbitalReg-Member", source.member);
    if (source.cache != engine::PullSource::Cache::none) {
        exchange.notes.cache = engine::to_string(source.cache);
        headers.add("X-OrbitalReg-Cache", exchange.notes.cache);
    }
    if (!source.warning.empty()) headers.add_warning(source.warning);
}

void describe_content(Headers& headers, const Exchange& exchange, const Digest& digest,
                      bool immutable) {
    const auto text = '"' + digest.to_string() + '"';  // an entity tag
    headers.add("Docker-Content-Digest", std::string_view{text}.substr(1, text.size() - 2));
    headers.add("ETag", text);
    // What not everybody may read is kept by no cache that several share.
    const std::string_view kept = exchange.open_to_all ? "public, max-age=31536000, immutable"
                                                       : "private, max-age=31536000, immutable";
    headers.add("Cache-Control", immutable ? kept : "no-cache");
    headers.add("Content-Security-Policy", "default-src 'none'; sandbox");
}

}  // namespace orbitalreg::frontend
