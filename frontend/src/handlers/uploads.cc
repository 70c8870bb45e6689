#include "handlers/uploads.h"

#include "handlers/receive_blob.h"
#include "http/ranges.h"

#include <algorithm>
#include <utility>

namespace orbitalreg::frontend {
namespace {

constexpr std::string_view kInvalid = "BLOB_UPLOAD_INVALID";

// `0-<last byte so far>`; an empty upload is `0-0` too, since clients parse two numbers (DIST-UPL-26, DIST-UPL-27).
std::string progress(std::uint64_t offset) {
    return "0-" + std::to_string(offset == 0 ? 0 : offset - 1);
}

std::string session_location(const Services& services, const engine::ImageName& image,
                             std::string_view token) {
    return location_of(services, image, "blobs/uploads/" + std::string{token});
}

Response session_response(const Services& services, const engine::ImageName& image,
                          std::string_view token, const std::string& id, std::uint64_t offset,
                          unsigned status) {
    Response response;
    response.status = status;
    response.headers.add("Location", session_location(services, image, token));
    response.headers.add("Range", progress(offset));
    if (!id.empty()) response.headers.add("Docker-Upload-UUID", id);
    response.headers.add("Cache-Control", "no-store");
    return response;
}

Response created(const Services& services, const engine::ImageName& image, const Digest& digest) {
    Response response;
    response.status = 201;
    // The digest's colon stays as it is (DIST-HTTP-23).
    response.headers.add("Location", location_of(services, image, "blobs/" + digest.to_string()));
    response.headers.add("Docker-Content-Digest", digest.to_string());
    return response;
}

// A refusal about a session: where the upload stands goes with it (DIST-UPL-22).
Response session_refusal(const Services& services, const engine::ImageName& image,
                         std::string_view token, const engine::Refusal& refusal) {
    Response response = refusal_response(refusal, Subject::blob_push);
    if (response.status == 416) {
        response.headers.add("Location", session_location(services, image, token));
        response.headers.add("Range", progress(refusal.offset_bytes));
    }
    return response;
}

Response too_large() {
    return error_response(413, "SIZE_INVALID", "the blob is larger than this registry accepts");
}

Response failed_reception(const Services& services, const engine::ImageName& image,
                          std::string_view token, const Received& received) {
    if (received.refusal) return session_refusal(services, image, token, *received.refusal);
    return body_fault(received.body_error, "SIZE_INVALID");
}

// The body of one request into the writer, within the limit on blobs.
Awaitable<Received> receive(const Services& services, engine::UploadWriter& writer, BodyIn& body) {
    const auto limit = services.options.limits.blob_bytes;
    if (limit > 0) body.limit(limit - std::min(limit, writer.offset()));
    co_return co_await receive_blob(writer, body);
}

// --- POST ---

Awaitable<Response> push_in_one_request(const Services& services, Exchange& exchange,
                                        engine::ImageName image, Digest digest) {
    if (auto refused = refuse_encoded(exchange.head, kInvalid)) co_return std::move(*refused);
    const auto size = exchange.body.declared_size();
    const auto limit = services.options.limits.blob_bytes;
    if (limit > 0 && size && *size > limit) co_return too_large();
    auto writer =
        co_await services.registry.begin_blob(principal_of(exchange), image, digest, size);
    if (!writer) co_return refusal_response(writer.error(), Subject::blob_push);
    const auto received = co_await receive(services, *writer.value(), exchange.body);
    if (received.refusal) co_return refusal_response(*received.refusal, Subject::blob_push);
    if (!received.complete()) co_return body_fault(received.body_error, "SIZE_INVALID");
    auto finished = co_await writer.value()->finish(digest);
    if (!finished) co_return refusal_response(finished.error(), Subject::blob_push);
    co_return created(services, image, digest);
}

Awaitable<Response> open_session(const Services& services, Exchange& exchange,
                                 engine::ImageName image) {
    auto algorithm = DigestAlgorithm::sha256;
    if (const auto hint = exchange.query.get("digest-algorithm")) {
        const auto parsed = parse_digest_algorithm(*hint);
        if (!parsed)
            co_return error_response(400, "DIGEST_INVALID",
                                     "digest-algorithm is not one that is supported");
        algorithm = parsed.value();
    }
    auto ignored = co_await ignore_body(exchange.body, services.options.limits.drain_bytes);
    if (ignored) co_return std::move(*ignored);
    auto ticket = co_await services.registry.start_upload(principal_of(exchange), image, algorithm);
    if (!ticket) co_return refusal_response(ticket.error(), Subject::blob_push);
    co_return session_response(services, image, ticket.value().token, ticket.value().id, 0, 202);
}

// Nothing: there is nothing to mount, and an ordinary upload begins (DIST-MNT-02).
Awaitable<std::optional<Response>> try_mount(const Services& services, Exchange& exchange,
                                             engine::ImageName image,
                                             std::string_view digest_text) {
    const auto digest = engine::parse_digest(digest_text);
    if (!digest) co_return refusal_response(digest.error(), Subject::blob_push);
    exchange.notes.digest = digest.value().to_string();
    std::optional<engine::ImageName> source;
    if (const auto from = exchange.query.get("from")) {
        auto name = engine::ImageName::parse(*from);
        if (!name) co_return std::nullopt;
        source = std::move(name.value());
    } else if (!services.options.mount_without_from) {
        co_return std::nullopt;
    }
    auto mounted = co_await services.registry.mount(principal_of(exchange), image, digest.value(),
                                                    std::move(source), exchange.access);
    if (!mounted) co_return refusal_response(mounted.error(), Subject::blob_push);
    if (!mounted.value()) co_return std::nullopt;
    co_return created(services, image, digest.value());
}

// --- one session ---

struct SessionRequest {
    engine::ImageName image;
    std::string token;
};

Awaitable<Response> session_status(const Services& services, Exchange& exchange,
                                   SessionRequest session) {
    auto ignored = co_await ignore_body(exchange.body, services.options.limits.ignored_body_bytes);
    if (ignored) co_return std::move(*ignored);
    auto position = co_await services.registry.upload_position(principal_of(exchange),
                                                               session.image, session.token);
    if (!position) co_return refusal_response(position.error(), Subject::blob_push);
    co_return session_response(services, session.image, session.token, position.value().id,
                               position.value().offset_bytes, 204);
}

Awaitable<Response> cancel_session(const Services& services, Exchange& exchange,
                                   SessionRequest session) {
    auto ignored = co_await ignore_body(exchange.body, services.options.limits.ignored_body_bytes);
    if (ignored) co_return std::move(*ignored);
    auto cancelled = co_await services.registry.cancel_upload(principal_of(exchange), session.image,
                                                              session.token);
    if (!cancelled) co_return refusal_response(cancelled.error(), Subject::blob_push);
    Response response;
    response.status = 204;
    co_return response;
}

// 416 for a range that cannot be, with the true state, as for one in the wrong place (SEC-35).
Awaitable<Response> refuse_range(const Services& services, Exchange& exchange,
                                 SessionRequest session) {
    auto position = co_await services.registry.upload_position(principal_of(exchange),
                                                               session.image, session.token);
    if (!position) co_return refusal_response(position.error(), Subject::blob_push);
    engine::Refusal refusal{engine::Errc::offset_mismatch, "Content-Range is not a range"};
    refusal.offset_bytes = position.value().offset_bytes;
    co_return session_refusal(services, session.image, session.token, refusal);
}

// What PATCH and PUT say about the bytes they bring, checked before any is read.
struct Chunk {
    std::optional<ChunkRange> range;
    std::optional<Response> refused;
    bool impossible = false;
};

Chunk parse_chunk(const Exchange& exchange) {
    Chunk chunk;
    chunk.refused = refuse_encoded(exchange.head, kInvalid);
    const auto text = exchange.head.field("Content-Range");
    if (chunk.refused || !text) return chunk;
    chunk.range = parse_chunk_range(*text);
    chunk.impossible = chunk.range->kind == ChunkRange::Kind::impossible;
    if (chunk.range->kind == ChunkRange::Kind::malformed) {
        chunk.refused = error_response(400, kInvalid, "Content-Range is not <start>-<end>");
    } else if (const auto size = exchange.body.declared_size();
               !chunk.impossible && size && *size != chunk.range->size) {
        chunk.refused =
            error_response(400, "SIZE_INVALID", "Content-Length and Content-Range disagree");
    }
    return chunk;
}

engine::ResumeUpload resume_request(const Chunk& chunk) {
    engine::ResumeUpload resume;
    if (chunk.range) resume.start_offset_bytes = chunk.range->start;
    return resume;
}

bool would_exceed(const Services& services, const engine::UploadWriter& writer,
                  const BodyIn& body) {
    const auto limit = services.options.limits.blob_bytes;
    const auto size = body.declared_size();
    return limit > 0 && size && (writer.offset() > limit || *size > limit - writer.offset());
}

// The bytes of a chunked request are counted: where Content-Range promised another number the writer is dropped, and the
// upload stands where it stood (DIST-UPL-28).
bool wrong_length(const Chunk& chunk, const Received& received) {
    return chunk.range && received.bytes != chunk.range->size;
}

Response length_refusal() {
    Response response =
        error_response(400, "SIZE_INVALID", "Content-Range and the body disagree in length");
    return response;
}

Awaitable<Response> append(const Services& services, Exchange& exchange, SessionRequest session) {
    auto chunk = parse_chunk(exchange);
    if (chunk.refused) co_return std::move(*chunk.refused);
    if (chunk.impossible) co_return co_await refuse_range(services, exchange, std::move(session));
    auto resumed = co_await services.registry.resume_upload(principal_of(exchange), session.image,
                                                            session.token, resume_request(chunk));
    if (!resumed)
        co_return session_refusal(services, session.image, session.token, resumed.error());
    auto& writer = resumed.value().writer;
    if (!writer) co_return refusal_response({engine::Errc::upload_unknown}, Subject::blob_push);
    if (would_exceed(services, *writer, exchange.body)) co_return too_large();
    const auto received = co_await receive(services, *writer, exchange.body);
    if (!received.complete())
        co_return failed_reception(services, session.image, session.token, received);
    if (wrong_length(chunk, received)) co_return length_refusal();
    std::uint64_t offset = writer->offset();
    // What added nothing has nothing to make durable (DIST-UPL-26).
    if (received.bytes > 0) {
        auto marked = co_await writer->mark();
        if (!marked)
            co_return session_refusal(services, session.image, session.token, marked.error());
        offset = marked.value();
    }
    co_return session_response(services, session.image, session.token, resumed.value().id, offset,
                               202);
}

Awaitable<Response> finish(const Services& services, Exchange& exchange, SessionRequest session) {
    const auto digest_text = exchange.query.get("digest");
    if (!digest_text) {
        co_return error_response(400, "DIGEST_INVALID",
                                 "a closing PUT needs the query parameter `digest`");
    }
    const auto digest = engine::parse_digest(*digest_text);
    if (!digest) co_return refusal_response(digest.error(), Subject::blob_push);
    exchange.notes.digest = digest.value().to_string();
    auto chunk = parse_chunk(exchange);
    if (chunk.refused) co_return std::move(*chunk.refused);
    if (chunk.impossible) co_return co_await refuse_range(services, exchange, std::move(session));
    auto resume = resume_request(chunk);
    resume.closing = digest.value();
    // A closing PUT that brings bytes usually brings all of them.
    if (const auto size = exchange.body.declared_size(); size && *size > 0) {
        resume.size_hint_bytes = resume.start_offset_bytes.value_or(0) + *size;
    }
    auto resumed = co_await services.registry.resume_upload(principal_of(exchange), session.image,
                                                            session.token, std::move(resume));
    if (!resumed)
        co_return session_refusal(services, session.image, session.token, resumed.error());
    if (resumed.value().finished) co_return created(services, session.image, digest.value());
    auto& writer = resumed.value().writer;
    if (!writer) co_return refusal_response({engine::Errc::upload_unknown}, Subject::blob_push);
    if (would_exceed(services, *writer, exchange.body)) co_return too_large();
    const auto received = co_await receive(services, *writer, exchange.body);
    if (!received.complete())
        co_return failed_reception(services, session.image, session.token, received);
    if (wrong_length(chunk, received)) co_return length_refusal();
    auto finished = co_await writer->finish(digest.value());
    if (!finished)
        co_return session_refusal(services, session.image, session.token, finished.error());
    co_return created(services, session.image, digest.value());
}

}  // namespace

Awaitable<Response> handle_uploads(const Services& services, Exchange& exchange) {
    auto image = engine::ImageName::parse(exchange.match.name);
    if (!image) co_return refusal_response(image.error(), Subject::blob_push);
    if (auto refused = refuse_repeated(exchange.query, {"digest", "mount", "from"}))
        co_return std::move(*refused);
    const auto digest_text = exchange.query.get("digest");
    const auto mount_text = exchange.query.get("mount");
    std::optional<Digest> digest;
    if (digest_text) {
        const auto parsed = engine::parse_digest(*digest_text);
        if (!parsed) co_return refusal_response(parsed.error(), Subject::blob_push);
        digest = parsed.value();
        exchange.notes.digest = digest->to_string();
    }
    if (mount_text) {
        auto mounted = co_await try_mount(services, exchange, image.value(), *mount_text);
        if (mounted) co_return std::move(*mounted);
    }
    // With `mount` beside it, `digest` means a push only where there is a body to push (DIST-MNT-11).
    if (digest && (!mount_text || exchange.head.has_body())) {
        co_return co_await push_in_one_request(services, exchange, std::move(image.value()),
                                               *digest);
    }
    co_return co_await open_session(services, exchange, std::move(image.value()));
}

Awaitable<Response> handle_upload(const Services& services, Exchange& exchange) {
    auto image = engine::ImageName::parse(exchange.match.name);
    if (!image) co_return refusal_response(image.error(), Subject::blob_push);
    if (auto refused = refuse_repeated(exchange.query, {"digest"})) co_return std::move(*refused);
    SessionRequest session{std::move(image.value()), std::string{exchange.match.reference}};
    switch (exchange.head.method) {
        case Method::patch:
            co_return co_await append(services, exchange, std::move(session));
        case Method::put:
            co_return co_await finish(services, exchange, std::move(session));
        case Method::delete_:
            co_return co_await cancel_session(services, exchange, std::move(session));
        default:
            co_return co_await session_status(services, exchange, std::move(session));
    }
}

}  // namespace orbitalreg::frontend
