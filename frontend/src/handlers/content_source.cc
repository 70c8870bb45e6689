#include "handlers/content_source.h"

#include <utility>

namespace orbitalreg::frontend {

namespace {

constexpr std::uint64_t kReadAtOnceMax = 16_KiB;

}  // namespace

Awaitable<Result<SharedBytes>> ContentSource::read(std::uint64_t offset, std::uint64_t length_max) {
    auto piece = co_await stream_->read(offset, length_max);
    if (!piece) co_return fail(piece.error().code);
    co_return SharedBytes{piece.value().bytes, std::move(piece.value().owner)};
}

Awaitable<void> fill_body(Response* response, std::unique_ptr<engine::BlobStream> stream) {
    const auto size = stream->size_bytes();
    if (size > 0 && size <= kReadAtOnceMax) {
        auto piece = co_await stream->read(0, size);
        if (piece && piece.value().bytes.size() == size) {
            response->body = SharedBytes{piece.value().bytes, std::move(piece.value().owner)};
            co_return;
        }
    }
    response->body = whole_body(std::move(stream));
}

StreamBody whole_body(std::unique_ptr<engine::BlobStream> stream) {
    StreamBody body;
    body.parts.push_back({{}, 0, stream->size_bytes()});
    body.source = std::make_unique<ContentSource>(std::move(stream));
    return body;
}

}  // namespace orbitalreg::frontend
