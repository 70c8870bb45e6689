#include "handlers/referrers.h"

#include "handlers/listing.h"
#include "http/json_text.h"

#include <algorithm>

namespace orbitalreg::frontend {
namespace {

// Clients compare this string, parameters and all (DIST-REF-01).
constexpr std::string_view kIndexType = "application/vnd.oci.image.index.v1+json";

// A raw `+` came as a space by form rules; media types contain no spaces (DIST-REF-07).
std::vector<std::string> wanted_types(const Query& query) {
    std::vector<std::string> types;
    for (const auto value : query.all("artifactType")) {
        if (value.empty()) continue;
        types.emplace_back(value);
        std::replace(types.back().begin(), types.back().end(), ' ', '+');
    }
    return types;
}

std::string json_annotations(const engine::Annotations& annotations) {
    std::string text = "{";
    for (const auto& [key, value] : annotations) {
        if (text.size() > 1) text += ',';
        text += json_string(key) + ':' + json_string(value);
    }
    return text += '}';
}

std::string json_descriptor(const engine::Referrer& referrer) {
    std::string text = R"({"mediaType":)" + json_string(engine::media_type_of(referrer.kind)) +
                       R"(,"digest":)" + json_string(referrer.digest.to_string()) + R"(,"size":)" +
                       std::to_string(referrer.size_bytes);
    if (!referrer.artifact_type.empty())
        text += R"(,"artifactType":)" + json_string(referrer.artifact_type);
    if (!referrer.annotations.empty())
        text += R"(,"annotations":)" + json_annotations(referrer.annotations);
    return text += '}';
}

Response index_response(const std::vector<engine::Referrer>& referrers, bool filtered) {
    std::string body =
        R"({"schemaVersion":2,"mediaType":)" + json_string(kIndexType) + R"(,"manifests":[)";
    for (const engine::Referrer& referrer : referrers) {
        if (&referrer != &referrers.front()) body += ',';
        body += json_descriptor(referrer);
    }
    Response response;
    response.headers.add("Content-Type", kIndexType);
    response.headers.add("Cache-Control", "no-cache");
    if (filtered) response.headers.add("OCI-Filters-Applied", "artifactType");
    response.body = body + "]}";
    return response;
}

}  // namespace

Awaitable<Response> handle_referrers(const Services& services, Exchange& exchange) {
    auto ignored = co_await ignore_body(exchange.body, services.options.limits.ignored_body_bytes);
    if (ignored) co_return std::move(*ignored);
    auto image = engine::ImageName::parse(exchange.match.name);
    if (!image) co_return refusal_response(image.error(), Subject::listing);
    const auto types = wanted_types(exchange.query);
    const auto page = parse_page(exchange.query);
    if (!page.valid) co_return bad_page();
    const auto subject = engine::parse_digest(exchange.match.reference);
    // Nothing can refer to a digest of an algorithm that is not accepted (DIST-DIG-04).
    if (!subject && subject.error() == engine::Errc::digest_unsupported)
        co_return index_response({}, !types.empty());
    if (!subject) co_return refusal_response(subject.error(), Subject::listing);
    exchange.notes.digest = subject.value().to_string();
    std::optional<Digest> after;
    if (!page.after.empty()) {
        const auto parsed = engine::parse_digest(page.after);
        if (!parsed) co_return refusal_response(parsed.error(), Subject::listing);
        after = parsed.value();
    }
    auto found =
        co_await services.registry.list_referrers(principal_of(exchange), std::move(image.value()),
                                                  subject.value(), types, after, page.count);
    if (!found) co_return refusal_response(found.error(), Subject::listing);
    const auto& items = found.value().items;
    auto response = index_response(items, !types.empty());
    if (found.value().more && !items.empty()) {
        link_next(services, exchange, items.back().digest.to_string(), response.headers);
    }
    co_return response;
}

}  // namespace orbitalreg::frontend
