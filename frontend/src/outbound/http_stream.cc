#include "outbound/http_stream.h"

#include "outbound/http_url.h"
#include "outbound/redirects.h"

#include <algorithm>

namespace orbitalreg::frontend {
namespace {

constexpr std::size_t kDrainedBytesMax = 64_KiB;
constexpr std::size_t kDrainPieceSize = 4_KiB;

HttpTrouble refused_redirect(const HttpRequest& request, std::string_view fault) {
    std::string text = request.method + ' ';
    text.append(without_query(request.url)).append(": ").append(fault);
    return {HttpFailure::redirect_refused, std::move(text)};
}

// One hop.
Awaitable<OpenedStream> open_hop(std::shared_ptr<TransferLoop> loop, HttpRequest request,
                                 HttpPolicy policy, SlotWish slot) {
    auto transfer =
        std::make_shared<StreamedTransfer>(std::move(request), std::move(policy), std::move(slot));
    OpenedStream opened;
    opened.stream = std::make_unique<HttpStream>(loop, transfer);
    loop->start(transfer);
    auto waiting = transfer->wait_for_head();
    co_await std::move(waiting);
    if (!opened.stream->take_head()) {
        opened.trouble = transfer->end_trouble();
        loop->note_failure(opened.trouble);
        opened.stream.reset();
    }
    co_return opened;
}

}  // namespace

HttpStream::HttpStream(std::shared_ptr<TransferLoop> loop,
                       std::shared_ptr<StreamedTransfer> transfer)
    : loop_{std::move(loop)}, transfer_{std::move(transfer)} {}

HttpStream::~HttpStream() {
    if (transfer_) loop_->cancel(std::move(transfer_));
}

bool HttpStream::take_head() {
    status_ = transfer_->answer_status();
    headers_ = transfer_->take_answer_headers();
    return status_ != 0;
}

std::optional<std::string_view> HttpStream::header(std::string_view name) const {
    for (const auto& field : headers_) {
        if (field.name == name) return field.value;
    }
    return std::nullopt;
}

Awaitable<StreamPiece> HttpStream::read(MutableByteView room) {
    return transfer_->read(room, loop_.get());
}

Awaitable<void> HttpStream::drain() {
    std::vector<std::byte> room(kDrainPieceSize);
    for (std::size_t drained = 0; drained <= kDrainedBytesMax;) {
        auto reading = read(room);
        const auto piece = co_await std::move(reading);
        if (piece.bytes == 0) co_return;
        drained += piece.bytes;
    }
}

Awaitable<OpenedStream> open_stream(std::shared_ptr<TransferLoop> loop, HttpRequest request,
                                    HttpPolicy policy, SlotWish slot) {
    const auto redirects_max = std::min(policy.redirects_max, kHttpRedirectsMax);
    for (std::uint32_t hops = 0;; ++hops) {
        auto opening = open_hop(loop, request, policy, slot);
        auto opened = co_await std::move(opening);
        if (!opened.stream || redirects_max == 0 || !is_redirect(request, opened.stream->status()))
            co_return opened;
        if (hops == redirects_max)
            co_return OpenedStream{nullptr, refused_redirect(request, "too many redirects")};
        auto next = next_hop(request, opened.stream->header("location"));
        if (!next.request) co_return OpenedStream{nullptr, refused_redirect(request, next.fault)};
        auto draining = opened.stream->drain();
        co_await std::move(draining);
        request = std::move(*next.request);
    }
}

}  // namespace orbitalreg::frontend
