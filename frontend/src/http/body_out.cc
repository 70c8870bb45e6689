#include "http/body_out.h"

#include <algorithm>
#include <utility>

namespace orbitalreg::frontend {
namespace {

// Writes text and bytes in order and keeps count. The header waits in `pending_` for the first bytes of the body.
class ResponseWriter {
public:
    ResponseWriter(Connection& connection, std::string head, SendOutcome& outcome)
        : connection_{connection}, pending_{std::move(head)}, outcome_{outcome} {}

    void queue(std::string_view text) {
        pending_ += text;
        queued_body_bytes_ += text.size();
    }

    // What is pending, then `bytes`. False: the peer is gone.
    Awaitable<bool> write(ByteView bytes) {
        auto written = co_await connection_.write(as_bytes(pending_), bytes);
        if (!written) {
            outcome_.peer_error = written.error();
            co_return false;
        }
        if (!outcome_.header_sent) {
            outcome_.header_sent = true;
            outcome_.first_byte_ns = connection_.now_ns();
        }
        outcome_.body_bytes += queued_body_bytes_ + bytes.size();
        pending_.clear();
        queued_body_bytes_ = 0;
        co_return true;
    }

private:
    Connection& connection_;
    std::string pending_;
    std::size_t queued_body_bytes_ = 0;
    SendOutcome& outcome_;
};

// False: the source or the peer failed; the outcome says which.
Awaitable<bool> send_part(ResponseWriter& writer, BodySource& source, const BodyPart& part,
                          SendOutcome& outcome) {
    writer.queue(part.before);
    std::uint64_t done = 0;
    while (done < part.size) {
        const auto piece_max = outcome.body_bytes < kRampBytes ? kFirstPieceBytes : kPieceBytesMax;
        const auto length = std::min(part.size - done, piece_max);
        auto piece = co_await source.read(part.offset + done, length);
        if (!piece) {
            outcome.source_error = piece.error();
            co_return false;
        }
        const bool written = co_await writer.write(piece.value().bytes);
        if (!written) co_return false;
        done += piece.value().bytes.size();
    }
    co_return true;
}

Awaitable<void> send_stream(ResponseWriter& writer, StreamBody& stream, SendOutcome& outcome) {
    for (const BodyPart& part : stream.parts) {
        const bool sent = co_await send_part(writer, *stream.source, part, outcome);
        if (!sent) co_return;
    }
    writer.queue(stream.after);
    co_await writer.write({});
}

ByteView bytes_of(const Response& response) noexcept {
    if (const auto* text = std::get_if<std::string>(&response.body)) return as_bytes(*text);
    if (const auto* shared = std::get_if<SharedBytes>(&response.body)) return shared->bytes;
    return {};
}

}  // namespace

Awaitable<SendOutcome> send_response(Connection& connection, Response& response,
                                     const std::string& head, bool with_body) {
    SendOutcome outcome;
    ResponseWriter writer{connection, head, outcome};
    auto* stream = std::get_if<StreamBody>(&response.body);
    if (!with_body) {
        co_await writer.write({});
    } else if (stream != nullptr) {
        co_await send_stream(writer, *stream, outcome);
    } else {
        co_await writer.write(bytes_of(response));
    }
    co_return outcome;
}

}  // namespace orbitalreg::frontend
