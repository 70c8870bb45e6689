#include "net/chunked_decoder.h"

#include "http/ascii.h"

#include <algorithm>
#include <cstring>

namespace orbitalreg::frontend {
namespace {

constexpr unsigned kSizeDigitsMax = 16;
constexpr std::uint64_t kSmallChunkBytes = 64;
constexpr std::uint64_t kChunkBytesMax = std::uint64_t{1} << 62;

bool is_line_text(char byte) noexcept {
    const auto value = static_cast<unsigned char>(byte);
    return byte == '\t' || (value >= 0x20 && value < 0x7f);
}

}  // namespace

bool ChunkedDecoder::size_digit(char byte) noexcept {
    if (++digits_ > kSizeDigitsMax) return false;
    left_ = left_ << 4 | hex_value(byte);
    state_ = State::size;
    return left_ <= kChunkBytesMax;
}

bool ChunkedDecoder::size_line_ended() noexcept {
    if (left_ == 0) {
        state_ = State::trailer_start;
        return true;
    }
    state_ = State::data;
    return left_ >= kSmallChunkBytes || ++small_chunks_ <= limits_->small_chunks;
}

// One byte of framing. False: malformed.
bool ChunkedDecoder::step(char byte) noexcept {
    switch (state_) {
        case State::size_first:
        case State::size:
            if (is_hex_digit(byte)) return size_digit(byte);
            if (state_ == State::size_first) return false;
            // RFC 9112, 7.1.1 lets blanks stand before an extension; nothing else may follow the digits.
            if (byte == ';') {
                state_ = State::extension;
                extension_bytes_ = 0;
                return true;
            }
            state_ = State::size_lf;
            return byte == '\r';
        case State::extension:
            if (byte == '\r') {
                state_ = State::size_lf;
                return true;
            }
            return is_line_text(byte) && ++extension_bytes_ <= limits_->chunk_extension_bytes &&
                   ++extension_bytes_all_ <= limits_->chunk_extensions_bytes_all;
        case State::size_lf:
            return byte == '\n' && size_line_ended();
        case State::data_cr:
            state_ = State::data_lf;
            return byte == '\r';
        case State::data_lf:
            state_ = State::size_first;
            left_ = 0;
            digits_ = 0;
            return byte == '\n';
        case State::trailer_start:
            state_ = byte == '\r' ? State::last_lf : State::trailer;
            return byte == '\r' ||
                   (is_token_character(byte) && ++trailer_bytes_ <= limits_->header_bytes);
        case State::trailer:
            if (byte == '\r') {
                state_ = State::trailer_lf;
                return true;
            }
            return is_line_text(byte) && ++trailer_bytes_ <= limits_->header_bytes;
        case State::trailer_lf:
            state_ = State::trailer_start;
            return byte == '\n';
        case State::last_lf:
            state_ = State::done;
            return byte == '\n';
        case State::data:
        case State::done:
        case State::malformed:
            break;
    }
    return false;
}

ChunkedDecoder::Step ChunkedDecoder::decode(MutableByteView buffer) noexcept {
    Step result;
    while (result.consumed < buffer.size() && state_ != State::done) {
        if (state_ == State::data) {
            const auto size = static_cast<std::size_t>(
                std::min<std::uint64_t>(left_, buffer.size() - result.consumed));
            if (result.body_bytes != result.consumed) {
                std::memmove(buffer.data() + result.body_bytes, buffer.data() + result.consumed,
                             size);
            }
            result.body_bytes += size;
            result.consumed += size;
            left_ -= size;
            if (left_ == 0) state_ = State::data_cr;
            continue;
        }
        if (!step(static_cast<char>(buffer[result.consumed++]))) {
            state_ = State::malformed;
            result.malformed = true;
            return result;
        }
    }
    return result;
}

}  // namespace orbitalreg::frontend
