#pragma once
// BlobTransfer is a blob on its way from a registry: an answer to GET, and where in the blob it began.

#include "engine/upstream.h"
#include "outbound/upstream_failure.h"

#include <memory>

namespace orbitalreg::frontend {

struct UpstreamMetrics;

// Which bytes of a blob an answer brings.
struct BlobSpan {
    std::uint64_t offset = 0;
    std::optional<std::uint64_t> size_bytes;  // of the whole blob

    friend bool operator==(const BlobSpan&, const BlobSpan&) = default;
};
// Of a success, or of 416; `offset` was asked for. Nothing where the answer does not fit the question.
std::optional<BlobSpan> span_of_answer(const HttpStream& stream, std::uint64_t offset);

class BlobTransfer final : public engine::UpstreamTransfer {
public:
    BlobTransfer(std::unique_ptr<HttpStream> stream, BlobSpan span,
                 std::shared_ptr<UpstreamMetrics> metrics);

    std::uint64_t offset() const noexcept override { return span_.offset; }
    std::optional<std::uint64_t> size_bytes() const noexcept override { return span_.size_bytes; }
    Awaitable<UpstreamResult<std::size_t>> read(MutableByteView room) override;

private:
    const std::unique_ptr<HttpStream> stream_;
    const BlobSpan span_;
    const std::shared_ptr<UpstreamMetrics> metrics_;
    std::uint64_t position_;
};

}  // namespace orbitalreg::frontend
