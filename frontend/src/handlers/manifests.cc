#include "handlers/manifests.h"

#include "frontend/errors.h"
#include "handlers/content_source.h"
#include "http/conditions.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace orbitalreg::frontend {
namespace {

constexpr std::string_view kInvalid = "MANIFEST_INVALID";
constexpr std::size_t kReadStep = 64_KiB;

bool by_digest(const engine::Reference& reference) noexcept {
    return std::holds_alternative<Digest>(reference);
}

// What GET and HEAD say about a manifest (DIST-MAN-30). What a tag names may change, what a digest names cannot.
void describe(Headers& headers, const Exchange& exchange, const engine::ManifestInfo& info,
              const engine::Reference& reference) {
    describe_content(headers, exchange, info.digest, by_digest(reference));
    headers.add("Content-Type", engine::media_type_of(info.kind));
}

// 304 or 412, when the request's conditions end it.
std::optional<Response> conditional_answer(const Exchange& exchange,
                                           const engine::ManifestInfo& info,
                                           const engine::Reference& reference) {
    switch (check_conditions(exchange.head, info.digest)) {
        case Condition::failed:
            return error_response(412, "DENIED",
                                  "If-Match does not name the manifest that is stored");
        case Condition::not_modified: {
            Response response;
            response.status = 304;
            describe_content(response.headers, exchange, info.digest, by_digest(reference));
            return response;
        }
        case Condition::proceed:
            break;
    }
    return std::nullopt;
}

Awaitable<Response> get_manifest(const Services& services, Exchange& exchange,
                                 engine::ImageName image, engine::Reference reference) {
    auto opened = co_await services.registry.open_manifest(principal_of(exchange), std::move(image),
                                                           reference);
    if (!opened) co_return refusal_response(opened.error(), Subject::manifest_pull);
    const auto& info = opened.value().info;
    exchange.notes.digest = info.digest.to_string();
    if (auto answer = conditional_answer(exchange, info, reference)) co_return std::move(*answer);
    Response response;
    describe(response.headers, exchange, info, reference);
    describe_source(response.headers, exchange, opened.value().source);
    co_await fill_body(&response, std::move(opened.value().content));
    co_return response;
}

Awaitable<Response> head_manifest(const Services& services, Exchange& exchange,
                                  engine::ImageName image, engine::Reference reference) {
    auto found = co_await services.registry.stat_manifest(principal_of(exchange), std::move(image),
                                                          reference);
    if (!found) co_return refusal_response(found.error(), Subject::manifest_pull);
    const auto& info = found.value().info;
    exchange.notes.digest = info.digest.to_string();
    if (auto answer = conditional_answer(exchange, info, reference)) co_return std::move(*answer);
    Response response;
    describe(response.headers, exchange, info, reference);
    describe_source(response.headers, exchange, found.value().source);
    response.length_of_unsent_body = info.size_bytes;
    co_return response;
}

Awaitable<Response> delete_manifest(const Services& services, Exchange& exchange,
                                    engine::ImageName image, engine::Reference reference) {
    auto deleted = co_await services.registry.delete_manifest(principal_of(exchange),
                                                              std::move(image), reference);
    if (!deleted) co_return refusal_response(deleted.error(), Subject::manifest_pull);
    Response response;
    response.status = 202;
    co_return response;
}

// The whole body, never more than the limit and never more memory than has arrived (SEC-15), nor than there is for all
// requests: Errc::no_memory_left.
Awaitable<Result<std::vector<std::byte>>> read_manifest(Exchange& exchange, std::uint64_t limit) {
    BodyIn& body = exchange.body;
    body.limit(limit);
    std::vector<std::byte> bytes;
    std::size_t filled = 0;
    while (!body.finished()) {
        if (bytes.size() - filled < kReadStep) {
            const auto wanted = std::min(std::max(bytes.size() * 2, filled + kReadStep),
                                         std::max<std::size_t>(limit, filled) + kReadStep);
            // Both are there while one is copied into the other.
            if (!exchange.ticket.hold(bytes.size() + wanted)) co_return fail(Errc::no_memory_left);
            bytes.resize(wanted);
        }
        ORB_CO_TRY(const auto size, co_await body.read_some(std::span{bytes}.subspan(filled)));
        filled += size;
    }
    bytes.resize(filled);
    co_return bytes;
}

// `tag` parameters of a push by digest: all of them or none (DIST-MAN-24).
std::optional<Response> read_tags(const Services& services, const Exchange& exchange,
                                  std::vector<engine::Tag>& tags) {
    const auto texts = exchange.query.all("tag");
    const auto limit = std::min<std::size_t>(services.registry.options().limits.tags_per_push_max,
                                             services.options.limits.query_parameters);
    if (texts.size() > limit) {
        return error_response(414, "UNSUPPORTED",
                              "too many tags in one push: at most " + std::to_string(limit));
    }
    for (const auto text : texts) {
        auto tag = engine::Tag::parse(text);
        if (!tag) return error_response(400, kInvalid, "a `tag` parameter is not a tag");
        if (std::find(tags.begin(), tags.end(), tag.value()) == tags.end())
            tags.push_back(std::move(tag.value()));
    }
    return std::nullopt;
}

// If-None-Match: * and If-Match: "<digest>" of a push by tag (DIST-MAN-25).
std::optional<Response> read_expectation(const Exchange& exchange,
                                         engine::TagExpectation& expected) {
    if (const auto absent = exchange.head.field("If-None-Match"); absent && *absent == "*") {
        expected = engine::TagExpectation::absent();
        return std::nullopt;
    }
    auto present = exchange.head.field("If-Match");
    if (!present) return std::nullopt;
    if (present->size() >= 2 && present->front() == '"' && present->back() == '"') {
        *present = present->substr(1, present->size() - 2);
    }
    const auto digest = engine::parse_digest(*present);
    if (!digest)
        return error_response(412, "DENIED", "If-Match of a push names one digest in quotes");
    expected = engine::TagExpectation::at(digest.value());
    return std::nullopt;
}

Response pushed(const Services& services, const engine::ImageName& image,
                const engine::PutManifestReceipt& receipt) {
    Response response;
    response.status = 201;
    const auto digest = receipt.digest.to_string();
    response.headers.add("Location", location_of(services, image, "manifests/" + digest));
    response.headers.add("Docker-Content-Digest", digest);
    if (receipt.subject) response.headers.add("OCI-Subject", receipt.subject->to_string());
    for (const engine::Tag& tag : receipt.tags) response.headers.add("OCI-Tag", tag.text());
    return response;
}

Awaitable<Response> put_manifest(const Services& services, Exchange& exchange,
                                 engine::ImageName image, engine::Reference reference) {
    const auto limit = services.options.limits.manifest_bytes;
    if (auto refused = refuse_encoded(exchange.head, kInvalid)) co_return std::move(*refused);
    engine::PutManifestRequest request{image, reference, {}, {}, {}, {}, exchange.may_move_tags};
    request.content_type = exchange.head.field("Content-Type").value_or("");
    if (by_digest(reference)) {
        if (auto refused = read_tags(services, exchange, request.more_tags))
            co_return std::move(*refused);
    } else if (auto refused = read_expectation(exchange, request.expected)) {
        co_return std::move(*refused);
    }
    auto bytes = co_await read_manifest(exchange, limit);
    if (!bytes && bytes.error() == Errc::no_memory_left) co_return busy();
    if (!bytes) co_return body_fault(bytes.error(), kInvalid);
    request.bytes = std::move(bytes.value());
    auto receipt =
        co_await services.registry.put_manifest(principal_of(exchange), std::move(request));
    if (!receipt) co_return refusal_response(receipt.error(), Subject::manifest_push);
    exchange.notes.digest = receipt.value().digest.to_string();
    for (const auto& before : receipt.value().tags_were) {
        if (before && *before != receipt.value().digest)
            exchange.notes.old_digest = before->to_string();
    }
    co_return pushed(services, image, receipt.value());
}

// Of a request whose body, where it is none of a manifest, has been read. A frame less than a coroutine of its own.
Awaitable<Response> dispatch(const Services& services, Exchange& exchange) {
    const bool push = exchange.head.method == Method::put;
    const auto subject = push ? Subject::manifest_push : Subject::manifest_pull;
    auto image = engine::ImageName::parse(exchange.match.name);
    if (!image) return refused(refusal_response(image.error(), subject));
    auto reference = engine::parse_reference(exchange.match.reference);
    if (!reference) return refused(refusal_response(reference.error(), subject));
    exchange.notes.reference = exchange.match.reference;
    switch (exchange.head.method) {
        case Method::put:
            return put_manifest(services, exchange, std::move(image.value()), reference.value());
        case Method::delete_:
            return delete_manifest(services, exchange, std::move(image.value()), reference.value());
        case Method::head:
            return head_manifest(services, exchange, std::move(image.value()), reference.value());
        default:
            return get_manifest(services, exchange, std::move(image.value()), reference.value());
    }
}

}  // namespace

Awaitable<Response> handle_manifest(const Services& services, Exchange& exchange) {
    if (exchange.head.method == Method::put) return dispatch(services, exchange);
    return without_body(services, exchange, dispatch);
}

}  // namespace orbitalreg::frontend
