#include "http/body_in.h"

#include "frontend/errors.h"

#include <algorithm>
#include <array>

namespace orbitalreg::frontend {
namespace {

// Chunked bodies are received with their framing; what is read past their end must fit the connection's buffer.
constexpr std::size_t kChunkedReadBytesMax = 64_KiB;

}  // namespace

BodyIn::BodyIn(Connection& connection, const Framing& framing, const HttpLimits& limits) noexcept
    : connection_{connection},
      decoder_{limits},
      chunked_{framing.chunked},
      expect_{framing.expect_continue},
      finished_{!framing.chunked && framing.content_length.value_or(0) == 0},
      size_{framing.content_length.value_or(0)} {}

std::optional<std::uint64_t> BodyIn::declared_size() const noexcept {
    if (chunked_) return std::nullopt;
    return size_;
}

Awaitable<Result<std::size_t>> BodyIn::read_some(MutableByteView to) {
    if (finished_) co_return std::size_t{0};
    if (!chunked_ && size_ > limit_) co_return fail(Errc::body_too_large);
    if (expect_) {
        expect_ = false;
        // A peer that has begun to send does not wait for the word (RFC 9110, 10.1.1).
        if (connection_.input().empty()) {
            ORB_CO_TRY(co_await connection_.write(as_bytes("HTTP/1.1 100 Continue\r\n\r\n")));
        }
    }
    std::size_t size = 0;
    if (chunked_) {
        ORB_CO_TRY(size, co_await read_chunked(to));
    } else {
        ORB_CO_TRY(size, co_await read_counted(to));
    }
    received_ += size;
    if (received_ > limit_) co_return fail(Errc::body_too_large);
    co_return size;
}

// Bytes that came with the header first, then the socket.
Awaitable<Result<std::size_t>> BodyIn::receive(MutableByteView to) {
    if (const auto size = connection_.input().take(to); size > 0) co_return size;
    ORB_CO_TRY(const auto size, co_await connection_.read_body(to));
    if (size == 0) co_return fail(Errc::peer_closed);
    co_return size;
}

Awaitable<Result<std::size_t>> BodyIn::read_counted(MutableByteView to) {
    const auto left = size_ - received_;
    const auto room = to.first(static_cast<std::size_t>(std::min<std::uint64_t>(left, to.size())));
    ORB_CO_TRY(const auto size, co_await receive(room));
    finished_ = size == left;
    co_return size;
}

Awaitable<Result<std::size_t>> BodyIn::read_chunked(MutableByteView to) {
    const auto room = to.first(std::min(to.size(), kChunkedReadBytesMax));
    for (;;) {
        ORB_CO_TRY(const auto size, co_await receive(room));
        const auto step = decoder_.decode(room.first(size));
        if (step.malformed) co_return fail(Errc::body_malformed);
        finished_ = decoder_.done();
        // Only at the end is anything left over: the next request, pipelined. It goes before what is still waiting.
        if (step.consumed < size)
            connection_.input().put_back(room.subspan(step.consumed, size - step.consumed));
        if (step.body_bytes > 0 || finished_) co_return step.body_bytes;
    }
}

Awaitable<Result<bool>> BodyIn::discard(std::uint64_t bytes_max) {
    std::array<std::byte, 4_KiB> bucket;
    std::uint64_t discarded = 0;
    while (!finished_) {
        if (discarded >= bytes_max) co_return false;
        ORB_CO_TRY(const auto size, co_await read_some(bucket));
        discarded += size;
    }
    co_return true;
}

}  // namespace orbitalreg::frontend
