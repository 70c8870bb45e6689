#pragma once
// ChunkedDecoder takes the framing out of a chunked body, in place: the bytes of the body move to the front of the buffer
// they were received into. Extensions and trailer fields are parsed within limits and discarded (SEC-75, SEC-76).
//
//   size -> [extension] -> data -> data end -> size ... -> last -> trailer* -> done

#include "base/bytes.h"
#include "frontend/options.h"

#include <cstddef>
#include <cstdint>

namespace orbitalreg::frontend {

class ChunkedDecoder {
public:
    explicit ChunkedDecoder(const HttpLimits& limits) noexcept : limits_{&limits} {}

    struct Step {
        std::size_t body_bytes = 0;  // now at the front of the buffer
        std::size_t consumed =
            0;  // of the buffer as it was given; less than all of it only when done()
        bool malformed = false;  // and the connection is of no further use
    };
    Step decode(MutableByteView buffer) noexcept;
    bool done() const noexcept { return state_ == State::done; }

private:
    enum class State : std::uint8_t {
        size_first,  // at least one digit must follow
        size,
        extension,
        size_lf,  // after the CR of the size line
        data,
        data_cr,
        data_lf,
        trailer_start,  // at the first byte of a line after the last chunk
        trailer,
        trailer_lf,
        last_lf,  // after the CR of the empty line
        done,
        malformed
    };
    bool step(char byte) noexcept;
    bool size_digit(char byte) noexcept;
    bool size_line_ended() noexcept;

    const HttpLimits* limits_;
    State state_ = State::size_first;
    std::uint64_t left_ = 0;  // of the chunk
    unsigned digits_ = 0;
    std::size_t extension_bytes_ = 0;
    std::size_t extension_bytes_all_ = 0;
    std::uint32_t small_chunks_ = 0;
    std::size_t trailer_bytes_ = 0;
};

}  // namespace orbitalreg::frontend
