#include "handlers/blobs.h"

#include "handlers/content_source.h"
#include "http/conditions.h"
#include "http/ranges.h"

#include <array>

namespace orbitalreg::frontend {
namespace {

constexpr std::string_view kContentType =
    "application/octet-stream";  // whatever the bytes are (DIST-BLOB-02, SEC-12)

Response not_modified(const Exchange& exchange, const Digest& digest) {
    Response response;
    response.status = 304;
    describe_content(response.headers, exchange, digest, true);
    return response;
}

Response precondition_failed() {
    return error_response(412, "DENIED", "If-Match does not name the content that is stored");
}

std::string content_range(const ByteRange& range, std::uint64_t size) {
    return "bytes " + std::to_string(range.offset) + '-' +
           std::to_string(range.offset + range.size - 1) + '/' + std::to_string(size);
}

Response unsatisfiable(std::uint64_t size) {
    Response response =
        error_response(416, "BLOB_UPLOAD_INVALID", "the range lies beyond the end of the blob");
    response.headers.add("Content-Range", "bytes */" + std::to_string(size));
    return response;
}

// In the order asked, one part for each range (DIST-BLOB-14).
StreamBody multipart(std::unique_ptr<engine::BlobStream> stream,
                     const std::vector<ByteRange>& ranges, std::string_view boundary) {
    StreamBody body;
    const auto size = stream->size_bytes();
    for (const ByteRange& range : ranges) {
        std::string head = (body.parts.empty() ? "--" : "\r\n--") + std::string{boundary} +
                           "\r\nContent-Type: " + std::string{kContentType} +
                           "\r\nContent-Range: " + content_range(range, size) + "\r\n\r\n";
        body.parts.push_back({std::move(head), range.offset, range.size});
    }
    body.after = "\r\n--" + std::string{boundary} + "--\r\n";
    body.source = std::make_unique<ContentSource>(std::move(stream));
    return body;
}

std::string make_boundary(Random& random) {
    std::array<std::byte, 16> bytes;
    random.fill(bytes);
    return to_hex(bytes);
}

Response partial(const Services& services, Exchange& exchange, engine::OpenedBlob opened,
                 const std::vector<ByteRange>& ranges) {
    auto& stream = opened.content;
    Response response;
    response.status = 206;
    describe_source(response.headers, exchange, opened.source);
    describe_content(response.headers, exchange, stream->digest(), true);
    if (ranges.size() > 1) {
        const auto boundary = make_boundary(services.random);
        response.headers.add("Content-Type", "multipart/byteranges; boundary=" + boundary);
        response.body = multipart(std::move(stream), ranges, boundary);
        return response;
    }
    response.headers.add("Content-Type", kContentType);
    response.headers.add("Content-Range", content_range(ranges.front(), stream->size_bytes()));
    StreamBody body;
    body.parts.push_back({{}, ranges.front().offset, ranges.front().size});
    body.source = std::make_unique<ContentSource>(std::move(stream));
    response.body = std::move(body);
    return response;
}

Awaitable<Response> whole(Exchange& exchange, engine::OpenedBlob opened) {
    Response response;
    describe_source(response.headers, exchange, opened.source);
    describe_content(response.headers, exchange, opened.content->digest(), true);
    response.headers.add("Content-Type", kContentType);
    response.headers.add("Accept-Ranges", "bytes");
    co_await fill_body(&response, std::move(opened.content));
    co_return response;
}

Awaitable<Response> get_blob(const Services& services, Exchange& exchange, engine::ImageName image,
                             Digest digest) {
    auto opened =
        co_await services.registry.open_blob(principal_of(exchange), std::move(image), digest);
    if (!opened) co_return refusal_response(opened.error(), Subject::blob_pull);
    const auto& stream = opened.value().content;
    const auto condition = check_conditions(exchange.head, digest);
    if (condition == Condition::failed) co_return precondition_failed();
    if (condition == Condition::not_modified) co_return not_modified(exchange, digest);
    const auto range = exchange.head.field("Range");
    if (!range || !range_applies(exchange.head, digest))
        co_return co_await whole(exchange, std::move(opened).value());
    const auto request = parse_range(*range, stream->size_bytes(), services.options.limits);
    switch (request.kind) {
        case RangeRequest::Kind::unsatisfiable:
            co_return unsatisfiable(stream->size_bytes());
        case RangeRequest::Kind::parts:
            co_return partial(services, exchange, std::move(opened).value(), request.parts);
        case RangeRequest::Kind::whole:
            break;
    }
    co_return co_await whole(exchange, std::move(opened).value());
}

// Range on a HEAD is ignored (DIST-BLOB-17).
Awaitable<Response> head_blob(const Services& services, Exchange& exchange, engine::ImageName image,
                              Digest digest) {
    auto info =
        co_await services.registry.stat_blob(principal_of(exchange), std::move(image), digest);
    if (!info) co_return refusal_response(info.error(), Subject::blob_pull);
    const auto condition = check_conditions(exchange.head, digest);
    if (condition == Condition::failed) co_return precondition_failed();
    if (condition == Condition::not_modified) co_return not_modified(exchange, digest);
    Response response;
    describe_content(response.headers, exchange, digest, true);
    response.headers.add("Content-Type", kContentType);
    response.headers.add("Accept-Ranges", "bytes");
    describe_source(response.headers, exchange, info.value().source);
    response.length_of_unsent_body = info.value().info.size_bytes;
    co_return response;
}

Awaitable<Response> delete_blob(const Services& services, Exchange& exchange,
                                engine::ImageName image, Digest digest) {
    auto deleted =
        co_await services.registry.delete_blob(principal_of(exchange), std::move(image), digest);
    if (!deleted) co_return refusal_response(deleted.error(), Subject::blob_pull);
    Response response;
    response.status = 202;
    co_return response;
}

// Of a request whose body, which means nothing here, has been read. A frame less than a coroutine of its own.
Awaitable<Response> dispatch(const Services& services, Exchange& exchange) {
    auto image = engine::ImageName::parse(exchange.match.name);
    if (!image) return refused(refusal_response(image.error(), Subject::blob_pull));
    const auto digest = engine::parse_digest(exchange.match.reference);
    if (!digest) return refused(refusal_response(digest.error(), Subject::blob_pull));
    exchange.notes.digest = exchange.match.reference;
    if (exchange.head.method == Method::head)
        return head_blob(services, exchange, std::move(image.value()), digest.value());
    if (exchange.head.method == Method::delete_)
        return delete_blob(services, exchange, std::move(image.value()), digest.value());
    return get_blob(services, exchange, std::move(image.value()), digest.value());
}

}  // namespace

Awaitable<Response> handle_blob(const Services& services, Exchange& exchange) {
    return without_body(services, exchange, dispatch);
}

}  // namespace orbitalreg::frontend
