#include "outbound/whole_body.h"

#include "http/ascii.h"

#include <algorithm>

namespace orbitalreg::frontend {
namespace {

constexpr std::size_t kFirstRoomSize = 16_KiB;

}  // namespace

Awaitable<UpstreamResult<std::vector<std::byte>>> read_whole(HttpStream* stream,
                                                             std::size_t bytes_max) {
    const auto length = stream->header("content-length");
    const auto announced = length ? parse_decimal(*length).value_or(0) : 0;
    if (announced > bytes_max)
        co_return engine::fail_upstream(untrusted(stream->request(), "the answer is too large"));
    std::vector<std::byte> body;
    std::size_t bytes = 0;
    // One byte more than it may have shows that there is one.
    body.resize(
        std::min<std::size_t>(std::max<std::size_t>(announced + 1, kFirstRoomSize), bytes_max + 1));
    for (;;) {
        if (bytes == body.size()) body.resize(std::min(body.size() * 2, bytes_max + 1));
        auto reading = stream->read(MutableByteView{body}.subspan(bytes));
        auto piece = co_await std::move(reading);
        if (piece.trouble.failure != HttpFailure::none)
            co_return engine::fail_upstream(failure_of(std::move(piece.trouble)));
        if (piece.bytes == 0) break;
        bytes += piece.bytes;
        if (bytes > bytes_max)
            co_return engine::fail_upstream(
                untrusted(stream->request(), "the answer is too large"));
    }
    body.resize(bytes);
    co_return std::move(body);
}

}  // namespace orbitalreg::frontend
