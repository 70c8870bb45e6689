#pragma once
// The framing guard decides, over the raw bytes of a request's header, whether there is exactly one way to read it.
// Boost.Beast 1.81 accepts ambiguous framing (a bare LF, both lengths, a folded line, a list of equal lengths, chunked
// on HTTP/1.0); another parser in front of us may read the same bytes differently, and the difference is what a
// smuggled request is made of. The guard is a pure function: Beast parses what it let through, and the two must agree.
//
// Limits   HttpLimits: request line 414, header block and number of fields 431 (SEC-72 to SEC-77, SEC-83).

#include "frontend/options.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace orbitalreg::frontend {

// What was refused: the status to answer with before the connection is closed, and why. Status 0 is no fault.
struct FramingFault {
    unsigned status = 0;
    std::string_view reason;
    explicit operator bool() const noexcept { return status != 0; }
};

// HeaderScanner finds the end of a header block in bytes that arrive in pieces and looks at each byte once.
//
//   scan() -> incomplete: give more | complete: size() bytes from the start are the block | refused: fault()
class HeaderScanner {
public:
    enum class State : std::uint8_t { incomplete, complete, refused };

    explicit HeaderScanner(const HttpLimits& limits) noexcept : limits_{&limits} {}
    // `block` is everything received so far; bytes seen by an earlier call are not looked at again.
    State scan(std::string_view block) noexcept;
    std::size_t size() const noexcept { return seen_; }
    const FramingFault& fault() const noexcept { return fault_; }

private:
    State refuse(unsigned status, std::string_view reason) noexcept;
    std::size_t skip_plain(std::string_view block) const noexcept;
    State end_line() noexcept;
    FramingFault limit_fault(char byte) const noexcept;

    const HttpLimits* limits_;
    FramingFault fault_;
    std::size_t seen_ = 0;
    std::size_t line_start_ = 0;
    std::size_t lines_ = 0;
    bool after_cr_ = false;
};

// What the bytes say about where the message ends and whether another follows.
struct Framing {
    FramingFault fault;
    unsigned minor_version = 1;  // HTTP/1.x
    std::optional<std::uint64_t> content_length;
    bool chunked = false;
    bool expect_continue = false;
    bool keep_alive = true;
};

// `block` is a complete header block as HeaderScanner found it, the closing empty line included.
Framing check_framing(std::string_view block, const HttpLimits& limits) noexcept;
// The same of a block that HeaderScanner has just found complete.
Framing read_framing(std::string_view block) noexcept;

}  // namespace orbitalreg::frontend
