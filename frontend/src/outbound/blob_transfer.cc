#include "outbound/blob_transfer.h"

#include "http/ascii.h"
#include "outbound/answer_fields.h"
#include "outbound/registry_upstream.h"

namespace orbitalreg::frontend {
namespace {

constexpr unsigned kOk = 200;
constexpr unsigned kPartialContent = 206;
constexpr unsigned kRangeNotSatisfiable = 416;

std::optional<BlobSpan> span_of_part(std::string_view content_range, std::uint64_t offset) {
    const auto range = parse_content_range(content_range);
    if (!range || range->first != offset) return std::nullopt;
    // All that is left was asked for.
    if (range->total && range->last + 1 != *range->total) return std::nullopt;
    return BlobSpan{offset, range->total.value_or(range->last + 1)};
}

}  // namespace

std::optional<BlobSpan> span_of_answer(const HttpStream& stream, std::uint64_t offset) {
    const auto content_range = stream.header("content-range");
    switch (stream.status()) {
        case kOk: {
            const auto length = stream.header("content-length");
            return BlobSpan{0, length ? parse_decimal(*length) : std::nullopt};
        }
        case kPartialContent:
            if (offset == 0 || !content_range) return std::nullopt;
            return span_of_part(*content_range, offset);
        case kRangeNotSatisfiable: {
            // There is nothing behind the last byte.
            const auto size =
                content_range ? parse_unsatisfied_range(*content_range) : std::nullopt;
            if (offset == 0 || size != offset) return std::nullopt;
            return BlobSpan{offset, offset};
        }
        default:
            return std::nullopt;
    }
}

BlobTransfer::BlobTransfer(std::unique_ptr<HttpStream> stream, BlobSpan span,
                           std::shared_ptr<UpstreamMetrics> metrics)
    : stream_{std::move(stream)},
      span_{span},
      metrics_{std::move(metrics)},
      position_{span.offset} {}

Awaitable<UpstreamResult<std::size_t>> BlobTransfer::read(MutableByteView room) {
    // The body of a 416 is none of the blob.
    if (stream_->status() == kRangeNotSatisfiable) co_return std::size_t{0};
    auto reading = stream_->read(room);
    auto piece = co_await std::move(reading);
    if (piece.trouble.failure != HttpFailure::none)
        co_return engine::fail_upstream(failure_of(std::move(piece.trouble)));
    position_ += piece.bytes;
    metrics_->bytes.add(piece.bytes);
    if (piece.bytes == 0 && span_.size_bytes && position_ < *span_.size_bytes) {
        co_return engine::fail_upstream(UpstreamFailure{
            UpstreamFailure::Kind::unavailable, "the upstream ended a blob before its length", {}});
    }
    co_return piece.bytes;
}

}  // namespace orbitalreg::frontend
