#include "http/body_out.h"

#include <algorithm>
#include <utility>

namespace orbitalreg::frontend {
namespace {

// False: the peer is gone.
bool note(const Connection& connection, const Result<void>& written, std::uint64_t body_bytes,
          SendOutcome& outcome) {
    if (!written) {
        outcome.peer_error = written.error();
        return false;
    }
    if (!outcome.header_sent) {
        outcome.header_sent = true;
        outcome.first_byte_ns = connection.now_ns();
    }
    outcome.body_bytes += body_bytes;
    return true;
}

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
        const bool there = note(connection_, written, queued_body_bytes_ + bytes.size(), outcome_);
        if (!there) co_return false;
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
    if (auto* stream = std::get_if<StreamBody>(&response.body); stream != nullptr && with_body) {
        ResponseWriter writer{connection, head, outcome};
        co_await send_stream(writer, *stream, outcome);
        co_return outcome;
    }
    const auto body = with_body ? bytes_of(response) : ByteView{};
    const auto written = co_await connection.write(as_bytes(head), body);
    note(connection, written, body.size(), outcome);
    co_return outcome;
}

}  // namespace orbitalreg::frontend
